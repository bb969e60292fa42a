//! Rehearsal at a CA's staging directory after failed attempts. It shows faults of names and ports
//! without using up the failures that the real CA allows. The certificate it issues is thrown away.

use crate::acme::failure::{Failure, Step};
use crate::acme::http::RetryAfter;
use crate::acme::key::KeyKind;
use crate::acme::limits::{REHEARSALS_IN_A_ROW, REHEARSE_AFTER};
use crate::acme::manager::Manager;
use crate::acme::order::{OrderRequest, carry_out};
use crate::acme::record::Record;
use crate::acme::settings::{CaSettings, ChallengeKind};
use crate::acme::solve::Solver;

/// Returns the staging directory as a CA if this attempt, which the record counts already, must be
/// rehearsed. A pending order is resumed without one, and every few attempts skip it: a broken
/// staging directory must not stop renewals.
pub fn stage(ca: &CaSettings, record: &Record) -> Option<CaSettings> {
    let failed = record.failures.saturating_sub(1);
    let due = failed >= REHEARSE_AFTER
        && (failed - REHEARSE_AFTER) % (REHEARSALS_IN_A_ROW + 1) < REHEARSALS_IN_A_ROW;
    let directory = ca
        .staging
        .clone()
        .filter(|_| due && record.pending.is_none())?;
    // The external account binding is for the real CA only.
    Some(CaSettings {
        directory,
        eab: None,
        staging: None,
        ..ca.clone()
    })
}

impl Manager {
    /// Rehearses an order. Only a failed challenge is an error: other faults of a staging CA don't
    /// concern this server.
    pub(super) async fn rehearse(
        &self,
        stage: &CaSettings,
        challenge: ChallengeKind,
        kind: KeyKind,
        patience: &RetryAfter,
    ) -> Result<(), Failure> {
        match self.dry_run(stage, challenge, kind, patience).await {
            Err(failure) if failure.step == Step::Challenge => Err(Failure {
                reason: format!("in a rehearsal: {}", failure.reason),
                ..failure
            }),
            _ => Ok(()),
        }
    }

    async fn dry_run(
        &self,
        stage: &CaSettings,
        challenge: ChallengeKind,
        kind: KeyKind,
        patience: &RetryAfter,
    ) -> Result<(), Failure> {
        let mut account = self.account(stage, patience).await?;
        // A staging CA may not know the profile, and it did not issue the certificate to replace.
        let request = OrderRequest {
            names: &self.settings.domains,
            profile: None,
            replaces: None,
            challenge,
        };
        let mut order = self
            .place_anew(&mut account, stage, &request, patience)
            .await?;
        let mut solver = Solver::open(challenge, &self.settings).await?;
        carry_out(&mut order, &request, &kind.generate()?, &mut solver)
            .await
            .map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acme::record::PendingOrder;

    /// The record counts an attempt when it begins, so the count of the first attempt is 1.
    fn record_with(failures: u32) -> Record {
        Record {
            failures,
            ..Record::default()
        }
    }

    #[test]
    fn it_begins_after_two_failures_and_never_bars_the_way_for_good() {
        let ca = CaSettings {
            staging: Some("https://staging.test/".into()),
            ..CaSettings::new("https://ca.test/")
        };
        let rehearsed: Vec<u32> = (1..=12)
            .filter(|count| stage(&ca, &record_with(*count)).is_some())
            .collect();
        assert_eq!(rehearsed, [3, 4, 5, 7, 8, 9, 11, 12]);
        assert!(
            stage(&CaSettings::new("https://ca.test/"), &record_with(3)).is_none(),
            "none is configured"
        );
        let url = String::new();
        let pending = Some(PendingOrder {
            directory: ca.directory.clone(),
            url,
            names: vec![],
        });
        assert!(
            stage(
                &ca,
                &Record {
                    pending,
                    ..record_with(3)
                }
            )
            .is_none(),
            "an order is left"
        );
    }
}
