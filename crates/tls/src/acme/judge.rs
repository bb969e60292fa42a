//! Decides whether a pair may be served: it carries the wanted names, is valid now, and leads to
//! the roots that are configured for its CA.

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

/// Reason for a chain that no root of Mozilla's list has signed, at a CA without configured roots.
const NO_PUBLIC_ROOT: &str = "the chain does not lead to a root of Mozilla's list; \
    hint: for a private CA set acme.roots to its root certificate";

/// Judge of issued and imported chains.
pub struct ChainJudge {
    public: RootCertStore,
    provider: Arc<CryptoProvider>,
}

impl ChainJudge {
    pub fn new(provider: Arc<CryptoProvider>) -> Self {
        Self {
            public: mozilla_roots(),
            provider,
        }
    }

    /// Returns the trust that a chain of any configured CA deserves.
    pub fn trust(&self, chain: &Chain, acme: &AcmeSettings, now: OffsetDateTime) -> Trust {
        if chain.verify(&self.public, &self.provider, now).is_ok() {
            return Trust::Public;
        }
        let files = || acme.authorities.iter().filter_map(|ca| ca.roots.as_deref());
        let ends = |file: &&Path| self.ends_in(chain, file, now).is_ok();
        Trust::Private(files().find(ends).map(Path::to_path_buf))
    }

    /// Checks that a chain of this CA may be served, and returns its trust.
    pub fn judge_chain(
        &self,
        chain: &Chain,
        ca: &CaSettings,
        names: &[String],
        now: OffsetDateTime,
    ) -> Result<Trust, Failure> {
        if !carries_all(chain, names) {
            return Err(Failure::new(
                Step::Judge,
                format!("the certificate is for {}", chain.names.join(", ")),
            ));
        }
        chain.check_dates(now).map_err(|error| match error {
            TlsError::NotYetValid(_) => Failure::new(
                Step::Judge,
                format!("{error}; hint: check this machine's clock"),
            ),
            error => Failure::caused(Step::Judge, &error),
        })?;
        let public = chain.verify(&self.public, &self.provider, now);
        // Without configured roots clients have no file for the CA, so its chain must be public.
        let Some(file) = &ca.roots else {
            return public
                .map(|()| Trust::Public)
                .map_err(|_| Failure::new(Step::Judge, NO_PUBLIC_ROOT));
        };
        self.ends_in(chain, file, now)
            .map_err(Failure::at(Step::Judge))?;
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

/// Whether the leaf carries all of these names, as certificates spell them.
pub fn carries_all(chain: &Chain, names: &[String]) -> bool {
    names.iter().all(|name| chain.names.contains(name))
}
