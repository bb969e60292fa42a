//! How a cluster is created, started, reached, put to sleep, removed. Never client sockets, the
//! store, HTTP, or a driver crate.

mod budget;
mod drain;
mod driver;
mod engines;
mod error;
mod hears;
mod in_force;
mod ledger;
mod lifecycle;
mod limits;
mod local;
mod readings;
mod settings;
mod status;
mod supervisor;
mod tasks;

/// Parsers of what a tenant's engine says, for fuzz targets.
#[cfg(feature = "fuzzing")]
pub mod fuzzing {
    pub use crate::local::accounts::account;
}

pub use engines::{ClusterSpec, Engines};
pub use error::EngineError;
pub use in_force::{Enforcer, InForce, LimitsInForce};
pub use ledger::{Ledger, LedgerError};
pub use local::exec::{COMMAND as EXEC_COMMAND, engine_exec_main};
pub use local::template::Progress;
pub use local::uids::{Candidate, ClaimError, UidChoice, UidClaim, free_uids};
pub use local::walls::Walls;
pub use settings::{CgroupChoice, EngineSettings, Helper};
