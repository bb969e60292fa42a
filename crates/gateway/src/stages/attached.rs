//! Attached: the session exists at the engine; the client is told that it is in.

use super::authenticated::Authenticated;
use super::relaying::Relaying;
use crate::engine_login::EngineLogin;
use crate::limits;
use crate::relay::{ClientLeg, Driver, EngineLeg, Peers};
use std::sync::Arc;
use tidegate_model::journal::{ConnectionFacts, Ending};
use tidegate_model::{EngineSessionId, Lease};
use tidegate_wire::packet::write_packet;
use tidegate_wire::relay::Relay;
use tidegate_wire::response::OkPacket;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, timeout_at};

pub(crate) struct Attached {
    pub authenticated: Authenticated,
    pub lease: Lease,
    pub login: EngineLogin,
}

impl Attached {
    pub async fn relay(self, _facts: &mut ConnectionFacts) -> Result<Relaying, Ending> {
        let identified = self.authenticated.identified;
        let proven = self.authenticated.proven;
        let (login, mut secured) = (identified.login, identified.secured);
        // Nothing of the engine's handshake reaches the client but its status: the OK is ours.
        let ok = OkPacket {
            status: self.login.ok.status,
            ..OkPacket::default()
        };
        let mut out = Vec::new();
        let mut seq = login.next_seq;
        write_packet(&mut seq, &ok.encode(login.capabilities), &mut out);
        let until = Instant::now() + limits::REFUSAL_WRITE;
        let sent = timeout_at(until, async {
            secured.tls.write_all(&out).await?;
            secured.tls.flush().await
        })
        .await;
        if !matches!(sent, Ok(Ok(()))) {
            return Err(Ending::ClientGone(
                "left before it was told that it is in".to_owned(),
            ));
        }
        let engine_session = EngineSessionId(self.login.session);
        secured.guard.attached(engine_session);
        let (tcp, tls) = secured.tls.into_parts();
        let peers = Peers {
            cluster: proven.tenant.cluster,
            user: proven.user.clone(),
            engine_session,
            sessions: secured.shared.sessions.clone(),
            wording: Arc::clone(&secured.shared.settings.wording),
            held: secured.shared.held.session(proven.tenant.cluster),
        };
        let core = Relay::new(login.capabilities, self.login.ok.status);
        let driver = Driver::new(
            ClientLeg::new(tcp, tls),
            EngineLeg::new(self.login.stream),
            core,
            peers,
            self.lease.reporter(),
            secured.shared.settings.tls12_records_max,
        );
        let running = secured.shared.handshakes.session();
        Ok(Relaying {
            driver,
            lease: self.lease,
            guard: secured.guard,
            shared: secured.shared,
            _running: running,
        })
    }
}
