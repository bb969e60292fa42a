//! Errors about certificates. The texts never contain key material.

use std::path::{Path, PathBuf};
use x509_parser::error::X509Error;

/// An error of this room. Its causes are sources: print it with `tidegate_model::error_chain`.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{action} {}", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    #[error(
        "{} is larger than {limit} bytes and can't be a certificate or key; hint: check the path",
        path.display()
    )]
    TooLarge { path: PathBuf, limit: u64 },
    #[error(
        "{} contains no complete {what} in PEM format; hint: the file may be half written",
        path.display()
    )]
    NotPem { what: &'static str, path: PathBuf },
    #[error("the chain has more than {0} certificates")]
    ChainTooLong(usize),
    #[error("the certificate can't be parsed")]
    Parse(#[source] X509Error),
    #[error("the key in the local CA's file is not the issuing CA's")]
    ForeignKey,
    #[error("the key of a challenge certificate can't be used: {0}")]
    ChallengeKey(&'static str),
    #[error("{what} can't be written as JSON")]
    Json {
        what: &'static str,
        source: serde_json::Error,
    },
    #[error("a secret could not be sealed with the master key")]
    Seal,
    #[error("key and certificate don't belong together, or the key can't be used")]
    Pair(#[source] rustls::Error),
    #[error(
        "the certificate names no host (no subject alternative name): no client could verify it"
    )]
    NoNames,
    #[error("the certificate expired at {0}")]
    Expired(time::OffsetDateTime),
    #[error("the certificate is not valid before {0}")]
    NotYetValid(time::OffsetDateTime),
    #[error("the chain does not lead to the configured CA; hint: give the whole chain, leaf first")]
    Chain(#[source] rustls::Error),
    #[error(
        "the current chain is publicly trusted and the new one is not ({0}); \
         hint: restart the server to switch to it"
    )]
    TrustWouldFall(String),
    #[error(
        "only one of `certificate` and `key` is set; hint: set both, or neither for a local CA"
    )]
    HalfPair,
    #[error("`{0}` is neither a host name nor an IP address")]
    BadName(String),
    #[error("more than {0} names for one certificate")]
    TooManyNames(usize),
    #[error("{} is not the root of a local CA", .0.display())]
    ForeignRoot(PathBuf),
    #[error("the certificate does not come from a local CA, so there is no local CA to renew")]
    NoLocalCa,
    #[error(transparent)]
    State(#[from] tidegate_model::TlsStateError),
    #[error("this server does not use ACME")]
    NoAcme,
    #[error("an order is running; hint: try again when it is finished")]
    OrderUnderWay,
    #[error("the pair was rejected: {0}")]
    NotTaken(String),
    #[error(
        "{} is not a master key of 32 random bytes (64 during a rotation); hint: restore it from a \
         backup, or delete it: \
         a new one is created, and data encrypted with the old key is lost",
        .0.display()
    )]
    MasterKey(PathBuf),
    #[error(
        "the master key is passed by the service manager in {}, so this server can't replace it",
        .0.display()
    )]
    MasterKeyGiven(PathBuf),
    #[error(
        "{0} was written by an older version, for a CA that no start of this version has used, so \
         it can't be sealed with a new key"
    )]
    FormerAccount(String),
    #[error("the certificate could not be created")]
    Issue(#[from] rcgen::Error),
    #[error("the engine's name in TLS is not a name")]
    EngineName,
    #[error("TLS failed")]
    Rustls(#[from] rustls::Error),
}

impl TlsError {
    /// Returns a converter for `map_err`, for an operation on this path.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }

    /// Returns a converter for `map_err`, for a value that is written as JSON.
    pub(crate) fn json(what: &'static str) -> impl FnOnce(serde_json::Error) -> Self {
        move |source| Self::Json { what, source }
    }
}

/// Converts the parser's error.
impl From<x509_parser::nom::Err<X509Error>> for TlsError {
    fn from(error: x509_parser::nom::Err<X509Error>) -> Self {
        Self::Parse(match error {
            x509_parser::nom::Err::Error(error) | x509_parser::nom::Err::Failure(error) => error,
            x509_parser::nom::Err::Incomplete(_) => X509Error::InvalidCertificate,
        })
    }
}
