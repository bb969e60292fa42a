//! The console's "test the connection" button: logs in at the server's own port in steps.

use super::own_login::{self, Door, reachable};
use tidegate_console::PublicFace;
use tidegate_console::probe::{ProbeLogin, ProbeStage, ProbeStep, Prober};
use tidegate_model::BoxFuture;
use tidegate_tls::{Roots, client_config};
use tokio::sync::watch;

/// Goes in by our own door, by the name that is printed for people.
pub struct OwnDoor {
    pub face: watch::Receiver<PublicFace>,
}

impl Prober for OwnDoor {
    fn probe(&self, login: ProbeLogin) -> BoxFuture<'_, Vec<ProbeStep>> {
        Box::pin(async move {
            let face = self.face.borrow().clone();
            let failed = |why: String| {
                vec![ProbeStep {
                    step: ProbeStage::Tcp,
                    took: std::time::Duration::ZERO,
                    detail: String::new(),
                    failure: Some(why),
                }]
            };
            let Some(first) = face.listeners.first() else {
                return failed("there is no listener".to_owned());
            };
            let tls = match client_config(Roots::for_trust(&face.trust)) {
                Ok(tls) => tls,
                Err(error) => return failed(error.to_string()),
            };
            let door = Door {
                host: &face.host,
                address: reachable(*first),
                tls,
            };
            let password = login.password.as_ref().map(|password| password.reveal());
            own_login::steps(&door, &login.user, password, &login.database).await
        })
    }
}
