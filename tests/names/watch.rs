//! Refused logins as a stranger observes them.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tidegate_e2e::balancer::secured_from;
use tidegate_e2e::wire::{Refused, Response};
use tidegate_e2e::{Cluster, Server};

/// Interval of the moments at which refusals are sent.
pub const TICK: Duration = Duration::from_millis(200);

/// Number of ticks above which a refusal must have waited for a recovery.
pub const LONG: u32 = 25;

/// Number of logins with each name.
pub const TRIES: usize = 20;

/// Everything that a stranger observes of a refused login.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    pub code: u16,
    pub message: String,
    pub packets: u32,
    /// Time from the credential to the refusal.
    pub ticks: u32,
}

/// Returns another network for each login, so that none is delayed by earlier failures.
pub fn fresh_source() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{}.{}.{}.9", 11 + n / 65_536, n / 256 % 256, n % 256)
}

/// Logs in with a wrong password and records what a stranger observes.
pub fn watch(server: &Server, cluster: &Cluster, user: &str) -> Seen {
    let began = Instant::now();
    let mut probe = secured_from(server, &fresh_source(), cluster);
    probe.write(2, &Response::new(user).bytes());
    let mut packets = 0;
    let mut came = Instant::now();
    loop {
        let packet = probe.expect();
        packets += 1;
        match packet.as_slice() {
            [0x01, 0x04] => {
                probe.answer(b"not it\0");
                came = Instant::now();
            }
            [0xff, ..] => {
                let Refused { code, message, .. } =
                    Refused::parse(&packet).expect("an error packet");
                let ticks =
                    u32::try_from(came.elapsed().as_millis() / TICK.as_millis()).expect("soon");
                // The wait for a recovery starts at accept, so it includes the handshake.
                let whole =
                    u32::try_from(began.elapsed().as_millis() / TICK.as_millis()).expect("soon");
                // Rounded to 5 s: on a busy machine the ends of such waits are spread over seconds.
                let ticks = if ticks > LONG {
                    (whole + 12) / 25 * 25
                } else {
                    ticks
                };
                return Seen {
                    code,
                    message,
                    packets,
                    ticks,
                };
            }
            other => panic!("what is this packet? {other:?}"),
        }
    }
}

pub fn unknown_names(n: usize) -> Vec<String> {
    const LETTERS: &[u8] = b"abcdefghjkmnpqrstuvwxyz";
    (0..n)
        .map(|i| {
            let first = char::from(LETTERS[i / LETTERS.len() % LETTERS.len()]);
            let second = char::from(LETTERS[i % LETTERS.len()]);
            format!("zz{first}{second}zzzzzzzz.root")
        })
        .collect()
}

/// Returns the code of one refused login per name, all at the same time.
pub fn codes(server: &Server, cluster: &Cluster, names: &[String]) -> Vec<u16> {
    std::thread::scope(|scope| {
        let seen: Vec<_> = names
            .iter()
            .map(|name| scope.spawn(|| watch(server, cluster, name).code))
            .collect();
        seen.into_iter()
            .map(|thread| thread.join().expect("a watcher"))
            .collect()
    })
}
