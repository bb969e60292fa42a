//! Ports for servers that tests start. Each is given once among all test processes that run at a
//! time. Other rooms' tests use this file too.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "without a port a test can't go on"
)]

use std::net::{Ipv4Addr, TcpListener};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the range that the kernel takes ports of outgoing connections from (32768 upwards by
/// default): a port of that range may be in use again between the search for it and the start of
/// the server.
pub const PORTS: std::ops::Range<u16> = 12_000..32_000;

/// Returns a port that nothing listens on, and that no other test is given until this process ends.
///
/// The kernel gives a free port to the next one who asks, so two tests that only asked it could get
/// the same port: one server would fail to start, and its test would meet the other's server.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Each process begins elsewhere, so that the first attempt succeeds nearly always.
    let start = (std::process::id().wrapping_mul(7919) % u32::from(PORTS.end - PORTS.start)) as u16;
    for _ in PORTS {
        let offset =
            start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % (PORTS.end - PORTS.start);
        let port = PORTS.start + offset;
        if claimed(port) && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no port of {PORTS:?} is free");
}

/// Claims a port by an abstract socket name, which the kernel frees when this process ends, however
/// it ends.
pub fn claimed(port: u16) -> bool {
    let name =
        SocketAddr::from_abstract_name(format!("tidegate-test-port-{port}")).expect("a short name");
    match UnixListener::bind_addr(&name) {
        Ok(claim) => {
            // Kept open until the process ends: a server may be started again on its port.
            std::mem::forget(claim);
            true
        }
        Err(_) => false,
    }
}
