//! Bounds that all connections share, each filled from one cluster or one network while another one
//! gets through: session places, arrivals, refusals, and the processor time of strangers.
//!
//! Everything else that clusters share has its own such test:
//!
//! | shared | test |
//! | --- | --- |
//! | unproven places, headers of balancers, descriptors | `tests/admission.rs` |
//! | bytes held for clients | `held.rs` |
//! | counts of failed logins, turns of readings | `failures_tests.rs`, `reading_turns.rs` |
//! | turns of handshakes | `handshakes_tests.rs` of `tls` |
//! | registry of sessions, budget of log lines | `sessions_tests.rs`, `log_budget.rs` of `model` |
//! | register of clusters, account books | `register_tests.rs`, `books.rs` of `control` |
//! | queue and reads of the store, keys and links | `store.rs`, `credentials.rs` of its tests |
//! | map of engines, starts, KILLs, readings, template | `shared.rs` of the tests of `engine` |
//! | awake budget, list of watched engines | `awake_budget.rs` there, `heavy_use.rs` |
//! | events, attempts of sources, places of the console | `events.rs`, `bucket.rs`, `unproven.rs` |

use super::*;
use crate::connection::Connection;
use crate::gateway::Gateway;
use crate::login_check::fakes::{deps, directory};
use std::net::SocketAddr;
use std::time::Duration;
use tidegate_model::{ClusterId, ClusterLimits, ClusterName, Prefix, RefusalKind, Tenant};
use tidegate_tls::Turns;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{Instant, timeout};

/// Time within which another client must get through. It waits for nobody, so it needs milliseconds
/// only.
const LATEST: Duration = Duration::from_secs(10);
/// First bytes of a greeting, and of error 1040.
const GREETED: u8 = 10;
const REFUSED: [u8; 3] = [0xff, 0x10, 0x04];

fn settings() -> GatewaySettings {
    GatewaySettings {
        sessions_max: 10,
        unproven_per_source: 40,
        proxy_networks: vec!["127.0.8.0/24".parse().unwrap()],
        ..GatewaySettings::default()
    }
}

fn tenant(cluster: u64) -> Tenant {
    Tenant {
        cluster: ClusterId(cluster),
        name: ClusterName::parse("demo").unwrap(),
        prefix: Prefix::parse("abcdefghjkmn").unwrap(),
        accounts: Vec::new(),
        accounts_current: true,
        recovering: false,
        allows_client: true,
        ping_holds: Default::default(),
        limits: ClusterLimits::default(),
    }
}

/// A connection that has just proved the password of a cluster, and the result of its request for a
/// session's place.
fn proven(shared: &Arc<GatewayShared>, cluster: u64) -> (Connection, Result<(), RefusalKind>) {
    let client: SocketAddr = format!("203.0.{cluster}.9:4711").parse().unwrap();
    let mut connection = Connection {
        shared: Arc::clone(shared),
        guard: shared.sessions.open(client),
        client,
        local: "127.0.0.1:4000".parse().unwrap(),
        accepted: Instant::now(),
        place: shared
            .admission
            .admit(client.ip(), limits::COST_SECURED)
            .ok(),
        arriving: None,
        session_place: None,
    };
    let taken = connection.take_session_place(&tenant(cluster), "root", "TLS 1.3");
    (connection, taken)
}

#[test]
fn a_cluster_with_half_of_all_session_places_leaves_the_others_to_other_clusters() {
    let shared = Arc::new(GatewayShared::new(settings(), deps(directory(true))).unwrap());
    assert!(
        ClusterLimits::default().connections_max > 10,
        "half of all is less"
    );
    let mut half: Vec<_> = (0..5).map(|_| proven(&shared, 1)).collect();
    assert!(half.iter().all(|(_, taken)| taken.is_ok()));
    assert_eq!(
        shared.admission.used().0,
        0,
        "they are no strangers any more"
    );
    // These are being refused, and their clients take their time to read it.
    let refused: Vec<_> = (0..20).map(|_| proven(&shared, 1)).collect();
    for (connection, taken) in &refused {
        assert_eq!(*taken, Err(RefusalKind::TooManyConnections));
        assert!(connection.place.is_some(), "it counts against its source");
    }
    let other: Vec<_> = (0..5).map(|_| proven(&shared, 2)).collect();
    assert!(
        other.iter().all(|(_, taken)| taken.is_ok()),
        "another cluster gets the rest"
    );
    let (_refused, taken) = proven(&shared, 3);
    assert_eq!(taken, Err(RefusalKind::ServerFull));
    half.pop();
    let (_third, taken) = proven(&shared, 3);
    assert_eq!(taken, Ok(()), "the place of a session that ended");
}

/// A gateway that accepts connections on this address.
async fn serving() -> (Gateway, SocketAddr, CancellationToken) {
    let gateway = Gateway::new(settings(), deps(directory(true))).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let serving = gateway.clone();
    let until = stop.clone();
    tokio::spawn(async move { serving.serve(listener, until).await });
    (gateway, at, stop)
}

async fn connect_from(source: &str, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("{source}:0").parse().unwrap()).unwrap();
    socket.connect(to).await.unwrap()
}

/// The fifth byte that the gateway sends and the two behind it: those that tell a greeting from an
/// error. `None` if it closes without a word.
async fn first_bytes(tcp: &mut TcpStream) -> Option<[u8; 3]> {
    let mut head = [0; 7];
    let read = timeout(LATEST, tcp.read_exact(&mut head))
        .await
        .expect("an answer");
    read.is_ok().then(|| [head[4], head[5], head[6]])
}

async fn is_greeted(source: &str, at: SocketAddr) -> bool {
    let mut tcp = connect_from(source, at).await;
    first_bytes(&mut tcp)
        .await
        .is_some_and(|[first, ..]| first == GREETED)
}

#[tokio::test]
async fn connections_that_wait_for_anything_leave_all_arrivals_to_others() {
    let (gateway, at, _stop) = serving().await;
    let mut waiting = Vec::new();
    // Balancers that send no header, clients that send nothing, and clients beyond the limit of
    // their source that do not read the refusal: of each kind more than arrivals.
    for n in 0..2 * limits::ARRIVING_MAX {
        waiting.push(connect_from("127.0.8.1", at).await);
        waiting.push(connect_from("127.0.1.1", at).await);
        if n % 20 == 0 {
            assert!(is_greeted(&format!("127.0.{}.1", 20 + n), at).await, "{n}");
        }
    }
    assert!(is_greeted("127.0.2.1", at).await);
    let free = async {
        while gateway.shared().arriving.available_permits() < limits::ARRIVING_MAX {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(LATEST, free)
        .await
        .expect("each gave its arrival back");
    let (unproven, _) = gateway.shared().admission.used();
    let (headers, _) = gateway.shared().headers.used();
    assert!(
        unproven >= 40 && headers > 64,
        "they wait: {unproven}, {headers}"
    );
}

#[tokio::test]
async fn refusals_that_nobody_reads_delay_no_greeting() {
    let (gateway, at, _stop) = serving().await;
    let mut full = Vec::new();
    for _ in 0..40 {
        let mut tcp = connect_from("127.0.1.1", at).await;
        assert_eq!(
            first_bytes(&mut tcp).await.map(|bytes| bytes[0]),
            Some(GREETED)
        );
        full.push(tcp);
    }
    let mut beyond = connect_from("127.0.1.1", at).await;
    assert_eq!(first_bytes(&mut beyond).await, Some(REFUSED));
    let most = u32::try_from(limits::REFUSING_MAX).unwrap();
    let _unread = gateway.shared().refusing.acquire_many(most).await.unwrap();
    let mut beyond = connect_from("127.0.1.1", at).await;
    assert_eq!(
        first_bytes(&mut beyond).await,
        None,
        "closed without a word"
    );
    assert!(is_greeted("127.0.2.1", at).await);
    drop(full);
}

/// Uses up the processor time of strangers, as an accepted flood does.
async fn use_up(handshakes: &Handshakes) {
    let mut turns = Turns::of_accept_loop(handshakes.clone());
    let turn = turns.turn().await.unwrap();
    turn.run_and_charge(|| ((), Duration::from_secs(1)));
}

#[tokio::test]
async fn accepting_and_shaking_hands_each_wait_for_their_turn_beside_a_session() {
    let (gateway, at, _stop) = serving().await;
    let handshakes = gateway.handshakes();
    let _session = handshakes.session();
    // A session is protected after its first second.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    use_up(&handshakes).await;
    let mut tcp = connect_from("127.0.1.1", at).await;
    assert_eq!(
        first_bytes(&mut tcp).await.map(|bytes| bytes[0]),
        Some(GREETED)
    );
    let accepted = handshakes.waits();
    assert!(accepted > 0, "the accept did not ask for a turn");
    use_up(&handshakes).await;
    let name = rustls::pki_types::ServerName::try_from("127.0.0.1").unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let mut hello = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    // A request for TLS: CLIENT_SSL, CLIENT_PROTOCOL_41 and CLIENT_SECURE_CONNECTION.
    let mut flight = [&[32, 0, 0, 1, 0, 0x8a, 0, 0][..], &[0; 28]].concat();
    hello.write_tls(&mut flight).unwrap();
    tcp.write_all(&flight).await.unwrap();
    let asked = async {
        while handshakes.waits() == accepted {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(LATEST, asked)
        .await
        .expect("the handshake asked for a turn");
}
