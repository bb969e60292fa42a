//! How a cluster is created, started, reached, put to sleep, removed. Never client sockets, the
//! store, HTTP, or a driver crate.

mod accounts;
mod admin;
mod admin_line;
mod budget;
mod cgroup;
mod copy;
mod disk;
mod drain;
mod driver;
mod engine_log;
mod engines;
mod error;
mod exec;
mod folder;
mod handover;
mod health;
mod hears;
mod in_force;
mod init_sql;
mod ledger;
mod lifecycle;
mod limits;
mod local;
mod local_accounts;
mod local_run;
mod machine;
mod options;
mod process;
mod process_usage;
mod program;
mod readings;
mod repair;
mod secret;
mod seed;
mod settings;
mod socket;
mod space;
mod spawner;
mod status;
mod supervisor;
mod tasks;
mod template;
mod tzinfo;
mod uids;
mod walls;

/// Parsers of what a tenant's engine says, for fuzz targets.
#[cfg(feature = "fuzzing")]
pub mod fuzzing {
    pub use crate::accounts::account;
}

pub use engines::{ClusterSpec, Engines};
pub use error::EngineError;
pub use exec::{COMMAND as EXEC_COMMAND, engine_exec_main};
pub use in_force::{Enforcer, InForce, LimitsInForce};
pub use ledger::{Ledger, LedgerError};
pub use settings::{CgroupChoice, EngineSettings, Helper};
pub use template::Progress;
pub use uids::{Candidate, ClaimError, UidChoice, UidClaim, free_uids};
pub use walls::Walls;
