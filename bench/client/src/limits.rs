//! Limits of the lean client, with their reasons. They do not affect the server that is measured.

use std::net::Ipv4Addr;
use std::time::Duration;

/// Largest packet before or during a login. No server comes near it.
pub const LOGIN_PACKET_MAX: usize = 64 * 1024;
/// Largest packet of an answer. Idle sessions fetch 16 KB once.
pub const RESULT_PACKET_MAX: usize = 1024 * 1024;
/// Longest silence of a server before the measurement fails. Longer than the 15 s that clients wait
/// to connect.
pub const SILENCE_MAX: Duration = Duration::from_secs(20);
/// Most rounds of a login. Greeting, a switch, full authentication and the result are four.
pub const AUTH_ROUNDS_MAX: usize = 6;
/// Most threads of one job. With more, the client would measure itself.
pub const THREADS_MAX: usize = 128;
/// Most sessions of one job, limited by the descriptors of a process.
pub const SESSIONS_MAX: usize = 16_000;
/// First source address of wrong logins, in 127.9.0.0/16, which is loopback and nobody's default.
pub const FIRST_SOURCE: Ipv4Addr = Ipv4Addr::new(127, 9, 0, 0);
/// Number of source addresses.
pub const SOURCES: u32 = 1 << 16;
