//! Port of the connection test. The composition implements it, since this room may not speak MySQL.
//! The test does only what a client outside would do.

use crate::types::Secret;
use std::time::Duration;
use tidegate_model::BoxFuture;

/// Connection test through the public endpoint, by a client that verifies the certificate.
pub trait Prober: Send + Sync + 'static {
    /// Returns the steps in order. If one failed, it is the last. Without a password, the test
    /// stops before the login.
    fn probe(&self, login: ProbeLogin) -> BoxFuture<'_, Vec<ProbeStep>>;
}

#[derive(Debug, Clone)]
pub struct ProbeLogin {
    /// User name with the prefix.
    pub user: String,
    pub password: Option<Secret>,
    pub database: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeStep {
    pub step: ProbeStage,
    pub took: Duration,
    /// Result, such as the TLS version.
    pub detail: String,
    /// Reason of the failure; only in the last step.
    pub failure: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeStage {
    /// Connecting, up to the server's greeting.
    Tcp,
    /// The TLS handshake, with the verification of chain and name.
    Tls,
    /// Login; wakes the cluster if it is asleep.
    Login,
    FirstRow,
}

impl ProbeStage {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Login => "login",
            Self::FirstRow => "first_row",
        }
    }
}

/// Prober without an endpoint, for tests of other things.
#[derive(Debug, Clone, Copy)]
pub struct NoProber;

impl Prober for NoProber {
    fn probe(&self, _login: ProbeLogin) -> BoxFuture<'_, Vec<ProbeStep>> {
        Box::pin(async {
            let failure = Some("there is no listener".to_owned());
            vec![ProbeStep {
                step: ProbeStage::Tcp,
                took: Duration::ZERO,
                detail: String::new(),
                failure,
            }]
        })
    }
}
