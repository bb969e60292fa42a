//! Certificate source with a local CA, for machines without a public name. The CA is in the data
//! folder; its key is loaded only to sign a leaf. A new CA is made only if the old one can't be
//! used, since clients would need the new `ca.pem`.

use crate::error::TlsError;
use crate::event::TlsEvent;
use crate::issue::{Authority, make_authority};
use crate::limits::{NAMES_MAX, RENEW_RETRY};
use crate::names::{Name, Permitted, machine};
use crate::root::keep_former;
use crate::settings::TlsSettings;
use crate::source::{CertificateSource, EventListener, Served, SourceChange};
use crate::state::{self, PUBLIC_MODE, SECRET_MODE};
use rustls::crypto::CryptoProvider;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tidegate_model::{Trust, error_chain};
use time::OffsetDateTime;

/// Reason of a new CA that was requested.
const ASKED_FOR: &str = "requested by `tidegate trust renew`";

/// Returns the path of a file that asks the next start for a new CA. Only its presence matters.
fn mark(keys: &Path) -> PathBuf {
    keys.join("renew")
}

/// Makes the next start on this data folder create a new local CA. For a running server use
/// [`crate::Identity::renew_ca`].
///
/// # Errors
/// If the folder can't be written.
pub fn renew_at_next_start(data: &Path) -> Result<(), TlsError> {
    let keys = TlsSettings::new(data).key_folder();
    state::private_folder(&keys)?;
    state::write_whole(&mark(&keys), b"", SECRET_MODE)
}

pub struct LocalCa {
    folder: PathBuf,
    /// Copy of the root certificate, for clients.
    ca: PathBuf,
    /// File with root, issuing CA and its key. They are one file, so that a crash can't leave a
    /// part of them.
    authority: PathBuf,
    /// File with leaf, issuing CA and the leaf's key, for the same reason.
    leaf: PathBuf,
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
        let folder = settings.key_folder();
        Ok(Self {
            ca: settings.local_ca_path(),
            authority: folder.join("authority.pem"),
            leaf: folder.join("leaf.pem"),
            folder,
            names,
            provider,
            retry_at: None,
        })
    }

    /// Loads the CA from disk.
    fn load(&self, now: OffsetDateTime) -> Result<Authority, TlsError> {
        Authority::parse(
            &state::read(&self.authority)?,
            &self.provider,
            now,
            &self.authority,
        )
    }

    /// Loads the CA from disk, or makes a new one if there is none or it can't be used.
    fn load_or_make(
        &self,
        now: OffsetDateTime,
        tell: EventListener<'_>,
    ) -> Result<Authority, TlsError> {
        let ca = self.ca.clone();
        match self.load(now) {
            Ok(found) => {
                let copy = state::read_if_there(&self.ca)?;
                if copy.is_none_or(|copy| copy.as_slice() != found.root_pem.as_bytes()) {
                    state::write_whole(&self.ca, found.root_pem.as_bytes(), PUBLIC_MODE)?;
                    tell(TlsEvent::CaRestored { ca });
                }
                Ok(found)
            }
            Err(TlsError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                // Read before the new `ca.pem` replaces it.
                let left_over = ca.exists();
                let made = self.make(now)?;
                tell(if left_over {
                    TlsEvent::CaRemade {
                        ca,
                        reason: "the old one's key was missing".to_owned(),
                    }
                } else {
                    TlsEvent::CaCreated { ca }
                });
                Ok(made)
            }
            // A file that can't be read is no reason to replace a CA that clients trust.
            Err(error @ TlsError::Io { .. }) => Err(error),
            Err(error) => {
                // The unusable file is kept for an investigation, in the same folder with the same
                // mode.
                let aside = self.authority.with_extension("unusable");
                std::fs::rename(&self.authority, &aside)
                    .map_err(TlsError::io("putting aside", &self.authority))?;
                let made = self.make(now)?;
                tell(TlsEvent::CaRemade {
                    ca,
                    reason: error_chain(&error),
                });
                Ok(made)
            }
        }
    }

    fn make(&self, now: OffsetDateTime) -> Result<Authority, TlsError> {
        let text = make_authority(now, &Permitted::at_first_start(machine(), &self.names))?;
        let made = Authority::parse(text.as_bytes(), &self.provider, now, &self.authority)?;
        keep_former(&self.folder, &self.ca)?;
        // The file with the key is written first. After a crash in between, the next start writes
        // `ca.pem` from it; until then no client trusts the CA.
        state::write_whole(&self.authority, text.as_bytes(), SECRET_MODE)?;
        state::write_whole(&self.ca, made.root_pem.as_bytes(), PUBLIC_MODE)?;
        Ok(made)
    }

    /// Replaces a CA that could still be used.
    fn remake(&self, now: OffsetDateTime, tell: EventListener<'_>) -> Result<Authority, TlsError> {
        let there = self.ca.exists();
        let made = self.make(now)?;
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
        let mark = mark(&self.folder);
        if !mark.exists() {
            return Ok(None);
        }
        let made = self.remake(now, tell)?;
        std::fs::remove_file(&mark).map_err(TlsError::io("removing", &mark))?;
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

    /// Returns the leaf on disk if this CA signed it, for these names, and it need not be renewed
    /// yet.
    fn kept_leaf(
        &self,
        authority: &Authority,
        names: &[Name],
        now: OffsetDateTime,
    ) -> Option<Served> {
        let text = state::read(&self.leaf).ok()?;
        let chain = authority.chain(&text, &self.leaf).ok()?;
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
        let chain = authority.chain(text.as_bytes(), &self.leaf)?;
        // Verified before it is written: a leaf that clients refuse must not replace a good one.
        chain.verify(authority.root(), &self.provider, now)?;
        state::write_whole(&self.leaf, text.as_bytes(), SECRET_MODE)?;
        Ok(Served {
            chain,
            trust: Trust::Local(self.ca.clone()),
        })
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
        state::private_folder(&self.folder)?;
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
