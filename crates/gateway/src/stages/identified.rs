//! Identified: we know what name and what proof came. Now the password is judged, before anything is woken.
//!
//! Unknown prefix, unknown user and wrong password run the same look-ups and hashes, and are answered with the same
//! text at the same moments.

use super::authenticated::Authenticated;
use super::secured::Secured;
use super::{Facts, refuse};
use crate::limits;
use crate::verdict::{Judge, Verdict};
use tidegate_model::journal::Ending;
use tidegate_model::{LoginName, Refusal, RefusalKind};
use tidegate_wire::server::Login;
use tokio::time::{Instant, timeout_at};

pub(crate) struct Identified {
    pub secured: Secured,
    pub login: Login,
    pub name: LoginName,
    pub credential_came: Instant,
}

impl Identified {
    pub async fn authenticate(self, facts: &mut Facts) -> Result<Authenticated, Ending> {
        let shared = self.secured.shared.clone();
        let until = self.secured.accepted + limits::READY_AFTER_ACCEPT;
        if timeout_at(until, shared.directory.ready()).await.is_err() {
            return Err(self.deny(Refusal::because(RefusalKind::NotJudged, "the recovery pass has not ended")).await);
        }
        let judge = Judge { shared: &shared, salt: &self.secured.salt, client: self.secured.client.ip() };
        let (verdict, detail) = judge.judge(&self.name, &self.login, self.credential_came).await;
        facts.cluster = detail.cluster;
        facts.cluster_name = detail.cluster_name;
        match verdict {
            Verdict::Proven(proven) => {
                facts.user = Some(proven.user.clone());
                Ok(Authenticated { identified: self, proven, proved: Instant::now() })
            }
            Verdict::Denied(why) => Err(self.deny(Refusal::because(RefusalKind::AccessDenied, why)).await),
            Verdict::NotJudged(why) => Err(self.deny(Refusal::because(RefusalKind::NotJudged, why)).await),
        }
    }

    /// Every no of this stage goes out at a multiple of the tick after the credential came, so that its time says
    /// nothing about its cause.
    pub async fn deny(mut self, refusal: Refusal) -> Ending {
        let tick = limits::DENIAL_TICK.as_millis().max(1);
        let ticks = self.credential_came.elapsed().as_millis() / tick + 1;
        let ticks = u32::try_from(ticks).unwrap_or(u32::MAX);
        tokio::time::sleep_until(self.credential_came + limits::DENIAL_TICK.saturating_mul(ticks)).await;
        refuse(&mut *self.secured.tls, self.login.next_seq, refusal, &self.secured.shared.settings.wording).await
    }
}
