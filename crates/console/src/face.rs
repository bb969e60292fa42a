//! How this server looks from outside, told by whoever composed it. Never read from a socket or a
//! certificate here.

use std::net::SocketAddr;
use tidegate_model::Trust;

/// The facts that connect lines are made from.
#[derive(Debug, Clone)]
pub struct PublicFace {
    /// A name or address that the certificate carries and that reaches the listener.
    pub host: String,
    pub port: u16,
    pub trust: Trust,
    /// What the certificate carries.
    pub names: Vec<String>,
    pub listeners: Vec<SocketAddr>,
    /// Where the console is, such as `https://127.0.0.1:4443`, if there is one.
    pub console: Option<String>,
}

impl PublicFace {
    pub(crate) fn ca(&self) -> Option<String> {
        let path = match &self.trust {
            Trust::Public => None,
            Trust::Private(path) => path.as_ref(),
            Trust::Local(path) => Some(path),
        };
        path.map(|p| p.display().to_string())
    }

    pub(crate) fn trust_word(&self) -> &'static str {
        match self.trust {
            Trust::Public => "public",
            Trust::Private(_) => "private",
            Trust::Local(_) => "local",
        }
    }
}
