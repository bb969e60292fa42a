//! What can go wrong with engines, in words that name the mend. Never carries a secret.

use std::path::{Path, PathBuf};
use tidegate_model::RefusalKind;

#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error(
        "no MariaDB server found ({0}); install the package mariadb-server-core or set engine.mariadbd"
    )]
    NoServer(String),
    #[error("{what} {path}: {source}", path = path.display())]
    File {
        what: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the engines' own users can't reach {path}: {obstacle} may not be searched by others; choose another data directory, or run `chmod o+x {obstacle}`", path = path.display(), obstacle = obstacle.display())]
    Unreachable { path: PathBuf, obstacle: PathBuf },
    #[error("the template could not be built: {0}")]
    Template(String),
    #[error("the engine can't start: {0}")]
    Start(String),
    #[error("the engine may not start now: {reason}")]
    Refused { kind: RefusalKind, reason: String },
    #[error("cluster {0} is not known here")]
    Unknown(tidegate_model::ClusterId),
    #[error("a session of the cluster is busy; it will sleep when the session is done")]
    Busy,
    #[error("the administrative connection: {0}")]
    Admin(String),
    #[error("the ledger: {0}")]
    Ledger(String),
    /// The cluster's kind of engine does not have this.
    #[error("this kind of engine does not have {0}")]
    Unsupported(&'static str),
    #[error("the server is stopping")]
    Stopping,
}

impl EngineError {
    pub(crate) fn file(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { what, path, source }
    }
}

/// Why a start did not become a running engine.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{reason}")]
pub struct StartError {
    pub reason: String,
    /// The process was ended by a signal: likely not its own fault, so worth one more try at once.
    pub killed: bool,
    /// The machine or a limit refuses the start, not the engine: what a login is refused with. The
    /// cluster has not failed.
    pub refusal: Option<RefusalKind>,
}

impl StartError {
    pub fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            killed: false,
            refusal: None,
        }
    }

    pub fn refused(kind: RefusalKind, reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            killed: false,
            refusal: Some(kind),
        }
    }
}
