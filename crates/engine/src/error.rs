//! Errors of this room. Each keeps its cause as its source; [`EngineError::report`] and
//! [`StartError::report`] write the whole chain for people. No error contains a secret.

use std::borrow::Cow;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tidegate_model::{RefusalKind, SharedError, error_chain};

/// Error of an operation on engines.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Error of one kind of engine alone.
    #[error(transparent)]
    Kind(SharedError),
    #[error("{what} {path}", path = path.display())]
    File {
        what: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the engine can't start")]
    Start(#[source] StartError),
    #[error("the engine may not start now: {reason}")]
    Refused { kind: RefusalKind, reason: String },
    #[error("cluster {0} is not known here")]
    Unknown(tidegate_model::ClusterId),
    /// The record of the cluster could not be read.
    #[error("the record of the cluster can't be read")]
    Ledger(#[source] SharedError),
    #[error("a session of the cluster is busy; it will sleep when the session is done")]
    Busy,
    /// A statement of the gateway's own account failed.
    #[error("a statement of Tidegate itself failed")]
    Statement(#[source] RunError),
    #[error("the accounts can't be read")]
    Reading(#[source] ReadingError),
    #[error("the engine ended meanwhile; hint: try again")]
    EndedMeanwhile,
    /// Files or processes of the cluster could not be deleted.
    #[error("the cluster can't be deleted")]
    Remove(#[source] SharedError),
    #[error("internal error; hint: see the server's log")]
    Inside(#[source] tokio::task::JoinError),
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

    /// Returns the error with all its causes, on one line.
    pub fn report(&self) -> String {
        error_chain(self)
    }

    /// Whether the engine itself refused a statement or a reading. Everything else may succeed at
    /// the next try.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Statement(error) | Self::Reading(ReadingError::Run(error))
                if matches!(error, RunError::Refused(_) | RunError::ShutOut(_))
        )
    }

    /// Whether the engine gave no answer, or was too busy to do what it was asked.
    pub fn is_delay(&self) -> bool {
        matches!(
            self,
            Self::Statement(error) | Self::Reading(ReadingError::Run(error))
                if matches!(error, RunError::Busy(_) | RunError::Lost(_))
        )
    }
}

/// Reason why a start did not become a running engine.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{what}")]
pub struct StartError {
    what: Cow<'static, str>,
    #[source]
    source: Option<SharedError>,
    /// The process was ended by a signal: likely not its own fault, so worth one more try at once.
    pub killed: bool,
    /// The machine or a limit refuses the start, not the engine: the kind that a login is refused
    /// with. The cluster has not failed.
    pub refusal: Option<RefusalKind>,
}

impl StartError {
    pub fn new(what: impl Into<Cow<'static, str>>) -> Self {
        Self {
            what: what.into(),
            source: None,
            killed: false,
            refusal: None,
        }
    }

    /// `what` was tried, and failed with this.
    pub fn caused(
        what: impl Into<Cow<'static, str>>,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self {
            source: Some(Arc::from(source.into())),
            ..Self::new(what)
        }
    }

    pub fn refused(kind: RefusalKind, what: impl Into<Cow<'static, str>>) -> Self {
        Self {
            refusal: Some(kind),
            ..Self::new(what)
        }
    }

    /// Returns the error with all its causes, on one line.
    pub fn report(&self) -> String {
        error_chain(self)
    }
}

/// Reason why a statement of ours was not executed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RunError {
    /// The engine answered with this error; the connection is good.
    #[error("{0}")]
    Refused(String),
    /// The limits of the run's process could not be set.
    #[error("the limits of the engine's process could not be set")]
    Process(#[source] SharedError),
    /// The engine could not execute it at this moment: it waited too long for a lock, or has no
    /// memory left. The connection is good.
    #[error("{0}")]
    Busy(String),
    /// The engine refuses the gateway's own account.
    #[error("the engine refuses Tidegate's own account")]
    ShutOut(#[source] SharedError),
    /// There is no administrative connection at the moment. The engine may be well.
    #[error("Tidegate's own connection to the engine is lost")]
    Lost(#[source] SharedError),
}

impl RunError {
    /// The connection was lost for this reason.
    pub fn lost(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Lost(Arc::from(source.into()))
    }
}

/// Reason why a reading of the accounts has no result.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReadingError {
    #[error(transparent)]
    Run(#[from] RunError),
    #[error("it sleeps: its accounts are those in the store")]
    Asleep,
    #[error("the engine has not been recovered yet")]
    NotRecovered,
    /// The cluster's last start failed, with this reason.
    #[error("{0}")]
    Failed(Arc<str>),
    #[error("internal error; hint: see the server's log")]
    Inside,
    #[error("the server is stopping")]
    Stopping,
}
