//! The public address of this server, as the composition determined it.

use std::net::SocketAddr;
use tidegate_model::Trust;

/// Public address and trust of this server. Connection strings are made from it.
#[derive(Debug, Clone)]
pub struct PublicFace {
    /// Name or address that reaches the listener and is in the certificate.
    pub host: String,
    pub port: u16,
    pub trust: Trust,
    /// Names and addresses in the certificate.
    pub names: Vec<String>,
    pub listeners: Vec<SocketAddr>,
    /// Address of the console, such as `https://127.0.0.1:4443`, if there is one.
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
