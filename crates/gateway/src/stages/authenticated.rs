//! Authenticated: the gateway believes the password. It is judged before anything is woken.
//!
//! Unknown prefix, unknown user and wrong password run the same look-ups and hashes, and are
//! answered with the same text at the same moments.

use super::identified::Identified;
use crate::attempt::Attempt;
use crate::limits;
use crate::verdict::{Judge, Proven, Verdict};
use std::sync::Arc;
use tidegate_model::journal::{ConnectionFacts, Ending};
use tidegate_model::{Refusal, RefusalKind};
use tokio::time::Instant;

pub(crate) struct Authenticated {
    pub identified: Identified,
    pub proven: Box<Proven>,
    pub proved: Instant,
}

impl Authenticated {
    pub async fn check_password(
        mut identified: Identified,
        facts: &mut ConnectionFacts,
    ) -> Result<Self, Ending> {
        let connection = &mut identified.connection;
        let shared = Arc::clone(&connection.shared);
        let judge = Judge {
            shared: &shared,
            salt: &identified.salt,
            client: connection.client.ip(),
        };
        let mut attempt = Attempt {
            failures: &shared.failures,
            client: connection.client.ip(),
            name: &identified.login.user,
            place: connection.place.as_mut(),
            came: identified.credential_came,
            recovered_by: connection.accepted + limits::RECOVERED_AFTER_ACCEPT,
            late: 0,
        };
        let (verdict, detail) = judge
            .judge(&identified.name, &identified.login, &mut attempt)
            .await;
        identified.late = attempt.late;
        facts.cluster = detail.cluster;
        facts.cluster_name = detail.cluster_name;
        let refusal = match verdict {
            Verdict::Proven(proven) => {
                facts.user = Some(proven.user.clone());
                return Ok(Self {
                    identified,
                    proven,
                    proved: Instant::now(),
                });
            }
            Verdict::Denied(why) => Refusal::because(RefusalKind::AccessDenied, why),
            Verdict::NotJudged(why) => Refusal::because(RefusalKind::NotJudged, why),
        };
        Err(identified.deny(refusal).await)
    }
}
