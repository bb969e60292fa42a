//! ACME as a certificate source: the stored pair at the start, then the manager's new ones. Until
//! the first certificate is issued, the local CA's is served.

use crate::acme::manager::Manager;
use crate::alarm::AlarmKind;
use crate::error::TlsError;
use crate::event::TlsEvent;
use crate::local_ca::LocalCa;
use crate::source::{CertificateSource, EventListener, Served, SourceChange};
use std::sync::Arc;
use tidegate_model::{Trust, error_chain};
use time::OffsetDateTime;

pub struct Acme {
    pub manager: Arc<Manager>,
    /// Serves a local certificate while there is no other yet.
    pub until_then: LocalCa,
}

impl CertificateSource for Acme {
    fn open(&mut self, now: OffsetDateTime, tell: EventListener<'_>) -> Result<Served, TlsError> {
        match self.manager.stored(now) {
            Ok(Some(served)) => {
                if let Err(error) = served.chain.check_dates(now) {
                    tell(TlsEvent::ServingInvalid {
                        reason: error_chain(&error),
                    });
                }
                return Ok(served);
            }
            Ok(None) => {}
            Err(error) => {
                let what = format!(
                    "the stored certificate can't be read: {}",
                    error_chain(&error)
                );
                tell(TlsEvent::Alarm {
                    kind: AlarmKind::Lost,
                    what,
                });
            }
        }
        self.until_then.open(now, tell)
    }

    fn poll(
        &mut self,
        now: OffsetDateTime,
        served: &Served,
        tell: EventListener<'_>,
    ) -> SourceChange {
        match self.manager.replaced(now) {
            Ok(Some(fresh)) => return SourceChange::Replace(fresh),
            Ok(None) => {}
            Err(error) => return SourceChange::Reject(error),
        }
        match served.trust {
            Trust::Local(_) => self.until_then.poll(now, served, tell),
            Trust::Public | Trust::Private(_) => SourceChange::Unchanged,
        }
    }
}
