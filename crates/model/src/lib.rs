//! The shared types of Tidegate, the one table of refusals, and the ports between rooms.
//!
//! Never any IO: nothing here opens a socket, a file or a process. (`tokio::sync` channels are used
//! where a port carries a conversation; they move values between tasks and touch nothing outside.)

pub mod account;
mod address_range;
pub mod admission;
mod book;
mod book_entry;
mod cluster_settings;
mod edit_distance;
mod engine_address;
pub mod engine_kind;
mod error_chain;
pub mod escape;
pub mod id;
pub mod journal;
pub mod lease;
pub mod limits;
pub mod log_budget;
pub mod login;
pub mod ports;
pub mod refusal;
#[cfg(any(test, feature = "samples"))]
pub mod sample_kind;
pub mod server_variables;
mod session_id;
mod session_places;
pub mod sessions;
pub mod size;
pub mod sql_names;
pub mod state;
mod tls_state;
pub mod trust;
pub mod usage;
pub mod wording;

pub use account::{Account, Requirement, Unsupported, Verifier};
pub use address_range::{AddressRange, WrongRange};
pub use admission::{Admission, AdmissionLimits, AdmissionPlace, Eviction, SourceNetwork};
pub use book::{AccountBook, Accounts, AccountsBuilder, Claim, DamagedBook, ReadingOrder};
pub use cluster_settings::{ClusterSettings, LiveSwitch};
pub use edit_distance::edit_distance;
pub use engine_address::{EngineAddress, EngineCertificate, EngineEndpoint};
pub use engine_kind::{
    Abilities, ClusterEngine, EngineParameters, KindDescription, ParameterDescription,
    ParameterError, ParameterType, PasswordVerifier,
};
pub use error_chain::{SharedError, error_chain};
pub use escape::{printable, printable_lines};
pub use id::{ClusterId, ClusterName, Prefix, RunEpoch};
pub use journal::{Event, Journal};
pub use lease::{Activity, Lease, LeaseHandle, Reporter, YieldRequest, YieldVerdict};
pub use limits::ClusterLimits;
pub use log_budget::LogBudget;
pub use login::LoginName;
pub use ports::{
    AttachError, AttachRequest, BoxFuture, Directory, DirectoryError, Found, PrefixTag, Tenant,
    Throttle, Twin, Waker,
};
pub use refusal::{Blame, Refusal, RefusalKind, Retry, Severity};
pub use server_variables::ServerVariables;
pub use session_id::{EngineSession, SessionId};
pub use session_places::{SessionPlace, SessionPlaces};
pub use sessions::{SessionGuard, SessionInfo, Sessions};
pub use size::{Size, WrongSize};
pub use sql_names::{DatabaseName, SqlNameError, UserName, UserRole};
pub use state::ClusterState;
pub use tls_state::{PutIf, StoredValue, TlsStateError, TlsStateStore, ValueVersion, ValueWatch};
pub use trust::Trust;
pub use usage::ClusterUsage;
pub use wording::{ClientHint, Wording};
