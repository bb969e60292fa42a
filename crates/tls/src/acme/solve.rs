//! Answers the challenges of one order. Never talks to the CA.

use crate::acme::alpn01::Alpn01;
use crate::acme::dns01::Dns01;
use crate::acme::failure::{Failure, Step};
use crate::acme::http01::Http01;
use crate::acme::settings::{AcmeSettings, ChallengeKind};
use instant_acme::KeyAuthorization;

/// Solver of one order's challenges. When it is dropped, nothing is answered any more.
pub enum Solver {
    Http01(Http01),
    Alpn01(Alpn01),
    Dns01(Dns01),
}

impl Solver {
    pub async fn open(kind: ChallengeKind, settings: &AcmeSettings) -> Result<Self, Failure> {
        let at = Failure::at(Step::Challenge);
        match kind {
            ChallengeKind::Http01 => settings.shared.http().await.map(Self::Http01).map_err(at),
            ChallengeKind::TlsAlpn01 => settings.shared.alpn().await.map(Self::Alpn01).map_err(at),
            ChallengeKind::Dns01 => Dns01::open(settings.dns.as_ref()).map(Self::Dns01),
        }
    }

    /// Answers the challenge of one name.
    pub async fn answer(
        &mut self,
        name: &str,
        token: &str,
        with: &KeyAuthorization,
    ) -> Result<(), Failure> {
        match self {
            Self::Http01(http) => {
                http.answer(token, with.as_str());
                Ok(())
            }
            Self::Alpn01(alpn) => {
                let digest = <[u8; 32]>::try_from(with.digest().as_ref());
                alpn.answer(name, &digest.map_err(Failure::at(Step::Challenge))?)
            }
            Self::Dns01(dns) => dns.answer(name, &with.dns_value()).await,
        }
    }

    /// Waits until all answers are visible to the CA.
    pub async fn settle(&mut self) -> Result<(), Failure> {
        match self {
            Self::Http01(_) | Self::Alpn01(_) => Ok(()),
            Self::Dns01(dns) => dns.settle().await,
        }
    }

    /// Removes answers that dropping does not remove: DNS records.
    pub async fn clean_up(&mut self) {
        if let Self::Dns01(dns) = self {
            dns.clean_up().await;
        }
    }
}
