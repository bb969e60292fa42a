//! Rare behavior of the gateway: used-up TLS keys, PROXY headers, too many connections from one
//! source.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use rustix::process::Signal;
use std::io::Write;
use tidegate_e2e::balancer::{behind_a_balancer, from_the_balancer};
use tidegate_e2e::probe::{Probe, Verdict, dial};
use tidegate_e2e::session::Session;
use tidegate_e2e::wire::{self, Refused, Response};
use tidegate_e2e::{Options, Server, processes, tls};

fn with(config: &str) -> Server {
    Server::with(Options {
        config: config.into(),
        ..Options::default()
    })
}

/// Sends queries over this TLS version until the answer is not a result, or `most` have succeeded.
fn queries_until_the_end(
    server: &Server,
    version: &'static rustls::SupportedProtocolVersion,
    most: u32,
) -> Option<Refused> {
    let cluster = server.create(if version == &rustls::version::TLS12 {
        "old"
    } else {
        "new"
    });
    let probe = Probe::secured(cluster.addr(), tls::verified(&cluster.ca, &[version]));
    let mut session = Session::over(probe, &cluster);
    for _ in 0..most {
        session.send("SELECT 1");
        let packet = session.probe.expect();
        if packet[0] == 0xff {
            return Refused::parse(&packet);
        }
        // The rest of the result: a column, an EOF, a row, an EOF.
        (0..4).for_each(|_| drop(session.probe.expect()));
    }
    None
}

#[test]
fn a_tls_12_session_ends_in_order_before_its_key_is_used_up_and_tls_13_goes_on() {
    let server = with("[gateway]\ntls12_records_max = 100\n");
    let notice = queries_until_the_end(&server, &rustls::version::TLS12, 300).expect("an end");
    assert_eq!((notice.code, notice.state.as_str()), (4031, "HY000"));
    assert_eq!(
        queries_until_the_end(&server, &rustls::version::TLS13, 300),
        None
    );
}

/// Whether a greeting follows this header.
fn greeted(server: &Server, header: &[u8]) -> bool {
    let mut tcp = from_the_balancer(server);
    tcp.write_all(header).expect("written");
    let mut first = [0];
    let greeted = matches!(std::io::Read::read(&mut tcp, &mut first), Ok(1));
    // One that sends nothing more is taken for a health check, and not logged.
    let _ = tcp.write_all(b"\x01");
    greeted
}

#[test]
fn case_12_where_a_proxy_header_is_required_nothing_is_said_without_one() {
    let server = behind_a_balancer("");
    assert!(greeted(
        &server,
        b"PROXY TCP4 203.0.113.9 127.0.0.1 4711 4000\r\n"
    ));
    assert!(greeted(&server, b"PROXY UNKNOWN\r\n"));
    assert!(greeted(&server, b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"));
    for bad in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"PROXY TCP4 a b c d\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x31\0\0\0",
    ] {
        assert!(!greeted(&server, bad), "{bad:?}");
    }
}

#[test]
fn case_13_the_log_has_the_address_of_the_header_and_that_of_the_balancer() {
    let server = behind_a_balancer("");
    assert!(greeted(
        &server,
        b"PROXY TCP4 203.0.113.9 127.0.0.1 4711 4000\r\n"
    ));
    tidegate_e2e::limits::soon("the log line", || {
        server.log().contains("203.0.113.9:4711").then_some(())
    });
    let log = server.log();
    let line = log
        .lines()
        .find(|l| l.contains("203.0.113.9:4711"))
        .expect("a line");
    assert!(line.contains("\"via\":\"127.0.0.3:"), "{line}");
}

#[test]
fn case_12_elsewhere_a_proxy_header_is_no_login() {
    let server = Server::start();
    let mut probe = Probe::connect(server.addr());
    probe
        .raw(b"PROXY TCP4 203.0.113.9 127.0.0.1 4711 4000\r\n")
        .expect("written");
    let rest = probe.until_closed();
    assert!(
        rest.is_empty() || rest.get(4) == Some(&0xff),
        "an error or the end, never more: {rest:?}"
    );
    assert!(!server.log().contains("203.0.113.9"));
}

#[test]
fn more_unproven_connections_than_one_source_may_hold_get_1040() {
    let server = with("[gateway]\nunproven_per_source = 3\n");
    let cluster = server.create("few");
    let _held: Vec<_> = (0..3).map(|_| Probe::connect(server.addr())).collect();
    let mut tcp = dial(server.addr());
    let mut packet = Vec::new();
    std::io::Read::read_to_end(&mut tcp, &mut packet).expect("readable");
    let refused = Refused::parse(&packet[4..]).expect("an error instead of a greeting");
    assert_eq!((refused.code, refused.state.as_str()), (1040, "08004"));
    drop(_held);
    tidegate_e2e::limits::soon("a place", || {
        // The probe panics as long as no place is free.
        let mut probe = std::panic::catch_unwind(|| {
            Probe::secured(cluster.addr(), tls::verified(&cluster.ca, tls::BOTH))
        })
        .ok()?;
        matches!(
            probe.login(&Response::new(&cluster.user), &cluster.password),
            Verdict::In
        )
        .then_some(())
    });
}

/// Starts a login in a thread. Its connection to the engine hangs, because the engine is frozen.
fn login_while_stopped(server: &Server, name: &str) -> (u32, std::thread::JoinHandle<String>) {
    let cluster = server.create(name);
    assert_eq!(Session::open(&cluster).value("SELECT 1"), "1");
    let engine = server.engine();
    processes::kill(engine, Signal::STOP);
    let login = std::thread::spawn(move || {
        match Session::login(&cluster, &cluster.user, &cluster.password, wire::ORDINARY) {
            Ok(mut session) => session.value("SELECT 41 + 1"),
            Err(refused) => format!("{} {}", refused.code, refused.state),
        }
    });
    // Waits for that connection: a peer of the engine's socket that is not accepted yet.
    std::thread::sleep(std::time::Duration::from_millis(500));
    (engine, login)
}

#[test]
fn case_48_an_engine_that_closes_during_a_login_is_tried_once_more_unseen() {
    let server = Server::start();
    let (engine, login) = login_while_stopped(&server, "broken");
    processes::kill9(engine);
    assert_eq!(login.join().expect("the client's thread"), "42");
}

#[test]
fn case_48_an_engine_that_never_greets_ends_in_a_retryable_error_at_the_deadline() {
    let server = Server::start();
    let (engine, login) = login_while_stopped(&server, "hung");
    assert_eq!(login.join().expect("the client's thread"), "1040 08004");
    processes::kill(engine, Signal::CONT);
}
