//! Settings of this room. The composition in `cli` fills them in.

use crate::acme::AcmeSettings;
use crate::master::MasterKey;
use crate::profile::Versions;
use crate::state_folder::StateFolder;
use std::path::{Path, PathBuf};

/// Folder of the values with keys.
pub const KEYS: &str = "tls";

/// Settings of certificates and TLS. Only `data` has no default.
#[derive(Debug, Clone)]
pub struct TlsSettings {
    /// Extra host names or addresses for the certificate of the local CA, beside `localhost`,
    /// `127.0.0.1` and `::1`; also the order in which the host name for connection strings is
    /// chosen. Default: none.
    pub names: Vec<String>,
    /// File with the chain to serve, PEM, leaf first. Default: none, a local CA is used.
    pub certificate: Option<PathBuf>,
    /// File with its private key, PEM. Required with `certificate`.
    pub key: Option<PathBuf>,
    /// The company's CA file that clients need for `certificate`. Default: none.
    pub ca: Option<PathBuf>,
    /// Settings of ACME. With them `certificate` and `key` must be none. Default: none.
    pub acme: Option<AcmeSettings>,
    /// TLS versions that the endpoint accepts. Default: both.
    pub versions: Versions,
    /// Key that seals ticket keys and ACME accounts. Default: that of `master.key` in the data
    /// folder, which is made if missing.
    pub master: Option<MasterKey>,
    /// Values of this certificate: keys are in `tls/`, those of ACME in `acme/`. Default: the files
    /// in the data folder.
    pub values: Option<StateFolder>,
    /// Folder of the ACME accounts. Default: `acme` of the values.
    pub accounts: Option<StateFolder>,
    /// The data folder, which contains `ca.pem`.
    pub data: PathBuf,
}

impl TlsSettings {
    /// Returns the defaults: a local CA in `data`, no extra names.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            names: Vec::new(),
            certificate: None,
            key: None,
            ca: None,
            acme: None,
            master: None,
            values: None,
            accounts: None,
            versions: Versions::Both,
            data: data.into(),
        }
    }

    /// Returns the path of the local CA's root certificate.
    pub(crate) fn local_ca_path(&self) -> PathBuf {
        self.data.join("ca.pem")
    }

    /// Returns the folder of the local CA's keys.
    pub(crate) fn key_folder(&self) -> PathBuf {
        self.data.join(KEYS)
    }

    /// Returns the values of this certificate.
    pub(crate) fn values(&self) -> StateFolder {
        self.values
            .clone()
            .unwrap_or_else(|| StateFolder::of_files(&self.data))
    }

    /// Returns the values of the ACME accounts.
    pub(crate) fn account_values(&self) -> StateFolder {
        self.accounts
            .clone()
            .unwrap_or_else(|| self.values().folder("acme"))
    }

    /// Returns certificate and key files, if both are configured.
    pub(crate) fn pair(&self) -> Option<(&Path, &Path)> {
        Some((self.certificate.as_deref()?, self.key.as_deref()?))
    }
}
