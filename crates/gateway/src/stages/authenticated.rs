//! Authenticated: the password is proved. It is checked before any cluster is woken.
//!
//! Unknown prefix, unknown user and wrong password cost the same look-ups and hashes, and get the
//! same answer at the same time.

use super::identified::Identified;
use crate::attempt::LoginAttempt;
use crate::limits;
use crate::login_check::{LoginCheck, LoginVerdict, ProvenLogin};
use std::sync::Arc;
use tidegate_model::journal::{ConnectionFacts, Ending};
use tidegate_model::{Refusal, RefusalKind};
use tokio::time::Instant;

pub(crate) struct Authenticated {
    pub identified: Identified,
    pub proven: Box<ProvenLogin>,
    pub proved: Instant,
}

impl Authenticated {
    /// Checks the password, or denies the login.
    pub async fn check_password(
        mut identified: Identified,
        facts: &mut ConnectionFacts,
    ) -> Result<Self, Ending> {
        let connection = &mut identified.connection;
        let shared = Arc::clone(&connection.shared);
        let check = LoginCheck {
            shared: &shared,
            salt: &identified.salt,
            client: connection.client.ip(),
        };
        let mut attempt = LoginAttempt {
            throttle: &*shared.throttle,
            client: connection.client.ip(),
            name: &identified.login.user,
            place: connection.place.as_mut(),
            came: identified.credential_came,
            recovered_by: connection.accepted + limits::RECOVERED_AFTER_ACCEPT,
            late: 0,
        };
        let (verdict, detail) = check
            .check(&identified.name, &identified.login, &mut attempt)
            .await;
        identified.late = attempt.late;
        facts.cluster = detail.cluster;
        facts.cluster_name = detail.cluster_name;
        let refusal = match verdict {
            LoginVerdict::Proven(proven) => {
                facts.user = Some(proven.user.clone());
                return Ok(Self {
                    identified,
                    proven,
                    proved: Instant::now(),
                });
            }
            LoginVerdict::Denied(why) => Refusal::because(RefusalKind::AccessDenied, why),
            LoginVerdict::AddressRefused => Refusal::new(RefusalKind::AddressNotAllowed),
            LoginVerdict::Unchecked(why) => Refusal::because(RefusalKind::NotJudged, why),
        };
        // A login that was not checked is answered like a denial, so that the time doesn't tell
        // them apart.
        Err(identified.deny(refusal).await)
    }
}
