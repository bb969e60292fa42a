//! What an operator may set about ACME. Never read from anywhere here: the composition fills it in.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Let's Encrypt, the default CA.
pub const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// How certificates are got by ACME.
#[derive(Debug, Clone)]
pub struct AcmeSettings {
    /// The names and addresses the certificate shall carry, the first one for connect lines.
    pub domains: Vec<String>,
    /// The CAs, asked in this order.
    pub authorities: Vec<CaSettings>,
    /// How control of the names is proved, best first.
    pub challenges: Vec<ChallengeKind>,
    /// Where HTTP-01 is answered. Default: port 80 of every address, which is where CAs ask.
    pub http_listen: Vec<SocketAddr>,
}

/// One CA.
#[derive(Debug, Clone)]
pub struct CaSettings {
    /// The URL of its directory.
    pub directory: String,
    /// The address it may write to. Default: none.
    pub email: Option<String>,
    /// The CA file that its own TLS is verified with. Default: Mozilla's list.
    pub directory_ca: Option<PathBuf>,
    /// The roots that what it issues must end in. Default: Mozilla's list.
    pub roots: Option<PathBuf>,
    /// The profile to ask for. Default: none, the CA's own choice.
    pub profile: Option<String>,
}

impl CaSettings {
    /// A CA with every default.
    pub fn new(directory: impl Into<String>) -> Self {
        Self { directory: directory.into(), email: None, directory_ca: None, roots: None, profile: None }
    }
}

/// A way to prove control of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChallengeKind {
    Http01,
}

impl ChallengeKind {
    /// As RFC 8555 spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http01 => "http-01",
        }
    }
}
