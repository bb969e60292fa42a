//! MariaDB processes of this machine: one per cluster, on a Unix socket that this room owns, behind
//! walls. Nothing outside this folder knows how such a process is made.

pub(crate) mod accounts;
pub(crate) mod admin;
pub(crate) mod administration;
pub(crate) mod cgroup;
pub(crate) mod disk;
pub(crate) mod driver;
pub(crate) mod engine_log;
pub(crate) mod error;
pub(crate) mod events;
pub(crate) mod folder;
pub(crate) mod in_force;
pub(crate) mod kind;
pub(crate) mod machine;
pub(crate) mod past_runs;
mod process;
pub(crate) mod process_usage;
pub(crate) mod remove_tree;
pub(crate) mod run;
pub(crate) mod settings;
pub(crate) mod socket;
pub(crate) mod space;
pub(crate) mod start;
pub(crate) mod template;
pub(crate) mod uids;
pub(crate) mod variables;
pub(crate) mod walk;
pub(crate) mod walls;

pub(crate) use kind::{LocalKind, MARIADB};
pub(crate) use settings::LocalSettings;
