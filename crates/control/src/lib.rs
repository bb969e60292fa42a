//! Records of what exists: the store, and operations on clusters. Uses no packets and no HTTP
//! types.

mod access;
mod books;
mod cluster_entry;
mod control;
mod credentials;
pub mod datadir;
mod directory;
mod engine_error;
mod engine_log;
mod entry_cache;
pub mod error;
mod imitation;
pub mod limits;
mod limits_check;
mod names;
mod operation_step;
mod operations;
mod password;
mod prefix_index;
mod recovery;
mod recovery_state;
mod register;
mod requests;
mod scope;
mod settings;
mod startup;
pub mod store;
mod stray_folders;
#[cfg(test)]
mod test_rows;
mod token;
mod uids;
mod views;

pub use access::{ApiKey, WebSession, WebSessionUse, WithToken};
pub use control::Control;
pub use datadir::{DataDir, DataDirError};
pub use engine_log::engine_log;
pub use error::{ControlError, ControlResult, ErrorCode};
pub use operation_step::{AfterStep, OperationStep};
pub use operations::ROOT;
pub use requests::{OpenRequest, RepeatableRequest, RequestSeal, RequestStart};
pub use scope::{NamePattern, Scope, Scopes, WrongScope};
pub use settings::{ControlSettings, WebSessionLife};
pub use store::{ListStart, OPERATOR};
pub use views::{
    AccountView, ClusterChange, ClusterCounts, ClusterPage, ClusterView, ClustersWanted,
    DatabaseView, HostView, LimitView, LimitsChange, ListView, NewCluster, NewUser, SessionPage,
    SessionView, SessionsWanted, SettingsChange, UserPage, UserView, UserWithPassword,
    WithPassword,
};
// Programs made from this room alone, such as its tests, become engines with it, as `tidegate`
// does.
pub use tidegate_engine::{UsersWanted, engine_exec_main};
