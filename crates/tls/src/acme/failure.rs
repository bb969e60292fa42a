//! Failure of an attempt: the step, the reason, and the CA's Retry-After. Never contains key
//! material.

use instant_acme::Error as AcmeError;
use std::error::Error;
use std::fmt;
use std::time::Duration;
use tidegate_model::error_chain;

/// Prefix of every error type of RFC 8555.
pub const ERROR_PREFIX: &str = "urn:ietf:params:acme:error:";

/// Step at which an attempt failed, in the order of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Storage,
    Directory,
    Account,
    Order,
    Challenge,
    Finalize,
    Judge,
}

impl Step {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Storage => "storage",
            Self::Directory => "directory",
            Self::Account => "account",
            Self::Order => "order",
            Self::Challenge => "challenge",
            Self::Finalize => "finalize",
            Self::Judge => "judge",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Storage => "the storage can't be used",
            Self::Directory => "the CA can't be reached",
            Self::Account => "the CA refused the account",
            Self::Order => "the CA refused the order",
            Self::Challenge => "control of the names was not proved",
            Self::Finalize => "the CA issued nothing",
            Self::Judge => "the issued certificate is held back",
        })
    }
}

/// A failed attempt. The reason is text, because records and alarms keep it.
#[derive(Debug, thiserror::Error)]
#[error("{step}: {reason}")]
pub struct Failure {
    pub step: Step,
    pub reason: String,
    /// The CA's Retry-After.
    pub retry_after: Option<Duration>,
    /// The CA's error type, without its common prefix.
    pub problem: Option<String>,
}

impl Failure {
    pub fn new(step: Step, reason: impl fmt::Display) -> Self {
        Self {
            step,
            reason: reason.to_string(),
            retry_after: None,
            problem: None,
        }
    }

    /// Whether the CA no longer knows the account: a restarted test CA, or a closed account.
    pub fn lost_account(&self) -> bool {
        matches!(
            self.problem.as_deref(),
            Some("accountDoesNotExist" | "unauthorized")
        )
    }

    /// Whether the attempt ended before the CA could have issued anything.
    pub fn cost_nothing(&self) -> bool {
        matches!(
            self.step,
            Step::Directory | Step::Account | Step::Order | Step::Challenge
        )
    }

    /// Returns a converter for `map_err` that keeps the CA's error type.
    pub fn said(step: Step) -> impl Fn(AcmeError) -> Self {
        move |error| {
            let problem = match &error {
                AcmeError::Api(problem) => problem
                    .r#type
                    .as_deref()
                    .and_then(|urn| urn.strip_prefix(ERROR_PREFIX)),
                _ => None,
            };
            Self {
                problem: problem.map(str::to_owned),
                ..Self::caused(step, &error)
            }
        }
    }

    /// Returns a converter for `map_err`.
    pub fn at<E: Error + 'static>(step: Step) -> impl Fn(E) -> Self {
        move |error| Self::caused(step, &error)
    }

    /// A failure at this step with the error and its causes as the reason.
    pub fn caused(step: Step, error: &(dyn Error + 'static)) -> Self {
        Self::new(step, error_chain(error))
    }
}
