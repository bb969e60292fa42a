//! Answers after a restart: the CA's validation of an order that an earlier process placed goes on,
//! and fails for good if nobody answers.

use crate::acme::answers::OrderAnswers;
use crate::acme::host::Host;
use crate::acme::key::KeyKind;
use crate::acme::manager::Manager;
use crate::acme::record::Record;
use crate::acme::settings::ChallengeKind;
use crate::acme::solve::Solver;
use crate::lock::locked;

impl Manager {
    /// Answers the challenges of pending orders, until the next attempt of each.
    pub(super) async fn restore_answers(&self, host: &dyn Host) {
        for kind in self.kinds() {
            let record = self.store.record(*kind, host.now().unix_timestamp());
            let Some((challenge, answers)) = self.pending_answers(*kind, &record) else {
                continue;
            };
            // An error, such as a port in use, is reported by the next attempt.
            if let Ok(solver) = Solver::restore(challenge, &self.settings, &answers).await {
                locked(&self.restored).insert(*kind, solver);
            }
        }
    }

    /// Stops answering for an order that is over.
    pub(super) fn forget_restored(&self, kind: KeyKind) {
        if locked(&self.restored).remove(&kind).is_some() {
            // If this fails, they belong to no pending order, and the next start ignores them.
            let _ = self.store.forget_answers(kind);
        }
    }

    /// Returns the stored answers of the pending order, if its challenge is still configured.
    pub(super) fn pending_answers(
        &self,
        kind: KeyKind,
        record: &Record,
    ) -> Option<(ChallengeKind, OrderAnswers)> {
        let pending = record.pending.as_ref()?;
        let answers = self.store.answers(kind)?;
        let challenge = answers.challenge_of(&self.settings.challenges)?;
        (answers.order == pending.url && pending.names == self.settings.domains)
            .then_some((challenge, answers))
    }
}
