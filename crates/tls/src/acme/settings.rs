//! Settings of ACME. The composition in `cli` fills them in.

use crate::acme::limits::ORDER_MAX;
use crate::acme::shared::AcmeShared;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Let's Encrypt, the default CA.
pub const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// Staging directory of Let's Encrypt.
const LETS_ENCRYPT_STAGING: &str = "https://acme-staging-v02.api.letsencrypt.org/directory";

/// Settings of the ACME manager.
#[derive(Debug, Clone)]
pub struct AcmeSettings {
    /// Names and addresses of the certificate. Connection strings show the first one.
    pub domains: Vec<String>,
    /// CAs, in the order in which they are asked.
    pub authorities: Vec<CaSettings>,
    /// Challenges that may be used, best first.
    pub challenges: Vec<ChallengeKind>,
    /// Whether a second certificate with an RSA key is ordered, for clients without ECDSA.
    pub rsa: bool,
    /// State that is shared with the other certificates of this server.
    pub shared: AcmeShared,
    /// The way to write DNS-01 records. Default: none.
    pub dns: Option<DnsSettings>,
}

impl AcmeSettings {
    /// Returns the time limit of one order at one CA, with the time of slow name servers.
    pub fn order_max(&self) -> Duration {
        match &self.dns {
            Some(DnsSettings::Update(update)) => ORDER_MAX + update.settle,
            _ => ORDER_MAX,
        }
    }
}

/// The way to write DNS-01 records.
#[derive(Debug, Clone)]
pub enum DnsSettings {
    /// A name server that accepts updates (RFC 2136), signed with a shared key (RFC 8945).
    Update(DnsUpdate),
    /// A program of the user's: `PROGRAM present|cleanup RECORD VALUE`.
    Hook(PathBuf),
}

#[derive(Debug, Clone)]
pub struct DnsUpdate {
    pub server: SocketAddr,
    /// The zone of the records.
    pub zone: String,
    pub key_name: String,
    /// A file with the shared key, base64. HMAC-SHA256.
    pub key_file: PathBuf,
    /// Resolver that is asked where names lead by CNAME. Default: those of the system.
    pub resolver: Option<SocketAddr>,
    /// Time that all name servers of the zone get to show a record.
    pub settle: Duration,
}

/// Settings of a CA.
#[derive(Debug, Clone)]
pub struct CaSettings {
    /// The URL of its directory.
    pub directory: String,
    /// The URL of its staging directory, where orders are rehearsed after failures. Default: Let's
    /// Encrypt's for Let's Encrypt, none for others.
    pub staging: Option<String>,
    /// Contact address of the account. Default: none.
    pub email: Option<String>,
    /// CA file that verifies the TLS of both directories. Default: Mozilla's list.
    pub directory_ca: Option<PathBuf>,
    /// Roots that issued chains must lead to. Default: Mozilla's list.
    pub roots: Option<PathBuf>,
    /// Certificate profile to request. Default: none, the CA chooses.
    pub profile: Option<String>,
    /// External account binding, if the CA requires one. Default: none.
    pub eab: Option<ExternalAccount>,
}

/// An external account binding (RFC 8555, section 7.3.4).
#[derive(Debug, Clone)]
pub struct ExternalAccount {
    pub key_id: String,
    /// A file with its key, base64url as CAs show it.
    pub key_file: PathBuf,
}

impl CaSettings {
    /// Returns a CA with all defaults.
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

/// Challenge that proves control of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChallengeKind {
    /// The CA connects to port 80.
    Http01,
    /// The CA connects to port 443 by TLS.
    TlsAlpn01,
    /// The CA queries the DNS. The only challenge for wildcards.
    Dns01,
}

impl ChallengeKind {
    /// Returns the name that RFC 8555 uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http01 => "http-01",
            Self::TlsAlpn01 => "tls-alpn-01",
            Self::Dns01 => "dns-01",
        }
    }
}
