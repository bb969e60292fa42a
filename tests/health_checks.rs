//! Health checks of load balancers, and the time between SIGTERM and the stop.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use rustix::net::sockopt::set_socket_linger;
use rustix::process::Signal;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;
use tidegate_e2e::Server;
use tidegate_e2e::balancer::from_the_balancer;
use tidegate_e2e::console::Console;
use tidegate_e2e::limits::soon;
use tidegate_e2e::probe::{dial, read_until_ended};
use tidegate_e2e::processes;
use tidegate_e2e::session::Session;
use tidegate_e2e::wire::Refused;

/// Headers of health checks that name no client.
const NO_CLIENT: [&[u8]; 2] = [b"PROXY UNKNOWN\r\n", b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"];

/// Closes a health check's connection in order, and waits until the server has closed it too.
fn close_in_order(mut tcp: TcpStream) {
    tcp.shutdown(Shutdown::Write).expect("half closed");
    read_until_ended(&mut tcp);
}

/// Closes a connection by a reset, as HAProxy does.
fn reset(tcp: TcpStream) {
    set_socket_linger(&tcp, Some(Duration::ZERO)).expect("an option");
}

fn greeted(tcp: &mut TcpStream) {
    tcp.read_exact(&mut [0; 5]).expect("a greeting");
}

/// Connections to a server, with their ports.
struct Checks<'a> {
    server: &'a Server,
    ports: Vec<u16>,
}

impl Checks<'_> {
    /// Connects, as the balancer or another client, and sends these bytes.
    fn connect(&mut self, balanced: bool, bytes: &[u8]) -> TcpStream {
        let mut tcp = if balanced {
            from_the_balancer(self.server)
        } else {
            dial(self.server.addr())
        };
        self.ports
            .push(tcp.local_addr().expect("an address").port());
        tcp.write_all(bytes).expect("written");
        tcp
    }
}

/// Runs every kind of health check that sends no byte of MySQL. Returns their ports.
fn check_silently(console: &Console) -> Vec<u16> {
    let mut checks = Checks {
        server: &console.server,
        ports: Vec::new(),
    };
    for balanced in [false, true] {
        reset(checks.connect(balanced, b""));
        close_in_order(checks.connect(balanced, b""));
    }
    for header in NO_CLIENT {
        let mut tcp = checks.connect(true, header);
        greeted(&mut tcp);
        reset(tcp);
        close_in_order(checks.connect(true, header));
        reset(checks.connect(true, header));
    }
    let mut tcp = checks.connect(false, b"");
    greeted(&mut tcp);
    reset(tcp);
    close_in_order(checks.connect(true, b"PROXY TCP4 203.0.113.9 127.0.0.1 4711 4000\r\n"));
    checks.ports
}

/// Returns the counters that a client can increase.
fn counters(console: &Console) -> Vec<String> {
    let metrics = console.private("/metrics");
    let counted = |line: &&str| !line.starts_with('#') && line.contains("_total");
    metrics.lines().filter(counted).map(str::to_owned).collect()
}

#[test]
fn checks_that_send_nothing_are_neither_logged_nor_counted() {
    let console = Console::start("[gateway]\nproxy_networks = [\"127.0.0.3\"]\n");
    let before = counters(&console);
    assert!(before.len() > 10, "{before:?}");
    let silent = check_silently(&console);
    assert_eq!(counters(&console), before);
    // A client that sends something is logged, and a balancer that breaks off its header.
    let mut loud = Checks {
        server: &console.server,
        ports: Vec::new(),
    };
    close_in_order(loud.connect(false, b"GET / HTTP/1.1\r\n\r\n"));
    close_in_order(loud.connect(true, b"PROX"));
    for port in loud.ports {
        soon("the line of a client that sent something", || {
            (lines_of(&console, port) == 1).then_some(())
        });
    }
    for port in silent {
        assert_eq!(lines_of(&console, port), 0, "{}", console.server.log());
    }
    // One refusal more, and nothing else that an alert would watch.
    assert_eq!(refusals(&counters(&console)) - refusals(&before), 1.0);
}

/// Returns the number of the log's lines about the connection from this port.
fn lines_of(console: &Console, port: u16) -> usize {
    let client = format!(":{port}\"");
    let log = console.server.log();
    log.lines().filter(|line| line.contains(&client)).count()
}

/// Returns the sum of the counted refusals.
fn refusals(counters: &[String]) -> f64 {
    counters
        .iter()
        .filter(|line| line.contains("refusals_total"))
        .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
        .sum()
}

#[test]
fn after_sigterm_the_server_is_not_ready_but_accepts_until_the_delay_is_over() {
    let mut console = Console::start("[gateway]\ndrain_delay = \"120s\"\n");
    let cluster = console.server.create("late");
    soon("readiness", || {
        (console.private("/readyz") == "ready\n").then_some(())
    });
    assert_eq!(console.private("/livez"), "ok\n");
    let mut early = Session::open(&cluster);
    processes::kill(console.server.pid(), Signal::TERM);
    soon("the end of readiness", || {
        (console.private("/readyz") == "draining\n").then_some(())
    });
    assert_eq!(console.private("/livez"), "ok\n", "it must not be killed");
    let metrics = console.private("/metrics");
    assert!(metrics.contains("\ntidegate_ready 0\n"), "{metrics}");
    let mut session = Session::open(&cluster);
    assert_eq!(session.value("SELECT 40 + 2"), "42");
    // Sessions are not told before the delay is over.
    assert_eq!(early.value("SELECT 40 + 2"), "42");
    // The harness sends a second SIGTERM, which ends the wait.
    assert_eq!(console.server.stop(), 0);
    let log = console.server.log();
    let drained = log.find("\"draining: not ready").expect("in the log");
    let stopped = log.find("\"stopping\"").expect("in the log");
    assert!(drained < stopped, "{log}");
    for session in [&mut early, &mut session] {
        let packet = session.probe.payload().unwrap().expect("a last packet");
        assert_eq!(Refused::parse(&packet).expect("an error").code, 1053);
        session.probe.until_closed();
    }
}

#[test]
fn the_delay_ends_by_itself() {
    let mut console = Console::start("[gateway]\ndrain_delay = \"200ms\"\n");
    processes::kill(console.server.pid(), Signal::TERM);
    console.server.wait_log("\"stopping\"");
    assert!(console.server.log().contains("\"draining: not ready"));
    assert_eq!(console.server.stop(), 0);
}
