//! Identified: we know what name and what proof came. Now the password is judged, before anything
//! is woken.
//!
//! Unknown prefix, unknown user and wrong password run the same look-ups and hashes, and are
//! answered with the same text at the same moments.

use super::authenticated::Authenticated;
use super::refuse;
use super::secured::Secured;
use crate::attempt::Attempt;
use crate::limits;
use crate::verdict::{Judge, Verdict};
use tidegate_model::journal::{ConnectionFacts, Ending};
use tidegate_model::{LoginName, Refusal, RefusalKind};
use tidegate_wire::server::Login;
use tokio::time::Instant;

pub(crate) struct Identified {
    pub secured: Secured,
    pub login: Login,
    pub name: LoginName,
    pub credential_came: Instant,
    /// Ticks after which a refusal is sent at the earliest: more than one after several failures.
    pub late: u32,
}

impl Identified {
    pub async fn authenticate(
        mut self,
        facts: &mut ConnectionFacts,
    ) -> Result<Authenticated, Ending> {
        let shared = self.secured.shared.clone();
        let (salt, client) = (self.secured.salt, self.secured.client.ip());
        let judge = Judge {
            shared: &shared,
            salt: &salt,
            client,
        };
        let mut attempt = Attempt {
            failures: &shared.failures,
            client,
            name: &self.login.user,
            place: self.secured.place.as_mut(),
            came: self.credential_came,
            recovered_by: self.secured.accepted + limits::RECOVERED_AFTER_ACCEPT,
            late: 0,
        };
        let (verdict, detail) = judge.judge(&self.name, &self.login, &mut attempt).await;
        self.late = attempt.late;
        facts.cluster = detail.cluster;
        facts.cluster_name = detail.cluster_name;
        match verdict {
            Verdict::Proven(proven) => {
                facts.user = Some(proven.user.clone());
                Ok(Authenticated {
                    identified: self,
                    proven,
                    proved: Instant::now(),
                })
            }
            Verdict::Denied(why) => Err(self
                .deny(Refusal::because(RefusalKind::AccessDenied, why))
                .await),
            Verdict::NotJudged(why) => Err(self
                .deny(Refusal::because(RefusalKind::NotJudged, why))
                .await),
        }
    }

    /// The engine did not take a password that was believed.
    pub fn count_mismatch(&mut self) {
        self.late = self
            .secured
            .shared
            .failures
            .add(self.secured.client.ip(), &self.login.user);
    }

    /// The engine took the password.
    pub fn forgive(&self) {
        self.secured
            .shared
            .failures
            .forgive(self.secured.client.ip(), &self.login.user);
    }

    /// Every no of this stage goes out at a multiple of the tick after the credential came, so that
    /// its time says nothing about its cause. After several failures it is a later one: the place
    /// among the unproven is held until then, even if the client does not wait.
    pub async fn deny(mut self, refusal: Refusal) -> Ending {
        let tick = limits::DENIAL_TICK.as_millis().max(1);
        let ticks = self.credential_came.elapsed().as_millis() / tick + 1;
        let ticks = u32::try_from(ticks).unwrap_or(u32::MAX).max(self.late);
        tokio::time::sleep_until(self.credential_came + limits::DENIAL_TICK.saturating_mul(ticks))
            .await;
        refuse(
            &mut *self.secured.tls,
            self.login.next_seq,
            refusal,
            &self.secured.shared.settings.wording,
        )
        .await
    }
}
