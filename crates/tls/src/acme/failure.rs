//! Why no certificate came of an attempt: at which step, whose fault, and how long the CA wants to
//! be left alone. Never carries key material.

use instant_acme::Error;
use std::fmt;
use std::time::Duration;

/// What every error type of RFC 8555 begins with.
pub const ERROR_PREFIX: &str = "urn:ietf:params:acme:error:";

/// Where an attempt stood when it failed, in the order of an attempt.
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
            Self::Account => "the CA gave no account",
            Self::Order => "the CA took no order",
            Self::Challenge => "control of the names was not proved",
            Self::Finalize => "the CA issued nothing",
            Self::Judge => "the issued certificate is kept back",
        })
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{step}: {reason}")]
pub struct Failure {
    pub step: Step,
    pub reason: String,
    /// What the CA said in Retry-After.
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

    /// Whether the CA has lost our account: a test CA that was restarted, an account that was
    /// closed.
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

    /// For `map_err`, keeping the CA's error type.
    pub fn said(step: Step) -> impl Fn(Error) -> Self {
        move |error| {
            let problem = match &error {
                Error::Api(problem) => problem
                    .r#type
                    .as_deref()
                    .and_then(|urn| urn.strip_prefix(ERROR_PREFIX)),
                _ => None,
            };
            Self {
                problem: problem.map(str::to_owned),
                ..Self::new(step, &error)
            }
        }
    }

    /// For `map_err`.
    pub fn at<E: fmt::Display>(step: Step) -> impl Fn(E) -> Self {
        move |error| Self::new(step, error)
    }
}
