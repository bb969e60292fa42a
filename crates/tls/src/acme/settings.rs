//! What an operator may set about ACME. Never read from anywhere here: the composition fills it in.

use crate::acme::shared::AcmeShared;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Let's Encrypt, the default CA.
pub const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// Where Let's Encrypt lets one rehearse.
const LETS_ENCRYPT_STAGING: &str = "https://acme-staging-v02.api.letsencrypt.org/directory";

/// How certificates are got by ACME.
#[derive(Debug, Clone)]
pub struct AcmeSettings {
    /// The names and addresses the certificate shall carry, the first one for connect lines.
    pub domains: Vec<String>,
    /// The CAs, asked in this order.
    pub authorities: Vec<CaSettings>,
    /// How control of the names is proved, best first.
    pub challenges: Vec<ChallengeKind>,
    /// Whether a second certificate with an RSA key is got, for clients that take no ECDSA.
    pub rsa: bool,
    /// What it shares with the other certificates of this server.
    pub shared: AcmeShared,
    /// How the answers to DNS-01 get into the DNS. Default: not at all.
    pub dns: Option<DnsSettings>,
}

/// Who writes into the DNS for us.
#[derive(Debug, Clone)]
pub enum DnsSettings {
    /// A name server that takes updates (RFC 2136), signed by a shared key (RFC 8945).
    Update(DnsUpdate),
    /// A program of the user's: `PROGRAM present|cleanup RECORD VALUE`.
    Hook(PathBuf),
}

#[derive(Debug, Clone)]
pub struct DnsUpdate {
    pub server: SocketAddr,
    /// The zone that the records lie in.
    pub zone: String,
    pub key_name: String,
    /// A file with the shared key, base64. HMAC-SHA256.
    pub key_file: PathBuf,
}

/// One CA.
#[derive(Debug, Clone)]
pub struct CaSettings {
    /// The URL of its directory.
    pub directory: String,
    /// The URL of its staging directory, where orders are rehearsed after failures. Default: Let's
    /// Encrypt's for Let's Encrypt, none for others.
    pub staging: Option<String>,
    /// The address it may write to. Default: none.
    pub email: Option<String>,
    /// The CA file that the TLS of both directories is verified with. Default: Mozilla's list.
    pub directory_ca: Option<PathBuf>,
    /// The roots that what it issues must end in. Default: Mozilla's list.
    pub roots: Option<PathBuf>,
    /// The profile to ask for. Default: none, the CA's own choice.
    pub profile: Option<String>,
    /// What ties our account to one that exists at the CA, where it wants that. Default: none.
    pub eab: Option<ExternalAccount>,
}

/// An external account binding, as a CA gives it out.
#[derive(Debug, Clone)]
pub struct ExternalAccount {
    pub key_id: String,
    /// A file with its key, base64url as CAs show it.
    pub key_file: PathBuf,
}

impl CaSettings {
    /// A CA with every default.
    pub fn new(directory: impl Into<String>) -> Self {
        let directory = directory.into();
        let staging = (directory == LETS_ENCRYPT).then(|| LETS_ENCRYPT_STAGING.to_owned());
        Self {
            directory,
            staging,
            email: None,
            directory_ca: None,
            roots: None,
            profile: None,
            eab: None,
        }
    }
}

/// A way to prove control of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChallengeKind {
    /// The CA asks port 80.
    Http01,
    /// The CA asks port 443, by TLS.
    TlsAlpn01,
    /// The CA asks the DNS; the only one for wildcards.
    Dns01,
}

impl ChallengeKind {
    /// As RFC 8555 spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http01 => "http-01",
            Self::TlsAlpn01 => "tls-alpn-01",
            Self::Dns01 => "dns-01",
        }
    }
}
