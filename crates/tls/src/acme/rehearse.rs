//! A dry run at a CA's staging directory, once attempts have failed: what is wrong with the names
//! or the ports shows there, where it costs none of the failures that the CA allows. What is issued
//! there is thrown away.

use crate::acme::failure::{Failure, Step};
use crate::acme::http::Patience;
use crate::acme::key::KeyKind;
use crate::acme::limits::{REHEARSALS_IN_A_ROW, REHEARSE_AFTER};
use crate::acme::manager::Manager;
use crate::acme::order::{Wish, carry_out};
use crate::acme::record::Record;
use crate::acme::settings::{CaSettings, ChallengeKind};
use crate::acme::solve::Solver;

/// The staging directory as a CA of its own, where this attempt (counted in the record already) is
/// to be rehearsed. An order that stands is carried on without, and every few attempts go to the CA
/// all the same: a staging directory that is wrong must not be the end of renewals.
pub fn stage(ca: &CaSettings, record: &Record) -> Option<CaSettings> {
    let failed = record.failures.saturating_sub(1);
    let due = failed >= REHEARSE_AFTER
        && (failed - REHEARSE_AFTER) % (REHEARSALS_IN_A_ROW + 1) < REHEARSALS_IN_A_ROW;
    let directory = ca
        .staging
        .clone()
        .filter(|_| due && record.pending.is_none())?;
    // What binds an account elsewhere is good for the real one.
    Some(CaSettings {
        directory,
        eab: None,
        staging: None,
        ..ca.clone()
    })
}

impl Manager {
    /// An error only where control of the names could not be proved: a staging CA that is down, or
    /// ails otherwise, says nothing about us.
    pub(super) async fn rehearse(
        &self,
        stage: &CaSettings,
        challenge: ChallengeKind,
        kind: KeyKind,
        patience: &Patience,
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
        patience: &Patience,
    ) -> Result<(), Failure> {
        let mut account = self.account(stage, patience).await?;
        // A staging CA may not know the profile, and what it would replace it has never seen.
        let wish = Wish {
            names: &self.settings.domains,
            profile: None,
            replaces: None,
            challenge,
        };
        let mut order = self
            .place_anew(&mut account, stage, &wish, patience)
            .await?;
        let mut solver = Solver::open(challenge, &self.settings).await?;
        carry_out(&mut order, &wish, &kind.generate()?, &mut solver)
            .await
            .map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acme::record::PendingOrder;

    #[test]
    fn it_begins_after_two_failures_and_never_bars_the_way_for_good() {
        let ca = CaSettings {
            staging: Some("https://staging.test/".into()),
            ..CaSettings::new("https://ca.test/")
        };
        // As counted when the attempt begins: the first one is 1.
        let record = |failures| Record {
            failures,
            ..Record::default()
        };
        let rehearsed: Vec<u32> = (1..=12)
            .filter(|count| stage(&ca, &record(*count)).is_some())
            .collect();
        assert_eq!(rehearsed, [3, 4, 5, 7, 8, 9, 11, 12]);
        assert!(
            stage(&CaSettings::new("https://ca.test/"), &record(3)).is_none(),
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
                    ..record(3)
                }
            )
            .is_none(),
            "an order stands"
        );
    }
}
