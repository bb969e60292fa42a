//! Whether a pair may be served: for the wanted names, in its time, ending in the roots that were
//! configured for its CA. Never looks at who else might believe it.

use crate::acme::failure::{Failure, Step};
use crate::acme::settings::{AcmeSettings, CaSettings};
use crate::chain::{Chain, mozilla_roots, roots};
use crate::error::TlsError;
use crate::state;
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use std::path::Path;
use std::sync::Arc;
use tidegate_model::Trust;
use time::OffsetDateTime;

pub struct Judge {
    public: RootCertStore,
    provider: Arc<CryptoProvider>,
}

impl Judge {
    pub fn new(provider: Arc<CryptoProvider>) -> Self {
        Self {
            public: mozilla_roots(),
            provider,
        }
    }

    /// Why clients may believe this chain, as far as any CA of the settings is concerned.
    pub fn trust(&self, chain: &Chain, acme: &AcmeSettings, now: OffsetDateTime) -> Trust {
        if chain.verify(&self.public, &self.provider, now).is_ok() {
            return Trust::Public;
        }
        let files = || acme.authorities.iter().filter_map(|ca| ca.roots.as_deref());
        let ends = |file: &&Path| self.ends_in(chain, file, now).is_ok();
        Trust::Private(files().find(ends).map(Path::to_path_buf))
    }

    /// Whether a chain of this CA may be served, and why clients may believe it.
    pub fn judge(
        &self,
        chain: &Chain,
        ca: &CaSettings,
        names: &[String],
        now: OffsetDateTime,
    ) -> Result<Trust, Failure> {
        let held = |error: TlsError| Failure::new(Step::Judge, error);
        if !carries_all(chain, names) {
            return Err(Failure::new(
                Step::Judge,
                format!("it is for {}", chain.names.join(", ")),
            ));
        }
        chain.check_dates(now).map_err(|error| match error {
            TlsError::NotYetValid(_) => Failure::new(
                Step::Judge,
                format!("{error}; is this machine's clock right?"),
            ),
            error => held(error),
        })?;
        let public = chain.verify(&self.public, &self.provider, now);
        let Some(file) = &ca.roots else {
            let told = |_| {
                Failure::new(
                    Step::Judge,
                    "the chain does not end in a root of Mozilla's list; \
                                                      for a CA of your own set acme.roots to its root certificate",
                )
            };
            return public.map(|()| Trust::Public).map_err(told);
        };
        self.ends_in(chain, file, now).map_err(held)?;
        Ok(if public.is_ok() {
            Trust::Public
        } else {
            Trust::Private(Some(file.clone()))
        })
    }

    fn ends_in(&self, chain: &Chain, file: &Path, now: OffsetDateTime) -> Result<(), TlsError> {
        chain.verify(&roots(&state::read(file)?, file)?, &self.provider, now)
    }
}

/// Whether the leaf carries every one of these names, as certificates spell them.
pub fn carries_all(chain: &Chain, names: &[String]) -> bool {
    names.iter().all(|name| chain.names.contains(name))
}
