//! Two connections that fall silent, one after the greeting and one after its TLS request, and how long they may hold
//! their places. It sends nothing that anybody would have to work for.

use super::Place;
use crate::finding::Verdict;
use crate::link::{End, Link};
use crate::packet::Greeting;
use crate::probes::greeting::offers_tls;

/// More than a goodbye in clear text or an alert is not read.
const GOODBYE_MAX: usize = 4096;

/// Watches both at once; `held` has been greeted already.
pub(crate) fn watch(place: &Place<'_>, held: Link, greeting: &Greeting) -> (Verdict, String) {
    let stalled = if offers_tls(greeting) { place.asked().ok() } else { None };
    std::thread::scope(|scope| {
        let second = scope.spawn(|| stalled.map(|link| wait(place, link)));
        let first = wait(place, held);
        let second = second.join().unwrap_or_default();
        verdict(place, first, second)
    })
}

/// Seconds until it was closed; None if it was not.
fn wait(place: &Place<'_>, mut link: Link) -> Option<u64> {
    let began = std::time::Instant::now();
    link.end_in(place.settings.silence_max);
    match link.gather(GOODBYE_MAX).1 {
        End::Silent | End::Full => None,
        End::Closed | End::Reset => Some(began.elapsed().as_secs()),
    }
}

fn verdict(place: &Place<'_>, first: Option<u64>, second: Option<Option<u64>>) -> (Verdict, String) {
    let limit = place.settings.silence_max.as_secs();
    let words = |what: &str, after: Option<u64>| match after {
        Some(seconds) => format!("{what} closed after {seconds} s"),
        None => format!("{what} still open after {limit} s"),
    };
    let mut evidence = words("after the greeting:", first);
    if let Some(second) = second {
        evidence.push_str(&words("; after the TLS request:", second));
    }
    let good = first.is_some() && second.is_none_or(|s| s.is_some());
    (if good { Verdict::Pass } else { Verdict::Warn }, evidence)
}
