//! Test of the connection for the console: a login at the server's own port, step by step.

use super::own_login::{OwnPort, login_steps, reachable};
use crate::failure::one_line;
use tidegate_console::PublicFace;
use tidegate_console::probe::{ProbeLogin, ProbeStage, ProbeStep, Prober};
use tidegate_model::BoxFuture;
use tidegate_tls::{Roots, client_config};
use tokio::sync::watch;

/// Prober that logs in at the server's own port, by the host name that is printed for people.
pub struct OwnLoginProber {
    pub face: watch::Receiver<PublicFace>,
}

/// Returns a failed test with one step, for a test that could not start.
fn failed_step(why: String) -> Vec<ProbeStep> {
    vec![ProbeStep {
        step: ProbeStage::Tcp,
        took: std::time::Duration::ZERO,
        detail: String::new(),
        failure: Some(why),
    }]
}

impl Prober for OwnLoginProber {
    fn probe(&self, login: ProbeLogin) -> BoxFuture<'_, Vec<ProbeStep>> {
        Box::pin(async move {
            let face = self.face.borrow().clone();
            let Some(first) = face.listeners.first() else {
                return failed_step("there is no listener".to_owned());
            };
            let tls = match client_config(Roots::for_trust(&face.trust)) {
                Ok(tls) => tls,
                Err(error) => return failed_step(one_line(&error.into())),
            };
            let port = OwnPort {
                host: &face.host,
                address: reachable(*first),
                tls,
            };
            let password = login.password.as_ref().map(|password| password.reveal());
            login_steps(&port, &login.user, password, &login.database).await
        })
    }
}
