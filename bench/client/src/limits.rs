//! Every bound of the lean client, with its reason. Never a setting of what is measured.

use std::net::Ipv4Addr;
use std::time::Duration;

/// No packet before or during login comes near this; a larger one is not MySQL.
pub const LOGIN_PACKET_MAX: usize = 64 * 1024;
/// One answer of the measured queries: what idle sessions fetch once (16 KB), and room.
pub const RESULT_PACKET_MAX: usize = 1024 * 1024;
/// A server that says nothing for this long has failed the measurement. Above the 15 s that clients
/// wait to connect.
pub const SILENCE_MAX: Duration = Duration::from_secs(20);
/// Rounds of a login: greeting, a switch, full authentication and the verdict are four.
pub const AUTH_ROUNDS_MAX: usize = 6;
/// Threads of one job. Above this the client measures itself.
pub const THREADS_MAX: usize = 128;
/// Sessions held open by one job; the descriptors of one process.
pub const SESSIONS_MAX: usize = 16_000;
/// Where wrong logins come from, and how many addresses that is: 127.9.0.0/16, which is loopback
/// and nobody's default.
pub const FIRST_SOURCE: Ipv4Addr = Ipv4Addr::new(127, 9, 0, 0);
pub const SOURCES: u32 = 1 << 16;
