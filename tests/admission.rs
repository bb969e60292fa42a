//! Strangers in numbers: what they may hold of places and memory, and who gets in meanwhile.
//! Loopback addresses in several /24s stand for networks.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};
use tidegate_e2e::balancer::dial_from;
use tidegate_e2e::console::Console;
use tidegate_e2e::limits::{SOON, soon, within};
use tidegate_e2e::ports::free_port;
use tidegate_e2e::probe::{Probe, Verdict, frame};
use tidegate_e2e::server::binary;
use tidegate_e2e::session::Session;
use tidegate_e2e::skipped::not_run;
use tidegate_e2e::wire::{self, Refused, Response};
use tidegate_e2e::{Cluster, Options, Server, tls};

/// Requests of the flood beside one wake, which takes a tenth of a second; in the time that a login
/// may wait for its cluster, 12 s, there would be more. A busy machine slows both alike.
const REQUESTS_BESIDE_A_WAKE: usize = 1000;

fn with(config: &str) -> Server {
    Server::with(Options {
        config: format!("[gateway]\n{config}"),
        ..Options::default()
    })
}

fn login_from(source: &str, cluster: &Cluster) -> Verdict {
    let mut probe = secured_from(source, cluster);
    probe.login(&Response::new(&cluster.user), &cluster.password)
}

fn secured_from(source: &str, cluster: &Cluster) -> Probe {
    let mut probe = Probe::over(dial_from(source, cluster.addr()));
    probe.write(1, &wire::ssl_request(wire::ORDINARY));
    probe
        .upgrade(tls::verified(&cluster.ca, tls::BOTH), "127.0.0.1")
        .expect("the TLS handshake");
    probe
}

/// Opens connections that send nothing. Their greetings are not read.
fn stalled(server: &Server, sources: impl Iterator<Item = String>, each: usize) -> Vec<TcpStream> {
    sources
        .flat_map(|source| (0..each).map(move |_| source.clone()))
        .map(|s| dial_from(&s, server.addr()))
        .collect()
}

#[test]
fn a_flood_from_one_network_leaves_others_able_to_log_in() {
    let server = with("unproven_per_source = 16\nunproven_total = 64\n");
    let cluster = server.create("flooded");
    // Ten addresses of one /24 ask for 160 places; a /24 may hold 64, and strangers together 56.
    let flood = stalled(&server, (1..=10).map(|n| format!("127.0.1.{n}")), 16);
    for n in 0..20 {
        assert_eq!(
            login_from(&format!("127.0.2.{n}"), &cluster),
            Verdict::In,
            "{n}"
        );
    }
    assert_eq!(
        login_from("127.0.1.200", &cluster),
        Verdict::In,
        "a neighbour in the crowded network"
    );
    drop(flood);
}

#[test]
fn a_source_that_proved_a_password_lately_gets_in_while_all_places_are_taken() {
    let server = with("unproven_per_source = 2\nunproven_total = 16\n");
    let cluster = server.create("known");
    assert_eq!(login_from("127.0.9.9", &cluster), Verdict::In);
    // 14 places are for strangers. Each of these is in another network, and each one above 14 takes
    // the place of an earlier one.
    let strangers = stalled(&server, (20..60).map(|n| format!("127.0.{n}.1")), 1);
    let mut known = secured_from("127.0.9.9", &cluster);
    let more = stalled(&server, (60..100).map(|n| format!("127.0.{n}.1")), 1);
    let verdict = known.login(&Response::new(&cluster.user), &cluster.password);
    assert_eq!(verdict, Verdict::In, "no stranger ended it");
    drop((strangers, more));
}

#[test]
fn whoever_loses_its_place_is_told_so_and_so_is_the_log() {
    let server = with("unproven_per_source = 1\nunproven_total = 4\n");
    let greeted = |n: u8| Probe::over(dial_from(&format!("127.0.{n}.1"), server.addr()));
    let held: Vec<_> = (1..=4).map(greeted).collect();
    // Newcomers of other networks: whoever came first leaves first.
    let _more: Vec<_> = (11..=14).map(greeted).collect();
    for mut probe in held {
        let refused = Refused::parse(&probe.expect()).expect("an error packet");
        assert_eq!((refused.code, refused.state.as_str()), (1040, "08004"));
    }
    tidegate_e2e::limits::soon("the log line", || {
        server
            .log()
            .contains("closed to make room for a new connection")
            .then_some(())
    });
}

/// Returns the CPU time that a process has used.
fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("a process");
    // The name may contain spaces, and ends at the last bracket. Times are in ticks of 10 ms.
    let (_, fields) = stat.rsplit_once(')').expect("a name");
    let fields = fields.split_whitespace().skip(11).take(2);
    fields
        .map(|ticks| ticks.parse::<f64>().expect("ticks") / 100.0)
        .sum()
}

/// Returns the anonymous memory of a process, in KB.
fn rss_anon(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a status");
    let line = status
        .lines()
        .find(|line| line.starts_with("RssAnon:"))
        .expect("RssAnon");
    line.split_whitespace()
        .nth(1)
        .expect("a number")
        .parse()
        .expect("a number")
}

/// A valid login of a megabyte, all of it attributes, up to its last bytes.
fn large_login(cluster: &Cluster) -> Vec<u8> {
    let mut response = Response::new(&cluster.user);
    response.capabilities |= wire::CONNECT_ATTRS;
    let room = (1 << 20) - response.bytes().len() - 4;
    response.tail = [&[0xfd], &u32::try_from(room).unwrap().to_le_bytes()[..3]].concat();
    while response.tail.len() < room {
        response.tail.extend_from_slice(b"\x04some\x3c");
        response.tail.extend_from_slice(&[b'v'; 0x3c]);
    }
    let mut packet = response.bytes();
    packet.truncate((1 << 20) - 8);
    [&[0, 0, 0x10, 2], &packet[..]].concat()
}

#[test]
fn five_hundred_logins_of_a_megabyte_cost_less_than_20_mb_and_it_is_given_back() {
    let server = with("unproven_per_source = 250\nlogin_deadline = \"60s\"\n");
    let cluster = server.create("large");
    let login = large_login(&cluster);
    assert_eq!(login_from("127.0.3.1", &cluster), Verdict::In);
    // What the start took and has freed is given back by then.
    std::thread::sleep(Duration::from_secs(20));
    let before = rss_anon(server.pid());
    let mut held = Vec::new();
    for n in 0..500 {
        let mut probe = secured_from(&format!("127.0.{}.1", 1 + n % 2), &cluster);
        probe.raw(&login).expect("the server reads all of it");
        held.push(probe);
    }
    let at_most = rss_anon(server.pid()).saturating_sub(before);
    println!("500 logins of 1 MB: {at_most} KB more than {before} KB");
    assert!(at_most < 20 << 10, "{at_most} KB");
    let ended = held.iter().filter(|probe| {
        probe.tcp().set_nonblocking(true).expect("a flag");
        let mut tcp = probe.tcp();
        tcp.read(&mut [0]).is_ok()
    });
    assert_eq!(ended.count(), 0, "all of them were still open");
    held.clear();
    let until = Instant::now() + SOON;
    let mut left = u64::MAX;
    while Instant::now() < until && left > 4 << 10 {
        std::thread::sleep(Duration::from_millis(200));
        left = rss_anon(server.pid()).saturating_sub(before);
    }
    println!("after the flood: {left} KB");
    assert!(left <= 4 << 10, "{left} KB are still held");
    assert_eq!(login_from("127.0.1.1", &cluster), Verdict::In);
}

/// Connects from one of 400 networks and returns before the greeting has come.
fn bare(n: usize, to: SocketAddr) -> io::Result<TcpStream> {
    use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    let network = n % 400;
    let host = n / 400 % 250 + 1;
    let source = Ipv4Addr::new(
        127,
        50 + u8::try_from(network / 200).unwrap(),
        u8::try_from(network % 200).unwrap(),
        u8::try_from(host).unwrap(),
    );
    bind(&socket, &SocketAddr::from((source, 0)))?;
    connect(&socket, &to)?;
    Ok(socket.into())
}

/// A counter of the server's metrics.
fn metric(port: u16, name: &str) -> u64 {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix(name));
    let value = value.unwrap_or_else(|| panic!("no {name} in {text}"));
    value.trim().parse().unwrap()
}

/// The first bytes of a client: a request for TLS and a ClientHello. The server has all the work.
fn first_flight(cluster: &Cluster) -> Vec<u8> {
    let config = tls::verified(&cluster.ca, tls::BOTH);
    let name = rustls::pki_types::ServerName::try_from("127.0.0.1").unwrap();
    let mut hello = rustls::ClientConnection::new(config, name).unwrap();
    let mut bytes = frame(1, &wire::ssl_request(wire::ORDINARY));
    hello.write_tls(&mut bytes).unwrap();
    bytes
}

/// Ends a flood, also when a test fails beside it.
struct Finish<'a>(&'a AtomicBool);

impl Drop for Finish<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Begins 200 handshakes at the same moment and returns how many were answered. They are more than
/// half a core has time for, on any machine.
fn handshakes_at_once(server: &Server, flight: &[u8]) -> usize {
    let sources = (0..200).map(|n| format!("127.0.{}.1", 20 + n % 10));
    let mut all = stalled(server, sources, 1);
    // The greeting is not longer than this. After an error the connection has lost its place.
    all.retain_mut(|tcp| tcp.read(&mut [0; 256]).is_ok_and(|length| length > 0));
    all.retain_mut(|tcp| tcp.write_all(flight).is_ok());
    all.retain_mut(|tcp| tcp.read(&mut [0; 256]).is_ok_and(|length| length > 0));
    all.len()
}

#[test]
fn a_flood_of_handshakes_waits_and_every_query_of_a_session_is_answered() {
    let metrics = free_port();
    let server = Server::with(Options {
        config: format!("[metrics]\nlisten = \"127.0.0.1:{metrics}\"\n"),
        // Other tests run at the same time, and its share of the processor is what is tested.
        host: "renice -n -15 -p $$ >/dev/null 2>&1 || true; exec \"$@\"".into(),
        ..Options::default()
    });
    let cluster = server.create("steady");
    let mut session = Session::open(&cluster);
    let flight = first_flight(&cluster);
    let done = AtomicBool::new(false);
    let answered = AtomicU64::new(0);
    let began = Instant::now();
    let used_before = cpu_seconds(server.pid());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let count = handshakes_at_once(&server, &flight);
                answered.fetch_add(count as u64, Ordering::Relaxed);
            }
        });
        let _finish = Finish(&done);
        let end = Instant::now() + Duration::from_secs(60);
        let mut queries = 0;
        while metric(metrics, "tidegate_stranger_waits_total") < 100 && Instant::now() < end {
            for _ in 0..20 {
                queries += 1;
                assert_eq!(
                    session.value(&format!("SELECT {queries}")),
                    queries.to_string()
                );
            }
        }
    });
    let waits = metric(metrics, "tidegate_stranger_waits_total");
    let answered = answered.load(Ordering::Relaxed);
    // On a machine that is busy with other tests the flood may get less than half a core, so that
    // nothing has to wait and this shows nothing: the session's queries are in this number too.
    // That each accept and each handshake asks for its turn is tested in the rooms.
    let cores = (cpu_seconds(server.pid()) - used_before) / began.elapsed().as_secs_f64();
    if waits == 0 && cores < 0.9 {
        not_run(&format!("the server got {cores:.2} cores for a flood"));
    } else {
        assert!(waits > 0, "no turn waited; {cores:.2} cores used");
    }
    assert!(answered >= 100, "none is refused: {answered} handshakes");
    assert_eq!(login_from("127.0.90.1", &cluster), Verdict::In);
    assert!(session.ping());
}

#[test]
fn a_flood_of_bare_connections_costs_less_than_the_memory_of_strangers() {
    let server = with("");
    let cluster = server.create("flooded");
    let mut session = Session::open(&cluster);
    let before = rss_anon(server.pid());
    let over = AtomicBool::new(false);
    let peak = AtomicU64::new(0);
    let opened = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for flood in 0..2 {
            let over = &over;
            let opened = &opened;
            let to = cluster.addr();
            scope.spawn(move || {
                let mut held = VecDeque::new();
                for n in 0.. {
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                    if let Ok(tcp) = bare(n * 2 + flood, to) {
                        held.push_back(tcp);
                        opened.fetch_add(1, Ordering::Relaxed);
                    }
                    if held.len() > 4500 {
                        held.pop_front();
                    }
                }
            });
        }
        let _finish = Finish(&over);
        // About six times as many as there are places.
        within(SOON, "a flood", || {
            peak.fetch_max(rss_anon(server.pid()), Ordering::Relaxed);
            (opened.load(Ordering::Relaxed) > 50_000).then_some(())
        });
        assert_eq!(session.value("SELECT 1"), "1");
    });
    let more = peak.load(Ordering::Relaxed).saturating_sub(before);
    println!("a flood of bare connections: {more} KB more than {before} KB");
    assert!(more < 64 << 10, "{more} KB");
}

/// Waits until a flood has sent so many more requests.
fn wait_for_more(asked: &AtomicUsize, requests: usize) {
    let from = asked.load(Ordering::Relaxed);
    soon("a flood", || {
        (asked.load(Ordering::Relaxed) > from + requests).then_some(())
    });
}

/// Size and time of change of the files that the store writes.
fn written(server: &Server) -> Vec<(u64, SystemTime)> {
    let files = ["store.sqlite", "store.sqlite-wal"].map(|file| server.data().join(file));
    let facts = files.map(|file| std::fs::metadata(file).expect("a file of the store"));
    let facts = facts.iter();
    facts
        .map(|file| (file.len(), file.modified().unwrap()))
        .collect()
}

#[test]
fn clusters_wake_beside_a_flood_of_made_up_cookies() {
    let console = Console::start("");
    let over = AtomicBool::new(false);
    let asked = AtomicUsize::new(0);
    let server = &console.server;
    server.create("woken");
    std::thread::scope(|scope| {
        for flood in 0..4 {
            let over = &over;
            let asked = &asked;
            let console = &console;
            scope.spawn(move || {
                for n in 0.. {
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                    let cookie = format!("Cookie: __Host-tidegate=made-up-{flood}-{n}");
                    assert_ne!(console.ask("/", &["-H", &cookie]).status, 200);
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let _finish = Finish(&over);
        for _ in 0..5 {
            let before = asked.load(Ordering::Relaxed);
            assert!(server.cli(&["cluster", "wake", "woken"]).status.success());
            let beside = asked.load(Ordering::Relaxed) - before;
            println!("{beside} requests beside a wake");
            assert!(beside < REQUESTS_BESIDE_A_WAKE, "{beside} beside one wake");
            server.sleep("woken");
            wait_for_more(&asked, 4);
        }
        // Nothing but the flood could use the store now.
        let before = written(server);
        wait_for_more(&asked, 40);
        assert_eq!(
            written(server),
            before,
            "a made-up cookie reached the store"
        );
    });
}

#[test]
fn a_flood_of_the_console_from_one_network_leaves_others_able_to_sign_in() {
    let console = Console::start("");
    let at = (Ipv4Addr::LOCALHOST, console.port).into();
    // More than all places, from fifty addresses of one /24.
    let flood: Vec<TcpStream> = (0..700)
        .map(|n| dial_from(&format!("127.0.1.{}", 1 + n % 50), at))
        .collect();
    for n in 2..8 {
        let source = format!("127.0.{n}.1");
        assert_eq!(
            console.ask("/sign-in", &["--interface", &source]).status,
            200,
            "{source}"
        );
    }
    assert_eq!(
        console
            .ask("/sign-in", &["--interface", "127.0.1.200"])
            .status,
        200,
        "a neighbour"
    );
    let signed_in = format!("Cookie: {}", console.sign_in());
    assert_eq!(console.ask("/", &["-H", &signed_in]).status, 200);
    drop(flood);
}

/// Raises this test's own limit, for the connections of a flood.
fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).expect("up to the hard limit");
}

#[test]
fn a_balancer_passes_while_another_address_sends_half_headers() {
    raise_open_files();
    let server = with("proxy_networks = [\"127.0.8.0/24\"]\n");
    // More than all places there are.
    let half: Vec<_> = (0..1200)
        .map(|_| {
            let mut tcp = dial_from("127.0.8.1", server.addr());
            // An error: the server closed it at once.
            let _ = tcp.write_all(b"PROXY TC");
            tcp
        })
        .collect();
    for n in 0..20 {
        let mut balancer = dial_from("127.0.8.2", server.addr());
        let header = format!("PROXY TCP4 203.0.113.{n} 127.0.0.1 4711 4000\r\n");
        balancer.write_all(header.as_bytes()).expect("written");
        let greeted = balancer.read(&mut [0]);
        assert_eq!(greeted.ok(), Some(1), "{n}: {}", server.log());
    }
    drop(half);
}

#[test]
fn a_flood_leaves_descriptors_for_logins_wakes_and_commands() {
    raise_open_files();
    let server = Server::with(Options {
        open_files: Some(1024),
        ..Options::default()
    });
    let cluster = server.create("reserve");
    let other = server.create("second");
    server.wait_log("does not fit into the limit of 1024 open files");
    let told = server
        .log()
        .matches("does not fit into the limit of 1024 open files")
        .count();
    assert_eq!(told, 1, "{}", server.log());
    // 2,000 connections of 200 sources in 50 networks, none of which may have more than a few.
    let sources = (0..200u8).map(|n| format!("127.0.{}.{}", 100 + n / 4, 1 + n % 4));
    let flood = stalled(&server, sources, 10);
    for name in ["reserve", "second"] {
        server.sleep(name);
    }
    for (n, cluster) in [&cluster, &other].into_iter().enumerate() {
        // Connections of the flood may still wait to be accepted, and take the places of arrivals.
        soon(
            &format!("a login beside the flood\n{}", server.log()),
            || {
                // One that has to leave in the middle finds its connection closed, and panics.
                let login = || login_from(&format!("127.0.90.{n}"), cluster);
                let verdict = std::panic::catch_unwind(std::panic::AssertUnwindSafe(login)).ok()?;
                (verdict == Verdict::In).then_some(())
            },
        );
    }
    assert_eq!(
        server.json(&["cluster", "list"]).as_array().map(Vec::len),
        Some(2)
    );
    drop(flood);
    let log = server.log();
    assert!(!log.contains("Too many open files"), "{log}");
}

/// Returns the output of `config check` under this limit of open files.
fn config_check(limit: u32, json: &str) -> String {
    let script = format!("ulimit -n {limit}; exec \"$0\" config check --data /nonexistent {json}");
    let out = Command::new("sh")
        .args(["-c", &script])
        .arg(binary())
        .output()
        .unwrap();
    assert!(out.status.success(), "{out:?}");
    String::from_utf8(out.stdout).unwrap()
}

/// Returns the places that fit into this limit of open files.
fn places(limit: u32) -> serde_json::Value {
    let json: serde_json::Value = serde_json::from_str(&config_check(limit, "--json")).unwrap();
    json["places"].clone()
}

#[test]
fn config_check_tells_which_places_fit_into_the_limit_of_open_files() {
    let text = config_check(1024, "");
    assert!(
        text.contains("with a limit of 1024 open files")
            && text.contains("unproven_total = 8192 does not fit"),
        "{text}"
    );
    let few = places(1024);
    let more = places(4096);
    assert_eq!(few["open_files"], 1024);
    assert!(few["warning"].is_string(), "{few}");
    for kind in ["unproven", "sessions"] {
        assert!(few[kind].as_u64() < more[kind].as_u64(), "{few} {more}");
    }
}

#[test]
fn a_cluster_with_half_of_all_session_places_leaves_the_rest_to_others() {
    // The fewest with which a server starts.
    const OPEN_FILES: u32 = 1024;
    let server = Server::with(Options {
        open_files: Some(OPEN_FILES),
        ..Options::default()
    });
    let greedy = server.create("greedy");
    let other = server.create("other");
    let most = places(OPEN_FILES)["sessions"].as_u64().expect("a number");
    let half = most.div_ceil(2);
    let limit = server.json(&["cluster", "show", "greedy"])["limits"]["connections_max"].as_u64();
    assert!(
        limit.expect("a limit") > half,
        "its own limit would be reached first"
    );
    let sessions: Vec<_> = (0..half).map(|_| Session::open(&greedy)).collect();
    for _ in 0..3 {
        let refused = Session::as_root(&greedy)
            .err()
            .expect("no place is left to it");
        assert_eq!((refused.code, refused.state.as_str()), (1040, "08004"));
    }
    let mut others: Vec<_> = (half..most).map(|_| Session::open(&other)).collect();
    let third = server.create("third");
    let refused = Session::as_root(&third)
        .err()
        .expect("all places are taken");
    assert_eq!(refused.code, 1040, "{refused:?}");
    drop(sessions);
    soon("places of sessions that ended", || {
        Session::as_root(&third).ok()
    });
    for session in &mut others {
        assert!(session.ping());
    }
}
