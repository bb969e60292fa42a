//! The renewal window that a CA suggests for a certificate (RFC 9773). It is a suggestion: a
//! certificate is also renewed by age.

use crate::acme::key::KeyKind;
use crate::acme::limits::{HTTP_MAX, WINDOW_EVERY_MAX, WINDOW_EVERY_MIN, WINDOW_RETRY};
use crate::acme::manager::Manager;
use crate::acme::record::Record;
use crate::acme::settings::CaSettings;
use crate::acme::store::StoredPair;
use crate::acme::{account, random, schedule};
use crate::lock::locked;
use instant_acme::CertificateIdentifier;
use std::time::Duration;

impl Manager {
    /// Asks the CA for the renewal window, if due. A CA that does not answer, or answers with
    /// nonsense, changes nothing.
    pub(super) async fn ask_window(
        &self,
        kind: KeyKind,
        pair: &StoredPair,
        record: &mut Record,
        now: i64,
    ) {
        // A clock that was set back must not stop the questions.
        let first = !std::mem::replace(&mut *locked(&self.asked_windows), true);
        if !first && now < record.ask_window_at.min(now + WINDOW_EVERY_MAX)
            || now < record.next_attempt
        {
            return;
        }
        let Some(ca) = self.issuer(record) else {
            return;
        };
        match tokio::time::timeout(HTTP_MAX, self.window(ca, pair)).await {
            Ok(Some((window, again))) => {
                let again = i64::try_from(again.as_secs()).unwrap_or(WINDOW_EVERY_MAX);
                record.ask_window_at = now + again.clamp(WINDOW_EVERY_MIN, WINDOW_EVERY_MAX);
                if record.window != Some(window) {
                    (record.window, record.renew_at) =
                        (Some(window), Some(schedule::within(window, random())));
                }
            }
            _ => record.ask_window_at = now + WINDOW_RETRY,
        }
        // If it can't be written, the next check asks again; an attempt will report the error.
        let _ = self.store.remember(kind, record);
    }

    async fn window(&self, ca: &CaSettings, pair: &StoredPair) -> Option<((i64, i64), Duration)> {
        let account = account::open_kept(ca, &self.store).await?;
        let id =
            CertificateIdentifier::try_from(pair.chain.certified.end_entity_cert().ok()?).ok()?;
        let (info, again) = account.renewal_info(&id).await.ok()?;
        let window = info.suggested_window;
        let span = (window.start.unix_timestamp(), window.end.unix_timestamp());
        (span.0 < span.1).then_some((span, again))
    }
}
