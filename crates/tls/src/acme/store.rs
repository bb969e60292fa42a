//! Files in `DATA/acme`: accounts, pairs, records. They are private, and each is complete or absent
//! after a crash.

use crate::acme::key::KeyKind;
use crate::acme::record::Record;
use crate::chain::Chain;
use crate::error::TlsError;
use crate::master::MasterKey;
use crate::settings::TlsSettings;
use crate::state::{self, SECRET_MODE};
use instant_acme::AccountCredentials;
use sha2::{Digest, Sha256};
use std::path::PathBuf;
use zeroize::Zeroizing;

/// A stored pair.
pub struct StoredPair {
    pub chain: Chain,
}

#[derive(Clone)]
pub struct AcmeFiles {
    folder: PathBuf,
    accounts: PathBuf,
    master: MasterKey,
}

impl AcmeFiles {
    pub fn new(settings: &TlsSettings, master: MasterKey) -> Self {
        Self {
            folder: settings.data.join("acme"),
            accounts: settings.account_folder(),
            master,
        }
    }

    fn file(&self, kind: KeyKind, what: &str) -> PathBuf {
        self.folder.join(format!("{}.{what}", kind.as_str()))
    }

    /// Reads the record. One that can't be read counts as one recent failure, so that no CA is
    /// asked at once.
    pub fn record(&self, kind: KeyKind, now: i64) -> Record {
        match state::read_if_there(&self.file(kind, "json")) {
            Ok(None) => Record::default(),
            Ok(Some(bytes)) => serde_json::from_slice(&bytes).unwrap_or_else(|_| lost(now)),
            Err(_) => lost(now),
        }
    }

    /// Writes the record. An attempt begins with this: where a record can't be written, a
    /// certificate can't either.
    pub fn remember(&self, kind: KeyKind, record: &Record) -> Result<(), TlsError> {
        state::private_folder(&self.folder)?;
        let text = serde_json::to_vec_pretty(record).map_err(TlsError::json("the record"))?;
        state::write_whole(&self.file(kind, "json"), &text, SECRET_MODE)
    }

    /// Checks that a file can be written.
    pub fn probe(&self) -> Result<(), TlsError> {
        state::private_folder(&self.folder)?;
        let path = self.folder.join("probe");
        state::write_whole(&path, b"", SECRET_MODE)?;
        std::fs::remove_file(&path).map_err(TlsError::io("removing", &path))
    }

    /// Reads the stored pair.
    pub fn pair(&self, kind: KeyKind) -> Result<Option<StoredPair>, TlsError> {
        self.read_pair(kind, "pem")
    }

    /// Reads a newer pair that is held back because it must not be served yet.
    pub fn held(&self, kind: KeyKind) -> Result<Option<StoredPair>, TlsError> {
        self.read_pair(kind, "held.pem")
    }

    fn read_pair(&self, kind: KeyKind, what: &str) -> Result<Option<StoredPair>, TlsError> {
        let path = self.file(kind, what);
        let Some(bytes) = state::read_if_there(&path)? else {
            return Ok(None);
        };
        Ok(Some(StoredPair {
            chain: Chain::from_pem(&bytes, &bytes, &path)?,
        }))
    }

    /// Stores a pair. Chain and key are one file, so that a crash can't leave a key beside another
    /// certificate.
    pub fn keep(&self, kind: KeyKind, chain: &str, key: &str) -> Result<(), TlsError> {
        self.write_pair(kind, "pem", chain, key)?;
        // A pair that was held back is older than this one.
        self.forget(kind, "held.pem")
    }

    pub fn hold(&self, kind: KeyKind, chain: &str, key: &str) -> Result<(), TlsError> {
        self.write_pair(kind, "held.pem", chain, key)
    }

    /// Replaces the stored pair by the one held back.
    pub fn promote_held(&self, kind: KeyKind) -> Result<(), TlsError> {
        let from = self.file(kind, "held.pem");
        let to = self.file(kind, "pem");
        std::fs::rename(&from, &to).map_err(TlsError::io("renaming into place", &to))
    }

    fn write_pair(
        &self,
        kind: KeyKind,
        what: &str,
        chain: &str,
        key: &str,
    ) -> Result<(), TlsError> {
        let mut whole = Zeroizing::new(String::with_capacity(chain.len() + 1 + key.len()));
        whole.push_str(chain);
        if !chain.ends_with('\n') {
            whole.push('\n');
        }
        whole.push_str(key);
        state::write_whole(&self.file(kind, what), whole.as_bytes(), SECRET_MODE)
    }

    /// Reads the key of a pending order.
    pub fn pending_key(&self, kind: KeyKind) -> Result<Option<Zeroizing<String>>, TlsError> {
        let bytes = state::read_if_there(&self.file(kind, "pending.pem"))?;
        Ok(bytes
            .and_then(|bytes| Some(Zeroizing::new(std::str::from_utf8(&bytes).ok()?.to_owned()))))
    }

    pub fn keep_pending_key(&self, kind: KeyKind, key: &str) -> Result<(), TlsError> {
        state::write_whole(&self.file(kind, "pending.pem"), key.as_bytes(), SECRET_MODE)
    }

    pub fn forget_pending_key(&self, kind: KeyKind) -> Result<(), TlsError> {
        self.forget(kind, "pending.pem")
    }

    fn forget(&self, kind: KeyKind, what: &str) -> Result<(), TlsError> {
        let path = self.file(kind, what);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(TlsError::io("removing", &path)(error))
            }
            _ => Ok(()),
        }
    }

    /// Returns the file of a CA's account, by its directory's URL.
    fn account_file(&self, directory: &str) -> PathBuf {
        let hash = Sha256::digest(directory.as_bytes());
        let mark: String = hash
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        self.accounts.join(format!("account-{mark}.sealed"))
    }

    pub fn account(&self, directory: &str) -> Result<Option<AccountCredentials>, TlsError> {
        // Versions before key ids bound it to the directory's URL.
        let text = self.master.read(&self.account_file(directory), directory)?;
        // An account that can't be read counts as none; a new one is created.
        Ok(text.and_then(|text| serde_json::from_slice(&text).ok()))
    }

    pub fn keep_account(
        &self,
        directory: &str,
        account: &AccountCredentials,
    ) -> Result<(), TlsError> {
        state::private_folder(&self.accounts)?;
        let text =
            Zeroizing::new(serde_json::to_vec(account).map_err(TlsError::json("the account"))?);
        self.master.write(&self.account_file(directory), &text)
    }
}

fn lost(now: i64) -> Record {
    Record {
        failures: 1,
        next_attempt: now + crate::acme::schedule::backoff(1),
        ..Record::default()
    }
}
