//! Errors of the store.

use tidegate_model::{ClusterId, ClusterName};

/// Error of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the name {0} is taken")]
    NameTaken(ClusterName),
    #[error("a key of that name already exists")]
    KeyNameTaken,
    #[error("the limit of keys is reached")]
    TooManyKeys,
    #[error("the prefix is taken")]
    PrefixTaken,
    #[error("the number is taken")]
    IdTaken,
    #[error("no user number is left")]
    NoUidLeft,
    #[error("another server has taken over the operation on cluster {0}")]
    TakenOver(ClusterId),
    #[error("there is no cluster {0}")]
    Unknown(ClusterId),
    #[error("it was written by a newer version (schema {found}; this version supports {known})")]
    Newer { found: i64, known: i64 },
    #[error("row of cluster {cluster}: {what}")]
    Corrupt { cluster: i64, what: String },
    /// The row of versions, which a migration makes, is missing.
    #[error("the version of the last change is missing")]
    NoFeed,
    #[error("there is no such operator")]
    NoOperator,
    #[error("the disk is full")]
    DiskFull,
    #[error("the store is closed")]
    Closed,
    #[error("a hash in the store does not have 32 bytes")]
    WrongHashSize,
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The check for free user numbers panicked.
    #[error("the check for free user numbers failed")]
    UidCheck(#[source] tokio::task::JoinError),
}

pub type StoreResult<T> = Result<T, StoreError>;

/// Result codes of SQLite for a file that is damaged, or that is no database.
const DAMAGED: [&str; 2] = ["11", "26"];

impl StoreError {
    /// Hint for fixing an error of the store itself.
    pub fn hint(&self) -> &'static str {
        let damaged = "store.sqlite in the data directory is damaged: put a copy of it back, or \
                       use another directory with --data DIR";
        match self {
            Self::Newer { .. } => {
                "start the version of Tidegate that wrote it, or a newer one: `tidegate version` \
                 tells this one"
            }
            Self::Corrupt { .. } | Self::NoFeed | Self::WrongHashSize => damaged,
            Self::Database(sqlx::Error::Database(error))
                if error
                    .code()
                    .is_some_and(|code| DAMAGED.contains(&code.as_ref())) =>
            {
                damaged
            }
            _ => "check that the data directory is writable and its disk is not full",
        }
    }
}
