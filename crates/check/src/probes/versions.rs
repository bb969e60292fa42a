//! Probe of old versions and suites: SSL, TLS 1.0 and 1.1, broken and legacy suites. The hellos are
//! written by hand, and no second message follows.

use super::ProbeTarget;
use crate::finding::{FindingKind, FindingVerdict};
use crate::hello::{
    BROKEN_SUITES, Hello, HelloAnswer, LEGACY_SUITES, OLD_SUITES, ask_ssl2, suite_name,
    version_name,
};
use crate::limits::REFUSAL_MAX;
use crate::link::{End, Link};
use crate::report::FindingSheet;

pub(crate) fn probe_versions(place: &ProbeTarget<'_>, sheet: &mut FindingSheet) {
    let old = Hello {
        version: 0x0302,
        suites: OLD_SUITES,
        signature_algorithms: false,
        supported_versions: &[],
    };
    // The form in which a TLS 1.3 client would ask for 1.1.
    let listed = Hello {
        version: 0x0303,
        signature_algorithms: true,
        supported_versions: &[0x0302, 0x0301],
        ..old.clone()
    };
    let ssl3 = Hello {
        version: 0x0300,
        ..old.clone()
    };
    let broken = Hello {
        version: 0x0303,
        suites: BROKEN_SUITES,
        signature_algorithms: true,
        supported_versions: &[],
    };
    let legacy = Hello {
        suites: LEGACY_SUITES,
        ..broken.clone()
    };
    refused(
        sheet,
        FindingKind::OldTls,
        &[ask(place, |l| old.ask(l)), ask(place, |l| listed.ask(l))],
        FindingVerdict::Fail,
    );
    refused(
        sheet,
        FindingKind::Ssl,
        &[ask(place, |l| ssl3.ask(l)), ask(place, ask_ssl2)],
        FindingVerdict::Fail,
    );
    refused(
        sheet,
        FindingKind::WeakSuites,
        &[ask(place, |l| broken.ask(l))],
        FindingVerdict::Fail,
    );
    refused(
        sheet,
        FindingKind::LegacySuites,
        &[ask(place, |l| legacy.ask(l))],
        FindingVerdict::Warn,
    );
}

fn ask(
    place: &ProbeTarget<'_>,
    hello: impl Fn(&mut Link) -> HelloAnswer,
) -> Result<HelloAnswer, String> {
    let mut link = place.asked().map_err(|e| format!("no greeting: {e}"))?;
    link.end_in(REFUSAL_MAX);
    Ok(hello(&mut link))
}

/// Judges the answers. An alert and a close are both refusals.
fn refused(
    sheet: &mut FindingSheet,
    kind: FindingKind,
    answers: &[Result<HelloAnswer, String>],
    taken: FindingVerdict,
) {
    let mut words = Vec::new();
    let mut worst = FindingVerdict::Pass;
    for answer in answers {
        let (verdict, text) = match answer {
            Ok(HelloAnswer::ServerHello { version, suite }) => (
                taken,
                format!(
                    "{} with {} was accepted",
                    version_name(*version),
                    suite_name(*suite)
                ),
            ),
            Ok(HelloAnswer::OldServerHello) => (taken, "a hello of SSL 2 was answered".to_owned()),
            Ok(HelloAnswer::Alert(_) | HelloAnswer::Ended(End::Closed | End::Reset)) => {
                (FindingVerdict::Pass, words_of(answer))
            }
            Ok(HelloAnswer::Ended(_)) => (FindingVerdict::Warn, "no answer within 3 s".to_owned()),
            Ok(HelloAnswer::Other(_)) => (FindingVerdict::Warn, words_of(answer)),
            Err(why) => (FindingVerdict::Skip, why.clone()),
        };
        worst = worst.max(verdict);
        // Both hellos of a finding often get the same answer, which is shown once.
        if !words.contains(&text) {
            words.push(text);
        }
    }
    sheet.put(kind, worst, words.join("; "));
}

fn words_of(answer: &Result<HelloAnswer, String>) -> String {
    match answer {
        Ok(answer) => answer.to_string(),
        Err(why) => why.clone(),
    }
}
