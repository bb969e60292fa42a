//! The renewal window that a CA suggests for a certificate (RFC 9773). Never more than a suggestion:
//! age renews as well.

use crate::acme::key::KeyKind;
use crate::acme::limits::{HTTP_MAX, WINDOW_EVERY_MAX, WINDOW_EVERY_MIN, WINDOW_RETRY};
use crate::acme::manager::Manager;
use crate::acme::record::Record;
use crate::acme::settings::CaSettings;
use crate::acme::store::Pair;
use crate::acme::{account, random, schedule};
use crate::lock::locked;
use instant_acme::CertificateIdentifier;
use std::time::Duration;

impl Manager {
    /// Asks the CA when it would like to see this certificate renewed (RFC 9773). A CA that has no
    /// answer, or a wrong one, changes nothing: age renews as well.
    pub(super) async fn ask_window(
        &self,
        kind: KeyKind,
        pair: &Pair,
        record: &mut Record,
        now: i64,
    ) {
        // A clock set back must not stop the questions either.
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
        // Unwritten it is asked again at the next look; an attempt will tell of the storage.
        let _ = self.store.remember(kind, record);
    }

    async fn window(&self, ca: &CaSettings, pair: &Pair) -> Option<((i64, i64), Duration)> {
        let account = account::open_kept(ca, &self.store).await?;
        let id =
            CertificateIdentifier::try_from(pair.chain.certified.end_entity_cert().ok()?).ok()?;
        let (info, again) = account.renewal_info(&id).await.ok()?;
        let window = info.suggested_window;
        let span = (window.start.unix_timestamp(), window.end.unix_timestamp());
        (span.0 < span.1).then_some((span, again))
    }
}
