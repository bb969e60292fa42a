//! What can go wrong with certificates, in words that tell the mend. Never carries key material.

use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{action} {}: {source}", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{} is larger than {limit} bytes and cannot be a certificate or key; check the path", path.display())]
    TooLarge { path: PathBuf, limit: u64 },
    #[error("{} holds no whole {what} in PEM form; the file may be half written", path.display())]
    NotPem { what: &'static str, path: PathBuf },
    #[error("the chain has more than {0} certificates")]
    ChainTooLong(usize),
    #[error("certificate cannot be read: {0}")]
    Certificate(String),
    #[error("key and certificate do not belong together or the key cannot be used: {0}")]
    Pair(rustls::Error),
    #[error(
        "the certificate names no host (no subject alternative name), so no client could verify it"
    )]
    NoNames,
    #[error("the certificate expired at {0}")]
    Expired(time::OffsetDateTime),
    #[error("the certificate is not valid before {0}")]
    NotYetValid(time::OffsetDateTime),
    #[error("the chain does not end in the configured CA: {0}; give the whole chain, leaf first")]
    Chain(rustls::Error),
    #[error(
        "the served chain is trusted by everyone and the new one is not ({0}); restart the server to switch to it"
    )]
    TrustWouldFall(String),
    #[error("set both `certificate` and `key`, or neither (then a local CA is used)")]
    HalfPair,
    #[error("`{0}` is neither a host name nor an IP address")]
    BadName(String),
    #[error("more than {0} names for one certificate")]
    TooManyNames(usize),
    #[error("{} holds something else than the root of a local CA", .0.display())]
    ForeignRoot(PathBuf),
    #[error("what is served is no certificate of a local CA, so there is no such CA to renew")]
    NoLocalCa,
    #[error("certificates here are not got by ACME")]
    NoAcme,
    #[error("an order is under way; try again when it has ended")]
    OrderUnderWay,
    #[error("the pair is not taken: {0}")]
    NotTaken(String),
    #[error("{} is no master key: it must be 32 random bytes; without it a new one is made, and what it sealed is lost", .0.display())]
    MasterKey(PathBuf),
    #[error("making a certificate: {0}")]
    Issue(#[from] rcgen::Error),
    #[error("TLS settings: {0}")]
    Rustls(#[from] rustls::Error),
}

impl TlsError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }
}
