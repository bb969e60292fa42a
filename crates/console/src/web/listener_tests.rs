//! The console's share of the processor time of strangers: accepting connections, and the requests
//! of those without a session or key.

use super::*;
use rustls::server::ResolvesServerCertUsingSni;
use std::time::Duration;
use tidegate_tls::RunningSession;

/// Time for what happens at once. It only ends a test that would hang.
const AT_ONCE: Duration = Duration::from_secs(10);

/// A budget that is used up, and a session that has run for longer than it takes to be protected.
async fn used_up() -> (Handshakes, RunningSession) {
    let handshakes = Handshakes::default();
    let session = handshakes.session();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let mut turns = Turns::of_accept_loop(handshakes.clone());
    let turn = turns.turn().await.unwrap();
    turn.run_and_charge(|| ((), Duration::from_secs(1)));
    (handshakes, session)
}

fn listener(handshakes: Handshakes) -> WebListener {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(ResolvesServerCertUsingSni::new()));
    WebListener {
        app: Router::new(),
        door: WebDoor::new(Arc::new(tls), None, &[]),
        admission: Admission::new(AdmissionLimits {
            per_source: 32,
            total: 64,
            memory: limits::WEB_UNPROVEN_MEMORY,
            late_max: 1,
        }),
        handshakes,
        proven: Arc::new(Semaphore::new(1)),
    }
}

#[tokio::test]
async fn accepting_connections_waits_for_its_turn_beside_a_session() {
    let (handshakes, _session) = used_up().await;
    let web = listener(handshakes.clone());
    let admission = web.admission.clone();
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = tcp.local_addr().unwrap();
    // More than one turn accepts. They wait in the backlog until the listener serves.
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(TcpStream::connect(at).await.unwrap());
    }
    assert_eq!(handshakes.waits(), 0);
    let stop = CancellationToken::new();
    let serving = tokio::spawn(web.serve(tcp, stop.clone()));
    let all = async {
        while admission.used().0 < 20 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(AT_ONCE, all).await.unwrap();
    assert!(handshakes.waits() > 0, "it did not ask for a turn");
    stop.cancel();
    drop(clients);
    timeout(AT_ONCE, serving).await.unwrap().unwrap();
}

#[tokio::test]
async fn requests_of_strangers_wait_for_their_turn_and_those_of_operators_do_not() {
    let (handshakes, _session) = used_up().await;
    let operator = begin_in_turn(None, async { handshakes.waits() });
    assert_eq!(operator.await, 0);
    let path = tidegate_model::admission::NetworkPath::of("203.0.113.9".parse().unwrap());
    let turns = Turns::new(handshakes.clone(), path, false);
    let waits = begin_in_turn(Some(turns), async {
        // Its second step is no longer in the turn.
        tokio::task::yield_now().await;
        handshakes.waits()
    });
    assert_eq!(timeout(AT_ONCE, waits).await.unwrap(), 1);
}
