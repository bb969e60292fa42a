//! Control groups: each engine runs in a group of its own with limits of memory, CPU weight and tasks, and is killed by
//! it with everything that it started. Never required: without them the limits that need them are not in force, which
//! [`crate::LimitsInForce`] says.

pub mod files;
mod group;
mod hierarchy;
mod home;
mod leftovers;

pub use group::{EngineGroup, GroupLimits};
pub use hierarchy::Version;
pub use home::{CgroupHome, Controller};

#[cfg(test)]
mod tests;
