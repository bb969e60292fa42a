//! Settings of a check: endpoint, name, roots, account. The password is wiped when dropped.

use crate::endpoint::Endpoint;
use crate::limits;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use zeroize::Zeroizing;

#[derive(Debug)]
pub struct Settings {
    pub endpoint: Endpoint,
    /// Addresses to use. If empty, the host's name is resolved.
    pub addresses: Vec<SocketAddr>,
    /// Name that the certificate must carry, and that is sent as SNI.
    pub name: String,
    /// Roots in addition to the public ones.
    pub roots: Option<Roots>,
    pub account: Option<Account>,
    /// Whether this is a later round of a watch. With an account the two logins that must fail are
    /// left out, because they count against this address. Without an account only one connection is
    /// made, because MySQL and MariaDB block an address after a hundred connections that end before
    /// a login.
    pub again: bool,
    /// Time for which a silent connection is watched.
    pub silence_max: Duration,
    /// Port of a web console on the same host.
    pub web_port: u16,
}

pub struct Account {
    pub user: String,
    pub password: Zeroizing<String>,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// The certificates of a CA file.
#[derive(Debug, Clone)]
pub struct Roots {
    pub store: RootCertStore,
    pub certificates: Vec<CertificateDer<'static>>,
    pub file: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub enum RootsError {
    #[error("the CA file {} can't be read: {source}", file.display())]
    Read {
        file: PathBuf,
        source: std::io::Error,
    },
    #[error("the CA file {} has no certificate that can be used, in PEM", .0.display())]
    NoPem(PathBuf),
}

impl Settings {
    pub fn new(endpoint: Endpoint) -> Self {
        Self {
            name: endpoint.host.clone(),
            endpoint,
            addresses: Vec::new(),
            roots: None,
            account: None,
            again: false,
            silence_max: limits::SILENCE_MAX,
            web_port: 443,
        }
    }
}

impl Roots {
    pub fn read(file: &Path) -> Result<Self, RootsError> {
        let mut pem = Vec::new();
        std::fs::File::open(file)
            .and_then(|opened| opened.take(limits::CA_FILE_MAX).read_to_end(&mut pem))
            .map_err(|source| RootsError::Read {
                file: file.to_owned(),
                source,
            })?;
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(&pem)
            .filter_map(Result::ok)
            .collect();
        let mut store = RootCertStore::empty();
        let (taken, _) = store.add_parsable_certificates(certificates.iter().cloned());
        if taken == 0 {
            return Err(RootsError::NoPem(file.to_owned()));
        }
        Ok(Self {
            store,
            certificates,
            file: file.to_owned(),
        })
    }
}
