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
        let path = self.trust.ca_path();
        path.map(|path| path.display().to_string())
    }
}
