//! Answers the challenges of one order. Never talks to the CA.

use crate::acme::alpn01::Alpn01;
use crate::acme::answers::{ChallengeAnswer, OrderAnswers};
use crate::acme::dns01::Dns01;
use crate::acme::failure::{Failure, Step};
use crate::acme::http01::Http01;
use crate::acme::key::KeyKind;
use crate::acme::settings::{AcmeSettings, ChallengeKind};
use crate::acme::store::AcmeFiles;
use instant_acme::KeyAuthorization;
use sha2::{Digest, Sha256};

enum Way {
    Http01(Http01),
    Alpn01(Alpn01),
    Dns01(Dns01),
}

/// Answers that are stored before the CA is told, and the place for them.
struct Stored {
    store: AcmeFiles,
    kind: KeyKind,
    answers: OrderAnswers,
}

/// Solver of one order's challenges. When it is dropped, nothing is answered any more.
pub struct Solver {
    way: Way,
    stored: Option<Stored>,
}

impl Solver {
    pub async fn open(kind: ChallengeKind, settings: &AcmeSettings) -> Result<Self, Failure> {
        let at = Failure::at(Step::Challenge);
        let way = match kind {
            ChallengeKind::Http01 => settings.shared.http().await.map(Way::Http01).map_err(at),
            ChallengeKind::TlsAlpn01 => settings.shared.alpn().await.map(Way::Alpn01).map_err(at),
            ChallengeKind::Dns01 => Dns01::open(settings.dns.as_ref()).map(Way::Dns01),
        };
        Ok(Self {
            way: way?,
            stored: None,
        })
    }

    /// Opens a solver that gives the answers which an earlier process stored.
    pub async fn restore(
        kind: ChallengeKind,
        settings: &AcmeSettings,
        answers: &OrderAnswers,
    ) -> Result<Self, Failure> {
        let mut solver = Self::open(kind, settings).await?;
        for answer in &answers.answers {
            solver.answer_at_port(answer)?;
        }
        Ok(solver)
    }

    /// Has the answers stored for the order with this URL. Those of DNS-01 are in the DNS.
    pub fn store_answers(&mut self, store: &AcmeFiles, kind: KeyKind, order: &str) {
        let challenge = match self.way {
            Way::Http01(_) => ChallengeKind::Http01,
            Way::Alpn01(_) => ChallengeKind::TlsAlpn01,
            Way::Dns01(_) => return,
        };
        self.stored = Some(Stored {
            store: store.clone(),
            kind,
            answers: OrderAnswers {
                order: order.to_owned(),
                challenge: challenge.as_str().to_owned(),
                answers: Vec::new(),
            },
        });
    }

    /// Answers the challenge of one name.
    pub async fn answer(
        &mut self,
        name: &str,
        token: &str,
        with: &KeyAuthorization,
    ) -> Result<(), Failure> {
        if let Way::Dns01(dns) = &mut self.way {
            return dns.answer(name, &with.dns_value()).await;
        }
        let answer = ChallengeAnswer {
            name: name.to_owned(),
            token: token.to_owned(),
            key_authorization: with.as_str().to_owned(),
        };
        self.answer_at_port(&answer)?;
        if let Some(stored) = &mut self.stored {
            stored.answers.answers.push(answer);
        }
        Ok(())
    }

    fn answer_at_port(&mut self, answer: &ChallengeAnswer) -> Result<(), Failure> {
        match &mut self.way {
            Way::Http01(http) => {
                http.answer(&answer.token, &answer.key_authorization);
                Ok(())
            }
            Way::Alpn01(alpn) => {
                let digest = Sha256::digest(answer.key_authorization.as_bytes());
                alpn.answer(&answer.name, &digest.into())
            }
            Way::Dns01(_) => Ok(()),
        }
    }

    /// Waits until all answers are visible to the CA.
    pub async fn settle(&mut self) -> Result<(), Failure> {
        if let Some(Stored {
            store,
            kind,
            answers,
        }) = &self.stored
        {
            // Without this, only a restart in the middle of the validation ends the order.
            let _ = store.keep_answers(*kind, answers);
        }
        match &mut self.way {
            Way::Http01(_) | Way::Alpn01(_) => Ok(()),
            Way::Dns01(dns) => dns.settle().await,
        }
    }

    /// Removes answers that dropping does not remove: DNS records.
    pub async fn clean_up(&mut self) {
        if let Way::Dns01(dns) = &mut self.way {
            dns.clean_up().await;
        }
    }
}
