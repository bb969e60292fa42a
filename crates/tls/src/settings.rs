//! What an operator may set about certificates. Never read from anywhere here: the composition
//! fills it in.

use crate::acme::AcmeSettings;
use crate::profile::Versions;
use std::path::{Path, PathBuf};

/// The settings of this room. Only `data` has no default.
#[derive(Debug, Clone)]
pub struct TlsSettings {
    /// Extra host names or addresses for the certificate of the local CA, beside `localhost`,
    /// `127.0.0.1` and `::1`; also the order in which an address for connect lines is chosen.
    /// Default: none.
    pub names: Vec<String>,
    /// The chain to serve, PEM, leaf first. Default: none, a local CA is used.
    pub certificate: Option<PathBuf>,
    /// Its private key, PEM. Required with `certificate`.
    pub key: Option<PathBuf>,
    /// The company's CA file that clients need for `certificate`. Default: none.
    pub ca: Option<PathBuf>,
    /// Certificates by ACME; then `certificate` and `key` must be none. Default: none.
    pub acme: Option<AcmeSettings>,
    /// Which TLS versions are spoken. Default: both.
    pub versions: Versions,
    /// The key that seals ticket keys and accounts, made if it is not there. Default: `master.key`
    /// in the data folder.
    pub master_key: Option<PathBuf>,
    /// Where accounts at CAs lie. Default: `acme` in the data folder.
    pub accounts: Option<PathBuf>,
    /// The data folder: `ca.pem` lies directly in it, keys under `tls/`, those of ACME under
    /// `acme/`.
    pub data: PathBuf,
}

impl TlsSettings {
    /// The defaults: a local CA under `data`, no extra names.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            names: Vec::new(),
            certificate: None,
            key: None,
            ca: None,
            acme: None,
            master_key: None,
            accounts: None,
            versions: Versions::Both,
            data: data.into(),
        }
    }

    /// Where the local CA's root certificate lies.
    pub(crate) fn local_ca_path(&self) -> PathBuf {
        self.data.join("ca.pem")
    }

    /// Where the local CA's keys lie.
    pub(crate) fn key_folder(&self) -> PathBuf {
        self.data.join("tls")
    }

    /// Where accounts at CAs lie.
    pub(crate) fn account_folder(&self) -> PathBuf {
        self.accounts
            .clone()
            .unwrap_or_else(|| self.data.join("acme"))
    }

    pub(crate) fn master_key_path(&self) -> PathBuf {
        self.master_key
            .clone()
            .unwrap_or_else(|| self.data.join("master.key"))
    }

    /// Both paths of the configured pair, if there is one.
    pub(crate) fn pair(&self) -> Option<(&Path, &Path)> {
        Some((self.certificate.as_deref()?, self.key.as_deref()?))
    }
}
