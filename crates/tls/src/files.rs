//! Certificate source for files that another program renews. Never writes them, and never replaces
//! a good pair by one that is half written, mismatched, expired or less trusted.

use crate::chain::{Chain, mozilla_roots, roots};
use crate::error::TlsError;
use crate::event::TlsEvent;
use crate::limits::SETTLED_READS;
use crate::source::{CertificateSource, EventListener, Served, SourceChange};
use crate::state;
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use sha2::{Digest, Sha256};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tidegate_model::{Trust, error_chain};
use time::OffsetDateTime;
use zeroize::Zeroizing;

type Fingerprint = [u8; 32];

/// Certificate and key as they were read at one moment.
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
    /// Mozilla's roots, which every client has.
    public: RootCertStore,
    /// Fingerprint of the pair in use.
    taken: Option<Fingerprint>,
    /// The last rejected pair and the reason. It is judged again at every poll, since it may become
    /// valid or its CA file may arrive, but the same reason is reported once.
    refused: Option<(Fingerprint, String)>,
    /// The last pair that was read, and how often in a row.
    seen: Option<(Fingerprint, u32)>,
    /// Whether the last poll could not read the files.
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

    /// Reads both files. Changes are found by content and not by time stamp, because the swap of a
    /// symbolic link may keep the time.
    fn read(&self) -> Result<Pair, TlsError> {
        let certificate = state::read(&self.certificate)?;
        let key = state::read(&self.key)?;
        let mut hash = Sha256::new();
        // With the length, bytes can't move from one file to the other without changing the hash.
        hash.update((certificate.len() as u64).to_be_bytes());
        hash.update(&*certificate);
        hash.update(&*key);
        Ok(Pair {
            certificate,
            key,
            fingerprint: hash.finalize().into(),
        })
    }

    /// Checks that a pair can be served, whatever its dates, and returns it with its trust.
    fn check_pair(&self, pair: &Pair, now: OffsetDateTime) -> Result<Served, TlsError> {
        let chain = Chain::from_pem(&pair.certificate, &pair.key, &self.certificate)?;
        // Mozilla's roots first: clients of a publicly trusted chain need no CA file.
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

    /// Checks a pair that would replace the current one: it must also be valid now, and trusted as
    /// widely.
    fn check_successor(
        &self,
        pair: &Pair,
        now: OffsetDateTime,
        served: &Served,
    ) -> Result<Served, TlsError> {
        let successor = self.check_pair(pair, now)?;
        successor.chain.check_dates(now)?;
        if served.trust == Trust::Public && successor.trust != Trust::Public {
            return Err(TlsError::TrustWouldFall(successor.chain.names.join(", ")));
        }
        Ok(successor)
    }

    fn tell_if_exposed(&self, tell: EventListener<'_>) {
        let mode = std::fs::metadata(&self.key).map_or(0, |meta| meta.permissions().mode() & 0o777);
        // Read access for a group is intended (Debian's group ssl-cert shares keys so); access for
        // everybody is not.
        if mode & 0o007 != 0 {
            tell(TlsEvent::KeyExposed {
                key: self.key.clone(),
                mode,
            });
        }
    }
}

impl CertificateSource for Files {
    fn open(&mut self, now: OffsetDateTime, tell: EventListener<'_>) -> Result<Served, TlsError> {
        let pair = self.read()?;
        let served = self.check_pair(&pair, now)?;
        self.taken = Some(pair.fingerprint);
        // At the start an expired certificate is served, since there is no better one: clients then
        // report the cause, and a renewed pair replaces it as soon as it arrives.
        if let Err(error) = served.chain.check_dates(now) {
            tell(TlsEvent::ServingInvalid {
                reason: error_chain(&error),
            });
        }
        self.tell_if_exposed(tell);
        Ok(served)
    }

    fn poll(
        &mut self,
        now: OffsetDateTime,
        served: &Served,
        tell: EventListener<'_>,
    ) -> SourceChange {
        let pair = match self.read() {
            Ok(pair) => pair,
            // Reported once: a file may be missing for a moment while it is replaced, or for long.
            Err(error) => {
                let first = !std::mem::replace(&mut self.unreadable, true);
                return if first {
                    SourceChange::Reject(error)
                } else {
                    SourceChange::Unchanged
                };
            }
        };
        self.unreadable = false;
        if self.taken == Some(pair.fingerprint) {
            // The files are the current pair again, so an earlier rejection is over.
            (self.seen, self.refused) = (None, None);
            return SourceChange::Unchanged;
        }
        let times = match self.seen {
            Some((fingerprint, times)) if fingerprint == pair.fingerprint => {
                times.saturating_add(1)
            }
            _ => 1_u32,
        };
        self.seen = Some((pair.fingerprint, times));
        // Two files can't be replaced at once, so a pair must stay the same before it is judged.
        if times < SETTLED_READS {
            return SourceChange::Unchanged;
        }
        match self.check_successor(&pair, now, served) {
            Ok(successor) => {
                self.taken = Some(pair.fingerprint);
                self.refused = None;
                self.tell_if_exposed(tell);
                SourceChange::Replace(successor)
            }
            Err(error) => {
                let said = Some((pair.fingerprint, error_chain(&error)));
                if self.refused == said {
                    SourceChange::Unchanged
                } else {
                    self.refuse(said, error)
                }
            }
        }
    }

    fn trouble(&self) -> Option<String> {
        if self.unreadable {
            return Some(
                "the certificate files can't be read; the current pair stays in use".to_owned(),
            );
        }
        let (_, reason) = self.refused.as_ref()?;
        Some(format!(
            "the pair in the certificate files was rejected, the current one stays in use: {reason}"
        ))
    }
}

impl Files {
    fn refuse(&mut self, said: Option<(Fingerprint, String)>, error: TlsError) -> SourceChange {
        self.refused = said;
        SourceChange::Reject(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::{TestCa, write_pair};

    /// Opens files whose certificate is publicly trusted, with the test's CA in place of Mozilla's.
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

    /// Polls until a change of the files is considered settled.
    fn poll_settled(files: &mut Files, served: &Served) -> SourceChange {
        let now = OffsetDateTime::now_utc();
        (0..SETTLED_READS)
            .map(|_| files.poll(now, served, &|_| {}))
            .last()
            .unwrap()
    }

    #[test]
    fn a_public_chain_gives_way_to_a_public_one_only() {
        let folder = tempfile::tempdir().unwrap();
        let ca = TestCa::new("public");
        let (mut files, served) = public(folder.path(), &ca, false);
        let private = TestCa::new("company").leaf(&["db.test"], -1, 60);
        write_pair(folder.path(), &ca, &private);
        assert!(matches!(
            poll_settled(&mut files, &served),
            SourceChange::Reject(TlsError::TrustWouldFall(_))
        ));
        write_pair(folder.path(), &ca, &ca.leaf(&["db.test"], -1, 60));
        assert!(matches!(
            poll_settled(&mut files, &served),
            SourceChange::Replace(Served {
                trust: Trust::Public,
                ..
            })
        ));
    }
}
