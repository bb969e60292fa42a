//! Identified: we know what name and what proof came. Now the password is judged, before anything is woken.
//!
//! Unknown prefix, unknown user and wrong password run the same look-ups and hashes, and are answered with the same
//! text at the same moments.

use super::authenticated::Authenticated;
use super::secured::Secured;
use super::{Facts, refuse};
use crate::limits;
use crate::source::{Place, Source};
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
        if self.guesses_enough() {
            return Err(self.deny(Refusal::because(RefusalKind::NotJudged, "too many failed logins wait")).await);
        }
        let judge = Judge { shared: &shared, salt: &self.secured.salt, client: self.secured.client.ip() };
        let (verdict, detail) = judge.judge(&self.name, &self.login, self.credential_came).await;
        facts.cluster = detail.cluster;
        facts.cluster_name = detail.cluster_name;
        match verdict {
            Verdict::Proven(proven) => {
                facts.user = Some(proven.user.clone());
                shared.failures.yes(self.source(), &self.login.user);
                Ok(Authenticated { identified: self, proven, proved: Instant::now() })
            }
            Verdict::Denied(why) => Err(self.deny(Refusal::because(RefusalKind::AccessDenied, why)).await),
            Verdict::NotJudged(why) => Err(self.deny(Refusal::because(RefusalKind::NotJudged, why)).await),
        }
    }

    fn source(&self) -> Source {
        self.secured.client.ip().into()
    }

    /// Whether this one goes unjudged: its source has failed under this very name again and again, and waits for all
    /// the noes that it may wait for at once. Names that exist and names that don't are alike here.
    fn guesses_enough(&self) -> bool {
        self.secured.place.as_ref().is_some_and(Place::late_full)
            && self.secured.shared.failures.suspected(self.source(), &self.login.user)
    }

    /// Every no of this stage goes out at a multiple of the tick after the credential came, so that its time says
    /// nothing about its cause. After several failures it is a later one: the place among the unproven is held until
    /// then, even if the client does not wait.
    pub async fn deny(mut self, refusal: Refusal) -> Ending {
        let tick = limits::DENIAL_TICK.as_millis().max(1);
        let ticks = self.credential_came.elapsed().as_millis() / tick + 1;
        let mut ticks = u32::try_from(ticks).unwrap_or(u32::MAX);
        if refusal.kind == RefusalKind::AccessDenied {
            let late = self.secured.shared.failures.no(self.source(), &self.login.user);
            if late > 1
                && let Some(place) = &mut self.secured.place
            {
                place.wait_late();
            }
            ticks = ticks.max(late);
        }
        tokio::time::sleep_until(self.credential_came + limits::DENIAL_TICK.saturating_mul(ticks)).await;
        refuse(&mut *self.secured.tls, self.login.next_seq, refusal, &self.secured.shared.settings.wording).await
    }
}
