//! ACME as a certificate source: what lies on disk at the start, then whatever the manager brings.
//! Until the first certificate is there, the local CA serves. Never talks to a CA itself.

use crate::acme::manager::Manager;
use crate::alarm::AlarmKind;
use crate::error::TlsError;
use crate::event::TlsEvent;
use crate::local_ca::LocalCa;
use crate::source::{Look, Served, Source, Tell};
use std::sync::Arc;
use tidegate_model::Trust;
use time::OffsetDateTime;

pub struct Acme {
    pub manager: Arc<Manager>,
    /// Lets people of this machine in while there is no certificate yet.
    pub until_then: LocalCa,
}

impl Source for Acme {
    fn open(&mut self, now: OffsetDateTime, tell: Tell<'_>) -> Result<Served, TlsError> {
        match self.manager.stored(now) {
            Ok(Some(served)) => {
                if let Err(error) = served.chain.check_dates(now) {
                    tell(TlsEvent::ServingInvalid {
                        reason: error.to_string(),
                    });
                }
                return Ok(served);
            }
            Ok(None) => {}
            Err(error) => {
                let what = format!("the certificate that was kept is lost: {error}");
                tell(TlsEvent::Alarm {
                    kind: AlarmKind::Lost,
                    what,
                });
            }
        }
        self.until_then.open(now, tell)
    }

    fn look(&mut self, now: OffsetDateTime, served: &Served, tell: Tell<'_>) -> Look {
        if let Some(fresh) = self.manager.take_fresh() {
            return Look::Replace(fresh);
        }
        match served.trust {
            Trust::Local(_) => self.until_then.look(now, served, tell),
            Trust::Public | Trust::Private(_) => Look::Same,
        }
    }
}
