//! Answers of an order's challenges, in a form that can be stored: a validator that asks after a
//! restart of the server must get its answer, or the order fails.

use crate::acme::settings::ChallengeKind;
use serde::{Deserialize, Serialize};

/// Answer of one challenge. Every validator may read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChallengeAnswer {
    /// The name to prove, as TLS-ALPN-01 is asked for it: an address has the form of RFC 8738.
    pub name: String,
    pub token: String,
    pub key_authorization: String,
}

/// Answers of one order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderAnswers {
    /// URL of the order.
    pub order: String,
    /// The challenge, as RFC 8555 spells it.
    pub challenge: String,
    pub answers: Vec<ChallengeAnswer>,
}

impl OrderAnswers {
    /// Returns the challenge, if it is one of these.
    pub fn challenge_of(&self, kinds: &[ChallengeKind]) -> Option<ChallengeKind> {
        let mut kinds = kinds.iter().copied();
        kinds.find(|kind| kind.as_str() == self.challenge)
    }
}
