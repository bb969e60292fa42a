//! Check after each swap of the certificate: does a client at our own port get the new one, and can
//! it verify it? It does not log in. A failed check raises an alarm.

use super::own_login::reachable;
use super::own_login::{OwnPort, served_leaf};
use crate::failure::one_line;
use crate::limits::{OWN_CHECK_PAUSE, OWN_CHECK_TRIES};
use anyhow::{Result, bail};
use std::net::SocketAddr;
use tidegate_console::PublicFace;
use tidegate_model::Trust;
use tidegate_tls::{Identity, Roots, client_config};

/// Raises the alarm, or clears it.
pub async fn check(identity: &Identity, face: &PublicFace) {
    let Some(first) = face.listeners.first() else {
        return;
    };
    // A private CA without a configured file: its roots are unknown here.
    if face.trust == Trust::Private(None) {
        return;
    }
    let mut tries = 1;
    let unseen = loop {
        match once(identity, &face.host, reachable(*first), &face.trust).await {
            Ok(()) => break None,
            // All places may be taken, or another swap may have come in between.
            Err(_) if tries < OWN_CHECK_TRIES => {
                tries += 1;
                tokio::time::sleep(OWN_CHECK_PAUSE).await;
            }
            Err(error) => {
                break Some(format!(
                    "a client at {first} does not get the certificate in use: {}",
                    one_line(&error)
                ));
            }
        }
    };
    if unseen.is_none() {
        tracing::info!(address = %first, host = face.host, "the certificate in use was verified at \
             our own port");
    }
    identity.note_unseen(unseen);
}

async fn once(identity: &Identity, host: &str, address: SocketAddr, trust: &Trust) -> Result<()> {
    let port = OwnPort {
        host,
        address,
        tls: client_config(Roots::for_trust(trust))?,
    };
    if !identity.is_served(&served_leaf(&port).await?) {
        bail!("it gets a different certificate");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use tidegate_tls::{AlarmKind, TlsEvent, TlsSettings};
    use tidegate_wire::capabilities::Capabilities;
    use tidegate_wire::greeting::Greeting;
    use tidegate_wire::packet::write_packet;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn greeting() -> Vec<u8> {
        let greeting = Greeting {
            version: b"8.0.2".to_vec(),
            connection_id: 1,
            salt: [1; 20],
            capabilities: Capabilities::SSL
                .union(Capabilities::PROTOCOL_41)
                .union(Capabilities::PLUGIN_AUTH),
            collation: 45,
            status: 2,
            plugin: b"caching_sha2_password".to_vec(),
        };
        let mut out = Vec::new();
        write_packet(&mut 0, &greeting.encode(), &mut out);
        out
    }

    /// Opens a port that greets like a MySQL server and then serves this certificate.
    async fn port(identity: &Identity) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(identity.server_config());
        tokio::spawn(async move {
            while let Ok((mut tcp, _)) = listener.accept().await {
                let _ = tcp.write_all(&greeting()).await;
                let _ = tcp.read_exact(&mut [0; 36]).await;
                let _ = acceptor.accept(tcp).await;
            }
        });
        at
    }

    fn face(at: SocketAddr, trust: Trust) -> PublicFace {
        PublicFace {
            host: "127.0.0.1".into(),
            port: 1,
            trust,
            names: vec![],
            listeners: vec![at],
            console: None,
        }
    }

    fn alarms(identity: &Identity) -> Vec<AlarmKind> {
        let alarms = identity.status().unwrap().alarms;
        alarms.iter().map(|alarm| alarm.kind).collect()
    }

    fn is_unseen_alarm(event: &TlsEvent) -> bool {
        matches!(
            event,
            TlsEvent::Alarm {
                kind: AlarmKind::Unseen,
                ..
            }
        )
    }

    #[tokio::test]
    async fn another_certificate_at_our_port_is_an_alarm_until_it_is_ours() {
        let ours = tempfile::tempdir().unwrap();
        let theirs = tempfile::tempdir().unwrap();
        let told = Arc::new(Mutex::new(Vec::new()));
        let events = told.clone();
        let identity = Identity::open(TlsSettings::new(ours.path()), move |event| {
            events.lock().unwrap().push(event)
        });
        let identity = identity.unwrap();
        let stranger = Identity::open(TlsSettings::new(theirs.path()), |_| {}).unwrap();
        // A certificate of another CA, and then another leaf that the same CA could have signed.
        let foreign = port(&stranger).await;
        for trust in [identity.trust(), stranger.trust()] {
            check(&identity, &face(foreign, trust)).await;
            assert_eq!(alarms(&identity), [AlarmKind::Unseen]);
        }
        let told = told.lock().unwrap().clone();
        assert_eq!(
            told.iter().filter(|event| is_unseen_alarm(event)).count(),
            2
        );
        check(&identity, &face(port(&identity).await, identity.trust())).await;
        assert_eq!(alarms(&identity), []);
    }
}
