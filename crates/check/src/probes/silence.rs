//! Probe of idle connections: silent after the greeting, silent after the TLS request, and one that
//! sends a packet byte by byte. The server must close each of them. It sends nothing that costs the
//! server work.

use super::ProbeTarget;
use crate::finding::FindingVerdict;
use crate::limits::DRIP_PAUSE;
use crate::link::{End, Link};
use crate::packet::{self, Greeting};
use crate::probes::greeting::offers_tls;
use std::io::Write;
use std::time::{Duration, Instant};

/// Maximum number of bytes read before the end: an error packet or an alert.
const GOODBYE_MAX: usize = 4096;

/// Watches all three at the same time. `held` has read its greeting.
pub(crate) fn watch(
    place: &ProbeTarget<'_>,
    held: Link,
    greeting: &Greeting,
) -> (FindingVerdict, String) {
    let wait = place.settings.silence_max;
    let stalled = if offers_tls(greeting) {
        place.asked().ok()
    } else {
        None
    };
    let dripping = place.greeted().ok();
    std::thread::scope(|scope| {
        let stalled = stalled.map(|link| scope.spawn(move || silent(link, wait)));
        let dripping = dripping.map(|link| scope.spawn(move || drip(link, wait)));
        let mut seen = vec![("idle", silent(held, wait))];
        // A connection that could not be opened has no result.
        let others = [
            ("idle after the TLS request", stalled),
            ("dripping", dripping),
        ];
        seen.extend(
            others
                .into_iter()
                .filter_map(|(what, one)| Some((what, one?.join().ok()?))),
        );
        verdict(&seen, wait)
    })
}

/// Returns the seconds until the connection was closed; None if it was not.
fn silent(mut link: Link, wait: Duration) -> Option<u64> {
    let began = Instant::now();
    link.end_in(wait);
    is_over(&mut link).then(|| began.elapsed().as_secs())
}

/// Sends a packet byte by byte, with a delay after each. A server whose timeout restarts with every
/// byte never closes it.
fn drip(mut link: Link, wait: Duration) -> Option<u64> {
    let began = Instant::now();
    let request = packet::frame(1, &packet::ssl_request());
    // The same packet again and again, so that there is always a next byte.
    for byte in request.iter().cycle() {
        let left = wait.checked_sub(began.elapsed())?;
        link.end_in(left.min(DRIP_PAUSE));
        if link.write_all(&[*byte]).is_err() || is_over(&mut link) {
            break;
        }
    }
    Some(began.elapsed().as_secs())
}

/// Whether the server closed the connection, within the link's deadline.
fn is_over(link: &mut Link) -> bool {
    match link.gather(GOODBYE_MAX).1 {
        End::Silent | End::Full => false,
        End::Closed | End::Reset => true,
    }
}

fn verdict(seen: &[(&str, Option<u64>)], wait: Duration) -> (FindingVerdict, String) {
    let words = |(what, after): &(&str, Option<u64>)| match after {
        Some(seconds) => format!("{what}: closed after {seconds} s"),
        None => format!("{what}: still open after {} s", wait.as_secs()),
    };
    let evidence = seen.iter().map(words).collect::<Vec<_>>().join("; ");
    (
        if seen.iter().all(|(_, after)| after.is_some()) {
            FindingVerdict::Pass
        } else {
            FindingVerdict::Warn
        },
        evidence,
    )
}
