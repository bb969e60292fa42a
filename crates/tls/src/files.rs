//! Certificate and key from files that somebody else renews. Never writes them, and never takes a
//! pair that is half written, mismatched, expired or less trusted in the place of a good one.

use crate::chain::{Chain, mozilla_roots, roots};
use crate::error::TlsError;
use crate::event::TlsEvent;
use crate::limits::SETTLED_READS;
use crate::source::{Look, Served, Source, Tell};
use crate::state;
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use sha2::{Digest, Sha256};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tidegate_model::Trust;
use time::OffsetDateTime;
use zeroize::Zeroizing;

type Fingerprint = [u8; 32];

/// The pair as read at one moment.
struct Pair {
    certificate: Zeroizing<Vec<u8>>,
    key: Zeroizing<Vec<u8>>,
    fingerprint: Fingerprint,
}

pub struct Files {
    certificate: PathBuf,
    key: PathBuf,
    ca: Option<PathBuf>,
    provider: Arc<CryptoProvider>,
    /// The roots that everybody has.
    public: RootCertStore,
    /// The pair in use.
    taken: Option<Fingerprint>,
    /// What was last said about a pair that was not taken. It is judged again at every look (it may
    /// become valid, or its CA file may come), but the same is not said twice.
    refused: Option<(Fingerprint, String)>,
    /// What was last seen and how often in a row.
    seen: Option<(Fingerprint, u32)>,
    /// Whether the files could not be read at the last look.
    unreadable: bool,
}

impl Files {
    pub fn new(
        certificate: &Path,
        key: &Path,
        ca: Option<&Path>,
        provider: Arc<CryptoProvider>,
    ) -> Self {
        Self {
            certificate: certificate.to_path_buf(),
            key: key.to_path_buf(),
            ca: ca.map(Path::to_path_buf),
            provider,
            public: mozilla_roots(),
            taken: None,
            refused: None,
            seen: None,
            unreadable: false,
        }
    }

    /// By content, not by time stamp: a symlink swap may keep the time, and content is what we
    /// serve.
    fn read(&self) -> Result<Pair, TlsError> {
        let certificate = state::read(&self.certificate)?;
        let key = state::read(&self.key)?;
        let mut hash = Sha256::new();
        hash.update((certificate.len() as u64).to_be_bytes());
        hash.update(&*certificate);
        hash.update(&*key);
        Ok(Pair {
            certificate,
            key,
            fingerprint: hash.finalize().into(),
        })
    }

    /// Reads and judges a pair, whatever its dates.
    fn judge(&self, pair: &Pair, now: OffsetDateTime) -> Result<Served, TlsError> {
        let chain = Chain::from_pem(&pair.certificate, &pair.key, &self.certificate)?;
        if chain.verify(&self.public, &self.provider, now).is_ok() {
            return Ok(Served {
                chain,
                trust: Trust::Public,
            });
        }
        if let Some(ca) = &self.ca {
            chain.verify(&roots(&state::read(ca)?, ca)?, &self.provider, now)?;
        }
        Ok(Served {
            chain,
            trust: Trust::Private(self.ca.clone()),
        })
    }

    /// As [`Files::judge`], for a pair that would replace one: it must also be no step down.
    fn judge_successor(
        &self,
        pair: &Pair,
        now: OffsetDateTime,
        served: &Served,
    ) -> Result<Served, TlsError> {
        let successor = self.judge(pair, now)?;
        successor.chain.check_dates(now)?;
        if served.trust == Trust::Public && successor.trust != Trust::Public {
            return Err(TlsError::TrustWouldFall(successor.chain.names.join(", ")));
        }
        Ok(successor)
    }

    fn tell_if_exposed(&self, tell: Tell<'_>) {
        let mode = std::fs::metadata(&self.key).map_or(0, |meta| meta.permissions().mode() & 0o777);
        // Group reading is how services share keys (ssl-cert); the world's is never meant.
        if mode & 0o007 != 0 {
            tell(TlsEvent::KeyExposed {
                key: self.key.clone(),
                mode,
            });
        }
    }
}

impl Source for Files {
    fn open(&mut self, now: OffsetDateTime, tell: Tell<'_>) -> Result<Served, TlsError> {
        let pair = self.read()?;
        let served = self.judge(&pair, now)?;
        self.taken = Some(pair.fingerprint);
        // An expired certificate is served at start for want of a better one: clients then name the
        // cause themselves, and a renewed one is taken as soon as it is there.
        if let Err(error) = served.chain.check_dates(now) {
            tell(TlsEvent::ServingInvalid {
                reason: error.to_string(),
            });
        }
        self.tell_if_exposed(tell);
        Ok(served)
    }

    fn look(&mut self, now: OffsetDateTime, served: &Served, tell: Tell<'_>) -> Look {
        let pair = match self.read() {
            Ok(pair) => pair,
            // Told once: a file may be away for a moment while it is replaced, or for long.
            Err(error) => {
                let first = !std::mem::replace(&mut self.unreadable, true);
                return if first {
                    Look::Reject(error)
                } else {
                    Look::Same
                };
            }
        };
        self.unreadable = false;
        if self.taken == Some(pair.fingerprint) {
            (self.seen, self.refused) = (None, None);
            return Look::Same;
        }
        let times = match self.seen {
            Some((fingerprint, times)) if fingerprint == pair.fingerprint => {
                times.saturating_add(1)
            }
            _ => 1_u32,
        };
        self.seen = Some((pair.fingerprint, times));
        if times < SETTLED_READS {
            return Look::Same;
        }
        match self.judge_successor(&pair, now, served) {
            Ok(successor) => {
                self.taken = Some(pair.fingerprint);
                self.refused = None;
                self.tell_if_exposed(tell);
                Look::Replace(successor)
            }
            Err(error) => {
                let said = Some((pair.fingerprint, error.to_string()));
                if self.refused == said {
                    Look::Same
                } else {
                    self.refuse(said, error)
                }
            }
        }
    }

    fn trouble(&self) -> Option<String> {
        if self.unreadable {
            return Some(
                "the certificate files can't be read; the pair read before is served".to_owned(),
            );
        }
        let (_, reason) = self.refused.as_ref()?;
        Some(format!(
            "the certificate files hold a pair that is not taken, the old one stays: {reason}"
        ))
    }
}

impl Files {
    fn refuse(&mut self, said: Option<(Fingerprint, String)>, error: TlsError) -> Look {
        self.refused = said;
        Look::Reject(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::{TestCa, write_pair};

    /// Files whose certificate is publicly trusted, by a public CA that is ours.
    fn public(folder: &Path, ca: &TestCa, with_company_ca: bool) -> (Files, Served) {
        let (certificate, key, file) = write_pair(folder, ca, &ca.leaf(&["db.test"], -1, 30));
        let company = with_company_ca.then_some(file.as_path());
        let mut files = Files::new(&certificate, &key, company, crate::profile::provider());
        files.public = roots(ca.pem().as_bytes(), &file).unwrap();
        let served = files.open(OffsetDateTime::now_utc(), &|_| {}).unwrap();
        (files, served)
    }

    #[test]
    fn a_publicly_trusted_chain_is_public_wherever_it_came_from() {
        let folder = tempfile::tempdir().unwrap();
        for with_company_ca in [false, true] {
            let (_, served) = public(folder.path(), &TestCa::new("public"), with_company_ca);
            assert_eq!(served.trust, Trust::Public);
        }
    }

    #[test]
    fn a_chain_of_nobody_known_is_private_without_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let ca = TestCa::new("company");
        let (certificate, key, _) = write_pair(folder.path(), &ca, &ca.leaf(&["db.test"], -1, 30));
        let mut files = Files::new(&certificate, &key, None, crate::profile::provider());
        let served = files.open(OffsetDateTime::now_utc(), &|_| {}).unwrap();
        assert_eq!(served.trust, Trust::Private(None));
    }

    #[test]
    fn a_public_chain_gives_way_to_a_public_one_only() {
        let folder = tempfile::tempdir().unwrap();
        let ca = TestCa::new("public");
        let (mut files, served) = public(folder.path(), &ca, false);
        let mut look = |pair: &(String, String)| {
            write_pair(folder.path(), &ca, pair);
            let now = OffsetDateTime::now_utc();
            (0..SETTLED_READS)
                .map(|_| files.look(now, &served, &|_| {}))
                .last()
                .unwrap()
        };
        let private = TestCa::new("company").leaf(&["db.test"], -1, 60);
        assert!(matches!(
            look(&private),
            Look::Reject(TlsError::TrustWouldFall(_))
        ));
        assert!(matches!(
            look(&ca.leaf(&["db.test"], -1, 60)),
            Look::Replace(Served {
                trust: Trust::Public,
                ..
            })
        ));
    }
}
