//! Answers challenges while one order is under way, by whichever way was chosen. Never talks to the CA.

use crate::acme::failure::{Failure, Step};
use crate::acme::http01::Http01;
use crate::acme::settings::{AcmeSettings, ChallengeKind};
use instant_acme::KeyAuthorization;

/// One way, open for one order. Dropped, nothing is answered any more.
pub enum Solver {
    Http01(Http01),
}

impl Solver {
    pub fn open(kind: ChallengeKind, settings: &AcmeSettings) -> Result<Self, Failure> {
        match kind {
            ChallengeKind::Http01 => {
                Http01::open(&settings.http_listen).map(Self::Http01).map_err(Failure::at(Step::Challenge))
            }
        }
    }

    /// Makes the answer for one name.
    pub async fn answer(&mut self, _name: &str, token: &str, with: &KeyAuthorization) -> Result<(), Failure> {
        match self {
            Self::Http01(http) => {
                http.answer(token, with.as_str());
                Ok(())
            }
        }
    }

    /// Waits until all answers can be seen from outside.
    pub async fn settle(&mut self) -> Result<(), Failure> {
        match self {
            Self::Http01(_) => Ok(()),
        }
    }

    /// Takes back what is not taken back by dropping.
    pub async fn clean_up(&mut self) {
        match self {
            Self::Http01(_) => {}
        }
    }
}
