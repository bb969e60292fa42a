//! Creates, starts, puts to sleep and deletes clusters. Does not use client sockets, the store,
//! HTTP or a MySQL driver crate.

mod administration;
mod adopted;
mod bound_task;
mod budget;
mod drain;
mod driver;
mod engines;
mod error;
mod fair_share;
mod in_force;
mod kind;
mod kinds;
mod ledger;
mod lifecycle;
mod limits;
mod local;
mod messages;
mod readings;
mod status;
mod supervised_cluster;
mod supervisor;
mod supervisor_place;
mod tasks;
mod unknown_kind;

/// Parsers of what a tenant's engine says, for fuzz targets.
#[cfg(feature = "fuzzing")]
pub mod fuzzing {
    pub use crate::local::accounts::account_of_row as account;
}

pub use administration::{
    AdministeredRun, Administration, AdministrationError, AdministrationResult, BoundedList,
    EngineAccount, EngineDatabase, EngineUser, EngineUsers, NewEngineUser, UsersWanted,
};
pub use budget::AwakeMemory;
pub use driver::{Driver, EngineEvents, Run, RunUsage};
pub use engines::{ClusterEvents, Engines, HeldCluster};
pub use error::{EngineError, ReadingError, RunError, StartError};
pub use in_force::{Enforcer, InForce, LimitsInForce};
pub use kind::{ClusterSpec, EngineKind, KindGreeting, Progress};
pub use kinds::{EngineSettings, KINDS, MoreKinds};
pub use ledger::{Ledger, LedgerError, RecordedCluster};
/// Formats of MariaDB's accounts, for kinds whose engines have them too.
pub use local::accounts::account_of_row;
pub use local::accounts::init_sql::native_hash;
pub use local::settings::{CgroupChoice, Helper, LocalSettings};
pub use local::start::exec::{COMMAND as EXEC_COMMAND, engine_exec_main};
pub use local::uids::{
    Candidate, ClaimError, NoOwnUsers, UidChoice, UidClaim, can_use_files_of, free_uids, own_users,
};
pub use local::walls::Walls;
