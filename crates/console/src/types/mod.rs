//! Bodies of the API's requests and answers, for server and client alike. Passwords and keys are of
//! type [`Secret`], so no `Debug` prints them.

mod access;
mod activity;
mod certificate;
mod cluster;
mod connect;
mod database;
mod engine;
mod error;
mod limits;
mod secret;
mod server;
mod session;
mod user;
mod warning;

pub use access::{CreateKey, Key, KeyList, KeyScope, SignInLink};
pub use activity::{Activity, RecentRefusal, RecentWake};
pub use certificate::{
    Acme, AcmeError, Certificate, CertificateChange, CertificatePair, CheckFinding, CheckResult,
    KeptCertificate, LeafCertificate,
};
pub use cluster::{
    ChangeCluster, Cluster, ClusterList, CreateCluster, DATABASE, RenameCluster, StateSchema,
    events_text,
};
pub use connect::{
    ClientList, ConnectForm, ConnectStrings, KnownClient, KnownPlatform, TestConnection,
    TestResult, TestStep,
};
pub use database::{CreateDatabase, Database, DatabaseList};
pub use engine::{EngineKind, EngineKindList, EngineParameter};
pub use error::ErrorBody;
pub use limits::{FILE_SIZE_WAITS, Limits, LimitsWanted, Usage};
pub use secret::Secret;
pub use server::{
    LimitInForce, LocalCa, MasterKeyRotation, Server, ServerClusters, ServerDisk, ServerMemory,
    ServerWalls,
};
pub use session::{Session, SessionList};
pub use user::{Account, CreateUser, Role, SetPassword, User, UserList};
pub use warning::Warning;
