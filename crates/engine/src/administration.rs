//! Users and databases inside a running engine, as an operator manages them. What a list contains
//! was written by a tenant, so it is bounded and means nothing beyond its words.

use crate::driver::Run;
use crate::error::{EngineError, RunError};
use crate::status::SharedCluster;
use std::sync::Arc;
use tidegate_model::{BoxFuture, DatabaseName, Lease, UserName, UserRole};

/// Rows of a list, up to its limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundedList<T> {
    pub rows: Vec<T>,
    /// Whether these are all rows.
    pub complete: bool,
}

/// A database of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineDatabase {
    pub name: String,
    pub character_set: String,
    pub collation: String,
}

/// The accounts of one user name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineUser {
    pub name: String,
    pub accounts: Vec<EngineAccount>,
    /// Role of its account at `%`. `None` if SQL created that, or there is none.
    pub role: Option<UserRole>,
    /// Whether that account gets databases that an operator creates later.
    pub every_database: bool,
    /// Databases of the role. Empty for an administrator, who has all.
    pub databases: Vec<String>,
}

/// Account of a user at one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineAccount {
    pub host: String,
    /// `None` if SQL created it.
    pub role: Option<UserRole>,
    pub locked: bool,
}

impl EngineUser {
    /// A user of which nothing but the name is known.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            accounts: Vec::new(),
            role: None,
            every_database: false,
            databases: Vec::new(),
        }
    }
}

/// Part of the list of users that is requested.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UsersWanted {
    /// Text in the name, in any case; empty for all.
    pub find: String,
    /// The users after this one in the list.
    pub after: Option<String>,
    /// Rows of the page; at most a bound of the engine.
    pub most: usize,
}

/// Page of the list of users. Those with a role, whom an operator made, are before those that SQL
/// made: any number of these must not displace them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineUsers {
    pub rows: Vec<EngineUser>,
    /// Name to continue after, if there are more.
    pub next: Option<String>,
    /// Whether all accounts of the engine were read.
    pub complete: bool,
}

/// Parameters of a new user.
#[derive(Debug, Clone)]
pub struct NewEngineUser {
    pub name: UserName,
    /// SHA1(SHA1(password)).
    pub stage2: [u8; 20],
    pub role: UserRole,
    /// All databases, and those that are created later, if `None`.
    pub databases: Option<Vec<DatabaseName>>,
    /// Whether a locked account with this password is one that an earlier try left unfinished.
    pub replaces_unfinished: bool,
}

/// Error of an operation on users and databases.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AdministrationError {
    #[error("it exists already")]
    Exists,
    #[error("it does not exist")]
    Missing,
    #[error("there is no database {0:?}")]
    MissingDatabase(String),
    #[error("there are {0} already")]
    TooMany(usize),
    #[error("the cluster is read-only: it has reached its disk limit")]
    DiskLimit,
    #[error("the cluster is read-only: a session has set read_only")]
    ReadOnly,
    /// A part of the change was made, or may have been.
    #[error("{left}")]
    Unfinished { left: String, source: RunError },
    #[error(transparent)]
    Run(#[from] RunError),
}

pub type AdministrationResult<T> = Result<T, AdministrationError>;

/// Statements about users and databases. Each method ends within a bound of time, and none leaves
/// an account that somebody can log in with before it is complete.
pub trait Administration: Send + Sync {
    /// Databases of the tenant, by name.
    fn databases(&self) -> BoxFuture<'_, AdministrationResult<BoundedList<EngineDatabase>>>;

    /// Creates a database, and grants it to the users that have every database. An error leaves
    /// neither.
    fn create_database<'a>(
        &'a self,
        name: &'a DatabaseName,
    ) -> BoxFuture<'a, AdministrationResult<EngineDatabase>>;

    /// Drops a database with its data and the grants that users of a role have on it.
    fn delete_database<'a>(
        &'a self,
        name: &'a DatabaseName,
    ) -> BoxFuture<'a, AdministrationResult<()>>;

    /// Users that can log in: those with a role first, then the others, by name.
    fn users<'a>(
        &'a self,
        wanted: &'a UsersWanted,
    ) -> BoxFuture<'a, AdministrationResult<EngineUsers>>;

    /// Creates a user. Returns the databases that it was granted.
    fn create_user<'a>(
        &'a self,
        user: &'a NewEngineUser,
    ) -> BoxFuture<'a, AdministrationResult<Vec<String>>>;

    /// Sets the password of all accounts of a user.
    fn set_user_password<'a>(
        &'a self,
        name: &'a UserName,
        stage2: [u8; 20],
    ) -> BoxFuture<'a, AdministrationResult<()>>;

    /// Drops all accounts of a user.
    fn delete_user<'a>(&'a self, name: &'a UserName) -> BoxFuture<'a, AdministrationResult<()>>;

    /// Ends all sessions of a user.
    fn end_user_sessions<'a>(
        &'a self,
        name: &'a UserName,
    ) -> BoxFuture<'a, AdministrationResult<()>>;
}

/// A running engine that stays awake while its users and databases are managed.
pub struct AdministeredRun {
    lease: Lease,
    run: Arc<dyn Run>,
    shared: Arc<SharedCluster>,
}

impl AdministeredRun {
    pub(crate) fn new(lease: Lease, run: Arc<dyn Run>, shared: Arc<SharedCluster>) -> Self {
        Self { lease, run, shared }
    }

    /// An error if this kind of engine manages no users and databases.
    pub fn administration(&self) -> Result<&dyn Administration, EngineError> {
        self.run
            .administration()
            .ok_or(EngineError::Unsupported("users and databases to manage"))
    }

    /// Whether the run has ended, or ends now.
    pub async fn has_ended(&self) -> bool {
        self.shared.has_ended(self.lease.run).await
    }
}
