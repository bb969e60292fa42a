//! Certificate source with a local CA, for machines without a public name. The CA is in the data
//! folder; its key is loaded only to sign a leaf. A new CA is made only if the old one can't be
//! used, since clients would need the new `ca.pem`.

use crate::error::TlsError;
use crate::event::TlsEvent;
use crate::issue::{Authority, make_authority};
use crate::limits::{NAMES_MAX, PUT_TRIES, RENEW_RETRY};
use crate::names::{Name, Permitted, machine};
use crate::root::keep_former;
use crate::settings::{KEYS, TlsSettings};
use crate::source::{CertificateSource, EventListener, Served, SourceChange};
use crate::state::{self, PUBLIC_MODE};
use crate::state_folder::StateFolder;
use rustls::crypto::CryptoProvider;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tidegate_model::{
    PutIf, StoredValue, TlsStateError, Trust, ValueVersion, ValueWatch, error_chain,
};
use time::OffsetDateTime;

/// Reason of a new CA that was requested.
const ASKED_FOR: &str = "requested by `tidegate trust renew`";

/// Value with root, issuing CA and its key. They are one value, so that a crash can't leave a part
/// of them.
const AUTHORITY: &str = "authority.pem";

/// Value with leaf, issuing CA and the leaf's key, for the same reason.
const LEAF: &str = "leaf.pem";

/// Value that keeps an authority that can't be used, for an investigation.
const UNUSABLE: &str = "authority.unusable";

/// Value that asks the next start for a new CA. Only its presence matters.
const MARK: &str = "renew";

/// Makes the next start on this data folder create a new local CA. For a running server use
/// [`crate::Identity::renew_ca`].
///
/// # Errors
/// If the folder can't be written.
pub fn renew_at_next_start(data: &Path) -> Result<(), TlsError> {
    let values = TlsSettings::new(data).values().folder(KEYS);
    values.replace(MARK, Some(b""))
}

pub struct LocalCa {
    /// Values of the keys.
    values: StateFolder,
    /// Folder for former roots, which clients may still trust.
    folder: PathBuf,
    /// Copy of the root certificate, for clients.
    ca: PathBuf,
    leaf_watch: Box<dyn ValueWatch>,
    names: Vec<Name>,
    provider: Arc<CryptoProvider>,
    /// Time of the next attempt after a failed renewal.
    retry_at: Option<OffsetDateTime>,
}

impl LocalCa {
    pub fn new(settings: &TlsSettings, provider: Arc<CryptoProvider>) -> Result<Self, TlsError> {
        let mut names = Name::loopback().to_vec();
        for text in &settings.names {
            let name = Name::parse(text)?;
            if !names.contains(&name) {
                names.push(name);
            }
        }
        if names.len() > NAMES_MAX {
            return Err(TlsError::TooManyNames(NAMES_MAX));
        }
        let values = settings.values().folder(KEYS);
        Ok(Self {
            leaf_watch: values.watch(LEAF),
            values,
            ca: settings.local_ca_path(),
            folder: settings.key_folder(),
            names,
            provider,
            retry_at: None,
        })
    }

    /// Parses a stored CA.
    fn parse(&self, stored: &StoredValue, now: OffsetDateTime) -> Result<Authority, TlsError> {
        Authority::parse(&stored.bytes, &self.provider, now, &self.shown(AUTHORITY))
    }

    /// Loads the stored CA.
    fn load(&self, now: OffsetDateTime) -> Result<Authority, TlsError> {
        let stored = self.values.get(AUTHORITY)?.ok_or(TlsError::NoLocalCa)?;
        self.parse(&stored, now)
    }

    /// Returns the name of a value as errors show it.
    fn shown(&self, name: &str) -> PathBuf {
        self.values.whole_name(name).into()
    }

    /// Loads the stored CA, or makes a new one if there is none or it can't be used.
    fn load_or_make(
        &self,
        now: OffsetDateTime,
        tell: EventListener<'_>,
    ) -> Result<Authority, TlsError> {
        let mut tries = 1;
        loop {
            match self.try_load_or_make(now, tell) {
                // Another process has made one at the same time. Clients have to trust one CA only.
                Err(TlsError::State(TlsStateError::Changed(_))) if tries < PUT_TRIES => tries += 1,
                done => return done,
            }
        }
    }

    fn try_load_or_make(
        &self,
        now: OffsetDateTime,
        tell: EventListener<'_>,
    ) -> Result<Authority, TlsError> {
        let ca = self.ca.clone();
        // A CA that can't be read is no reason to replace one that clients trust.
        let Some(stored) = self.values.get(AUTHORITY)? else {
            // Read before the new `ca.pem` replaces it.
            let left_over = ca.exists();
            let made = self.make(now, None)?;
            tell(if left_over {
                TlsEvent::CaRemade {
                    ca,
                    reason: "the old one's key was missing".to_owned(),
                }
            } else {
                TlsEvent::CaCreated { ca }
            });
            return Ok(made);
        };
        match self.parse(&stored, now) {
            Ok(found) => {
                let copy = state::read_if_there(&self.ca)?;
                if copy.is_none_or(|copy| copy.as_slice() != found.root_pem.as_bytes()) {
                    self.write_copy(&found)?;
                    tell(TlsEvent::CaRestored { ca });
                }
                Ok(found)
            }
            Err(error) => {
                self.values.replace(UNUSABLE, Some(&stored.bytes))?;
                let made = self.make(now, Some(stored.version))?;
                tell(TlsEvent::CaRemade {
                    ca,
                    reason: error_chain(&error),
                });
                Ok(made)
            }
        }
    }

    /// Makes a CA in the place of the stored one of this version.
    fn make(
        &self,
        now: OffsetDateTime,
        unchanged: Option<ValueVersion>,
    ) -> Result<Authority, TlsError> {
        let text = make_authority(now, &Permitted::at_first_start(machine(), &self.names))?;
        let shown = self.shown(AUTHORITY);
        let made = Authority::parse(text.as_bytes(), &self.provider, now, &shown)?;
        // The value with the key is written first. After a crash in between, the next start writes
        // `ca.pem` from it; until then no client trusts the CA.
        self.values.put(
            AUTHORITY,
            Some(text.as_bytes()),
            PutIf::Unchanged(unchanged),
        )?;
        self.write_copy(&made)?;
        Ok(made)
    }

    /// Writes `ca.pem`, for programs of this machine, and keeps the root that was there before.
    fn write_copy(&self, authority: &Authority) -> Result<(), TlsError> {
        // `ca.pem` is no value of the store, so it is locked here against another process.
        state::private_folder(&self.folder)?;
        let _locked = state::lock_folder(&self.folder);
        let pem = authority.root_pem.as_bytes();
        let copy = state::read_if_there(&self.ca)?;
        if copy.is_some_and(|copy| copy.as_slice() == pem) {
            return Ok(());
        }
        keep_former(&self.folder, &self.ca)?;
        state::write_whole(&self.ca, pem, PUBLIC_MODE)
    }

    /// Replaces a CA that could still be used.
    fn remake(&self, now: OffsetDateTime, tell: EventListener<'_>) -> Result<Authority, TlsError> {
        let there = self.ca.exists();
        let stored = self.values.get(AUTHORITY)?;
        let made = self.make(now, stored.map(|stored| stored.version))?;
        let ca = self.ca.clone();
        tell(if there {
            TlsEvent::CaRemade {
                ca,
                reason: ASKED_FOR.to_owned(),
            }
        } else {
            TlsEvent::CaCreated { ca }
        });
        Ok(made)
    }

    /// Makes a new CA if that was requested while no server ran. The request is deleted last: a
    /// crash before that makes one more CA, and no client has seen the first one.
    fn remake_if_asked(
        &self,
        now: OffsetDateTime,
        tell: EventListener<'_>,
    ) -> Result<Option<Authority>, TlsError> {
        if self.values.get(MARK)?.is_none() {
            return Ok(None);
        }
        let made = self.remake(now, tell)?;
        self.values.replace(MARK, None)?;
        Ok(Some(made))
    }

    /// Returns the configured names that this CA may sign, and reports the others.
    fn permitted(&self, authority: &Authority, tell: EventListener<'_>) -> Vec<Name> {
        let (allowed, left_out): (Vec<_>, Vec<_>) = self
            .names
            .iter()
            .cloned()
            .partition(|name| authority.permitted.allows(name));
        for name in left_out {
            tell(TlsEvent::NameLeftOut {
                name: name.to_string(),
            });
        }
        allowed
    }

    /// Returns the stored leaf if this CA signed it, for these names, and it need not be renewed
    /// yet.
    fn kept_leaf(
        &self,
        authority: &Authority,
        names: &[Name],
        now: OffsetDateTime,
    ) -> Option<Served> {
        let stored = self.values.get(LEAF).ok()??;
        let chain = authority.chain(&stored.bytes, &self.shown(LEAF)).ok()?;
        chain.check_dates(now).ok()?;
        chain.verify(authority.root(), &self.provider, now).ok()?;
        let mut wanted: Vec<String> = names.iter().map(Name::to_string).collect();
        let mut carried = chain.names.clone();
        wanted.sort_unstable();
        carried.sort_unstable();
        let served = Served {
            chain,
            trust: Trust::Local(self.ca.clone()),
        };
        (wanted == carried && now < renew_at(&served)).then_some(served)
    }

    fn new_leaf(
        &self,
        authority: &Authority,
        names: &[Name],
        now: OffsetDateTime,
    ) -> Result<Served, TlsError> {
        let now = authority.no_earlier(now);
        let text = authority.issue(names, now)?;
        let chain = authority.chain(text.as_bytes(), &self.shown(LEAF))?;
        // Verified before it is written: a leaf that clients refuse must not replace a good one.
        chain.verify(authority.root(), &self.provider, now)?;
        self.values.replace(LEAF, Some(text.as_bytes()))?;
        Ok(Served {
            chain,
            trust: Trust::Local(self.ca.clone()),
        })
    }

    /// Returns the leaf that another process has stored since the last call.
    fn changed_leaf(&mut self, now: OffsetDateTime, served: &Served) -> Option<Served> {
        if !self.leaf_watch.has_changed() {
            return None;
        }
        let authority = self.load(now).ok()?;
        let names = self.permitted(&authority, &|_| {});
        let kept = self.kept_leaf(&authority, &names, now)?;
        let is_new = kept.chain.certified.cert != served.chain.certified.cert;
        is_new.then_some(kept)
    }

    fn renew(&self, now: OffsetDateTime) -> Result<Served, TlsError> {
        let authority = self.load(now)?;
        // Names that are left out were reported at the start.
        let names = self.permitted(&authority, &|_| {});
        self.new_leaf(&authority, &names, now)
    }
}

/// Returns the time to renew a leaf: after two thirds of its life.
fn renew_at(served: &Served) -> OffsetDateTime {
    let chain = &served.chain;
    chain.not_before + (chain.not_after - chain.not_before) / 3 * 2
}

impl CertificateSource for LocalCa {
    fn open(&mut self, now: OffsetDateTime, tell: EventListener<'_>) -> Result<Served, TlsError> {
        let authority = match self.remake_if_asked(now, tell)? {
            Some(made) => made,
            None => self.load_or_make(now, tell)?,
        };
        let names = self.permitted(&authority, tell);
        match self.kept_leaf(&authority, &names, now) {
            Some(kept) => Ok(kept),
            None => self.new_leaf(&authority, &names, now),
        }
    }

    fn poll(
        &mut self,
        now: OffsetDateTime,
        served: &Served,
        _tell: EventListener<'_>,
    ) -> SourceChange {
        if let Some(changed) = self.changed_leaf(now, served) {
            return SourceChange::Replace(changed);
        }
        if now < renew_at(served) || self.retry_at.is_some_and(|at| now < at) {
            return SourceChange::Unchanged;
        }
        match self.renew(now) {
            Ok(renewed) => {
                self.retry_at = None;
                SourceChange::Replace(renewed)
            }
            Err(error) => {
                self.retry_at = Some(now + RENEW_RETRY);
                SourceChange::Reject(error)
            }
        }
    }

    fn renew_ca(
        &mut self,
        now: OffsetDateTime,
        tell: EventListener<'_>,
    ) -> Result<Served, TlsError> {
        let authority = self.remake(now, tell)?;
        self.new_leaf(&authority, &self.permitted(&authority, tell), now)
    }
}
