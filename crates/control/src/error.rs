//! Errors of operations, with texts for the caller. Error packets are `model`'s refusals instead.

use crate::store::StoreError;
use std::error::Error;
use tidegate_model::server_variables::WrongVariable;
use tidegate_model::{ClusterName, error_chain, id};

/// Stable code of an error, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    BadName,
    BadLimits,
    /// An unknown kind of engine, or parameters that it does not accept.
    BadParameters,
    NotFound,
    Exists,
    Busy,
    /// The cluster is protected against deletion.
    Protected,
    /// The cluster has changed since the caller read it.
    Stale,
    NoPlace,
    EngineFailed,
    /// The cluster's kind of engine does not have this operation, or its settings do not allow it.
    Unsupported,
    /// A setting does not have this value, or a role not this choice, which the API's description
    /// can't tell.
    Invalid,
    Stopping,
    /// An invalid, expired or revoked link, session or key.
    NotAuthorized,
    Internal,
}

impl ErrorCode {
    pub const ALL: &'static [Self] = &[
        Self::BadName,
        Self::BadLimits,
        Self::BadParameters,
        Self::NotFound,
        Self::Exists,
        Self::Busy,
        Self::Protected,
        Self::Stale,
        Self::NoPlace,
        Self::EngineFailed,
        Self::Unsupported,
        Self::Invalid,
        Self::Stopping,
        Self::NotAuthorized,
        Self::Internal,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadName => "bad_name",
            Self::BadLimits => "bad_limits",
            Self::BadParameters => "bad_parameters",
            Self::NotFound => "not_found",
            Self::Exists => "exists",
            Self::Busy => "busy",
            Self::Protected => "protected",
            Self::Stale => "stale",
            Self::NoPlace => "no_place",
            Self::EngineFailed => "engine_failed",
            Self::Unsupported => "unsupported",
            Self::Invalid => "invalid",
            Self::Stopping => "stopping",
            Self::NotAuthorized => "not_authorized",
            Self::Internal => "internal",
        }
    }
}

/// Error of an operation, with a hint for fixing it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ControlError {
    pub code: ErrorCode,
    pub message: String,
    pub hint: String,
}

/// Result of an operation.
pub type ControlResult<T> = Result<T, ControlError>;

impl ControlError {
    pub fn new(code: ErrorCode, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: hint.into(),
        }
    }

    pub(crate) fn bad_name(name: &str) -> Self {
        let shown: String = name.chars().take(ClusterName::LEN_MAX + 1).collect();
        Self::new(
            ErrorCode::BadName,
            format!("{shown:?} is not a valid name of a cluster"),
            "use 1 to 63 characters of a-z, 0-9 and '-', starting with a letter and not ending \
             with '-'",
        )
    }

    pub fn not_found(name: &str) -> Self {
        let shown: String = name.chars().take(ClusterName::LEN_MAX + 1).collect();
        Self::new(
            ErrorCode::NotFound,
            format!("there is no cluster {shown:?}"),
            "`tidegate cluster list` shows those that exist",
        )
    }

    pub(crate) fn exists(name: &ClusterName) -> Self {
        Self::new(
            ErrorCode::Exists,
            format!("cluster {:?} already exists", name.as_str()),
            "choose another name, or delete that cluster first",
        )
    }

    pub(crate) fn unknown_kind(name: &str, known: &[&str]) -> Self {
        let shown: String = name.chars().take(ClusterName::LEN_MAX + 1).collect();
        Self::new(
            ErrorCode::BadParameters,
            format!("there is no kind of engine {shown:?}"),
            format!("choose one of {}", known.join(", ")),
        )
    }

    pub(crate) fn busy(name: &ClusterName) -> Self {
        Self::new(
            ErrorCode::Busy,
            format!(
                "another operation on cluster {:?} is still running",
                name.as_str()
            ),
            "wait until it is done, then try again",
        )
    }

    pub(crate) fn bad_variable(wrong: &WrongVariable) -> Self {
        Self::new(ErrorCode::Invalid, wrong.to_string(), wrong.hint())
    }

    /// Error of a change for another version of the cluster.
    pub(crate) fn stale(name: &ClusterName, wanted: u64, found: u64) -> Self {
        Self::new(
            ErrorCode::Stale,
            format!(
                "cluster \"{name}\" has version {found}, not {wanted}: it was changed meanwhile"
            ),
            "read the cluster again, then repeat the change with its `version`",
        )
    }

    pub(crate) fn protected(name: &ClusterName) -> Self {
        Self::new(
            ErrorCode::Protected,
            format!("cluster {:?} is protected against deletion", name.as_str()),
            format!(
                "to delete it, first turn the protection off: `tidegate cluster set {name} \
                 --deletion-protection off`"
            ),
        )
    }

    pub(crate) fn stopping() -> Self {
        Self::new(
            ErrorCode::Stopping,
            "the server is stopping",
            "start the server again, then try again",
        )
    }

    /// Error of the server itself, with all causes in its text.
    pub(crate) fn internal(error: &(dyn Error + 'static)) -> Self {
        Self::new(
            ErrorCode::Internal,
            format!("internal error: {}", error_chain(error)),
            "the server's log has details",
        )
    }
}

impl From<id::RandomError> for ControlError {
    fn from(e: id::RandomError) -> Self {
        Self::internal(&e)
    }
}

impl From<StoreError> for ControlError {
    fn from(e: StoreError) -> Self {
        match e {
            StoreError::NameTaken(name) => Self::exists(&name),
            StoreError::NoUidLeft => Self::new(
                ErrorCode::NoPlace,
                "every user number of engine.uids is in use",
                "delete a cluster, or set a larger range in engine.uids",
            ),
            StoreError::KeyNameTaken => Self::new(
                ErrorCode::Exists,
                e.to_string(),
                "choose another name, or revoke that key first",
            ),
            StoreError::TooManyKeys => Self::new(
                ErrorCode::NoPlace,
                e.to_string(),
                "revoke one that nobody uses: `tidegate key list`",
            ),
            StoreError::DiskFull => Self::new(
                ErrorCode::NoPlace,
                "the disk of the data directory is full",
                "free disk space, or delete a cluster",
            ),
            StoreError::Closed => Self::stopping(),
            other => Self::new(
                ErrorCode::Internal,
                format!("the store failed: {}", error_chain(&other)),
                other.hint(),
            ),
        }
    }
}
