//! Servers that send arbitrary bytes: the check ends, its report is complete, and its text contains
//! no control characters.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod support;

use std::io::Write;
use support::crooked::{Crooked, greeting, packet};
use support::{judge, settings};

/// A server that sends these bytes, after a greeting that offers TLS or instead of one, and then
/// closes.
fn hostile(said: Vec<u8>, greets: bool) -> Crooked {
    Crooked::start(move |mut stream| {
        if greets {
            let _ = stream.write_all(&greeting("8.0.36", true));
            let _ = packet(&mut stream);
        }
        let _ = stream.write_all(&said);
    })
}

/// Beginnings of what a server sends: nothing known, a TLS handshake record, an alert, an error
/// packet.
const HEADS: &[&[u8]] = &[&[], &[22, 3, 3], &[21, 3, 3, 0, 2], &[0x20, 0, 0, 2, 0xff]];

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(24))]

    #[test]
    fn whatever_a_server_says_the_report_is_whole_and_safe(
        said in proptest::collection::vec(proptest::num::u8::ANY, 0..200),
        head in proptest::sample::select(HEADS),
        greets in proptest::bool::ANY,
    ) {
        let server = hostile([head, &said].concat(), greets);
        let judged = judge(&settings(server.port));
        let counts = judged.0.counts;
        let all = counts.pass + counts.warn + counts.fail + counts.skip;
        proptest::prop_assert_eq!(all, tidegate_check::FindingKind::ALL.len());
        proptest::prop_assert!(counts.fail > 0, "nobody passes by saying {:?}", judged.text());
        let text = judged.text();
        proptest::prop_assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
    }
}
