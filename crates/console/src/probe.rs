//! The test of a connection, as the console asks for it: a port that the composition fills, since
//! only it may speak MySQL and TLS to our own door. Never anything but what a client outside would
//! do.

use crate::types::Secret;
use std::time::Duration;
use tidegate_model::BoxFuture;

/// Goes in through the public endpoint like a client that verifies.
pub trait Prober: Send + Sync + 'static {
    /// The steps in order; the last one has failed, or all went well. Without a password it ends
    /// before the login.
    fn probe(&self, login: ProbeLogin) -> BoxFuture<'_, Vec<ProbeStep>>;
}

#[derive(Debug, Clone)]
pub struct ProbeLogin {
    /// In full, with the prefix.
    pub user: String,
    pub password: Option<Secret>,
    pub database: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeStep {
    pub step: ProbeStage,
    pub took: Duration,
    /// What came of it: the TLS version, say.
    pub detail: String,
    /// Why it failed; the last step then.
    pub failure: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeStage {
    /// Connecting, up to the server's greeting.
    Tcp,
    /// Chain and name verified.
    Tls,
    /// Wakes the cluster where it sleeps.
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

/// Where no listener stands: in tests of other things.
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
