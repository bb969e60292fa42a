//! Values of ACME, in the folder `acme` of the TLS state: accounts, pairs, records, answers of
//! challenges.

use crate::acme::answers::OrderAnswers;
use crate::acme::key::KeyKind;
use crate::acme::record::Record;
use crate::chain::Chain;
use crate::error::TlsError;
use crate::master::MasterKey;
use crate::settings::TlsSettings;
use crate::state_folder::StateFolder;
use instant_acme::AccountCredentials;
use sha2::{Digest, Sha256};
use std::path::PathBuf;
use tidegate_model::{PutIf, ValueWatch};
use zeroize::Zeroizing;

/// Ending of the name of an order's answers.
const ANSWERS: &str = "challenges.json";

/// A stored pair.
pub struct StoredPair {
    pub chain: Chain,
}

#[derive(Clone)]
pub struct AcmeFiles {
    values: StateFolder,
    accounts: StateFolder,
    master: MasterKey,
}

impl AcmeFiles {
    pub fn new(settings: &TlsSettings, master: MasterKey) -> Self {
        Self {
            values: settings.values().folder("acme"),
            accounts: settings.account_values(),
            master,
        }
    }

    /// Returns a watcher of the stored pair.
    pub fn watch_pair(&self, kind: KeyKind) -> Box<dyn ValueWatch> {
        self.values.watch(&name_of(kind, "pem"))
    }

    /// Reads the record. One that can't be read counts as one recent failure, so that no CA is
    /// asked at once.
    pub fn record(&self, kind: KeyKind, now: i64) -> Record {
        match self.values.get(&name_of(kind, "json")) {
            Ok(None) => Record::default(),
            Ok(Some(value)) => serde_json::from_slice(&value.bytes).unwrap_or_else(|_| lost(now)),
            Err(_) => lost(now),
        }
    }

    /// Writes the record. An attempt begins with this: where a record can't be written, a
    /// certificate can't either.
    pub fn remember(&self, kind: KeyKind, record: &Record) -> Result<(), TlsError> {
        let text = serde_json::to_vec_pretty(record).map_err(TlsError::json("the record"))?;
        self.values.replace(&name_of(kind, "json"), Some(&text))
    }

    /// Checks that a value can be written.
    pub fn probe(&self) -> Result<(), TlsError> {
        self.values.replace("probe", Some(b""))?;
        self.values.replace("probe", None)
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
        let name = name_of(kind, what);
        let Some(value) = self.values.get(&name)? else {
            return Ok(None);
        };
        let shown = PathBuf::from(self.values.whole_name(&name));
        Ok(Some(StoredPair {
            chain: Chain::from_pem(&value.bytes, &value.bytes, &shown)?,
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
        let Some(held) = self.values.get(&name_of(kind, "held.pem"))? else {
            return Ok(());
        };
        // After a crash in between, the pair that is held back is the stored one, and is judged and
        // stored again.
        self.values
            .replace(&name_of(kind, "pem"), Some(&held.bytes))?;
        self.forget(kind, "held.pem")
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
        self.values
            .replace(&name_of(kind, what), Some(whole.as_bytes()))
    }

    /// Reads the key of a pending order.
    pub fn pending_key(&self, kind: KeyKind) -> Result<Option<Zeroizing<String>>, TlsError> {
        let value = self.values.get(&name_of(kind, "pending.pem"))?;
        Ok(value.and_then(|value| {
            Some(Zeroizing::new(
                std::str::from_utf8(&value.bytes).ok()?.to_owned(),
            ))
        }))
    }

    pub fn keep_pending_key(&self, kind: KeyKind, key: &str) -> Result<(), TlsError> {
        self.values
            .replace(&name_of(kind, "pending.pem"), Some(key.as_bytes()))
    }

    pub fn forget_pending_key(&self, kind: KeyKind) -> Result<(), TlsError> {
        self.forget(kind, "pending.pem")
    }

    /// Reads the answers of an order that was not completed. Answers that can't be read are none:
    /// the order fails then, and a new one is placed.
    pub fn answers(&self, kind: KeyKind) -> Option<OrderAnswers> {
        let value = self.values.get(&name_of(kind, ANSWERS)).ok()??;
        serde_json::from_slice(&value.bytes).ok()
    }

    pub fn keep_answers(&self, kind: KeyKind, answers: &OrderAnswers) -> Result<(), TlsError> {
        let text = serde_json::to_vec_pretty(answers).map_err(TlsError::json("the answers"))?;
        self.values.replace(&name_of(kind, ANSWERS), Some(&text))
    }

    pub fn forget_answers(&self, kind: KeyKind) -> Result<(), TlsError> {
        self.forget(kind, ANSWERS)
    }

    fn forget(&self, kind: KeyKind, what: &str) -> Result<(), TlsError> {
        self.values.replace(&name_of(kind, what), None)
    }

    pub fn account(&self, directory: &str) -> Result<Option<AccountCredentials>, TlsError> {
        // Versions before key ids bound it to the directory's URL.
        let read = self
            .master
            .read(&self.accounts, &account_name(directory), directory)?;
        let text = read.plain;
        // An account that can't be read counts as none; a new one is created.
        Ok(text.and_then(|text| serde_json::from_slice(&text).ok()))
    }

    pub fn keep_account(
        &self,
        directory: &str,
        account: &AccountCredentials,
    ) -> Result<(), TlsError> {
        let text =
            Zeroizing::new(serde_json::to_vec(account).map_err(TlsError::json("the account"))?);
        let name = account_name(directory);
        self.master
            .write(&self.accounts, &name, &text, PutIf::Always)
            .map(drop)
    }
}

fn name_of(kind: KeyKind, what: &str) -> String {
    format!("{}.{what}", kind.as_str())
}

/// Returns the name of a CA's account, by its directory's URL.
fn account_name(directory: &str) -> String {
    let hash = Sha256::digest(directory.as_bytes());
    let mark: String = hash
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("account-{mark}.sealed")
}

fn lost(now: i64) -> Record {
    Record {
        failures: 1,
        next_attempt: now + crate::acme::schedule::backoff(1),
        ..Record::default()
    }
}
