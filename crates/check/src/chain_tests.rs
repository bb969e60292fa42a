//! Tests with the chains that two public servers sent in 2026, at a time when they were valid. None
//! may cause a false alarm.

use crate::finding::{FindingKind, FindingVerdict};
use crate::probes::certificate;
use crate::report::{CheckFinding, FindingSheet};
use crate::settings::Settings;
use rustls::pki_types::{CertificateDer, ServerName};
use std::path::Path;
use time::{Date, Month, OffsetDateTime, Time};

/// Both leaves were valid at this time.
fn then() -> OffsetDateTime {
    OffsetDateTime::new_utc(
        Date::from_calendar_date(2026, Month::July, 20).unwrap(),
        Time::MIDNIGHT,
    )
}

fn sent(name: &str) -> Vec<CertificateDer<'static>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/public")
        .join(name);
    (1..=4)
        .map(|n| CertificateDer::from(std::fs::read(folder.join(format!("{n}.der"))).unwrap()))
        .collect()
}

fn judged(host: &str, sent: &[CertificateDer<'static>], now: OffsetDateTime) -> Vec<CheckFinding> {
    let settings = Settings::new(host.parse().unwrap());
    let mut sheet = FindingSheet::default();
    certificate::judge_certificate(
        &settings,
        &ServerName::try_from(host.to_owned()).unwrap(),
        sent,
        now,
        &mut sheet,
    );
    sheet.close("not judged")
}

#[track_caller]
fn is(findings: &[CheckFinding], kind: FindingKind, verdict: FindingVerdict, words: &str) {
    let found = findings.iter().find(|f| f.kind == kind).unwrap();
    assert_eq!(found.verdict, verdict, "{kind:?}: {}", found.evidence);
    assert!(
        found.evidence.contains(words),
        "{kind:?}: {}",
        found.evidence
    );
}

#[test]
fn a_chain_of_lets_encrypt_passes_whole_and_with_its_oldest_root_alone() {
    let chain = sent("letsencrypt.org");
    let findings = judged("letsencrypt.org", &chain, then());
    is(
        &findings,
        FindingKind::ChainSent,
        FindingVerdict::Pass,
        "4 certificates, up to ISRG Root X1",
    );
    is(
        &findings,
        FindingKind::Trust,
        FindingVerdict::Pass,
        "public",
    );
    is(
        &findings,
        FindingKind::Name,
        FindingVerdict::Pass,
        "letsencrypt.org",
    );
    is(
        &findings,
        FindingKind::Validity,
        FindingVerdict::Pass,
        "76 of 89 days left, until 2026-10-04",
    );
    is(
        &findings,
        FindingKind::Key,
        FindingVerdict::Pass,
        "EC 256, EC 384",
    );
    is(
        &findings,
        FindingKind::Pinned,
        FindingVerdict::Pass,
        "with ISRG Root X1 alone",
    );

    // A trimmed chain, which verifies with X2 but not with X1.
    let findings = judged("letsencrypt.org", chain.get(..3).unwrap(), then());
    is(
        &findings,
        FindingKind::ChainSent,
        FindingVerdict::Pass,
        "3 certificates, up to ISRG Root X2",
    );
    is(
        &findings,
        FindingKind::Trust,
        FindingVerdict::Pass,
        "public",
    );
    is(
        &findings,
        FindingKind::Pinned,
        FindingVerdict::Warn,
        "no trusted root",
    );

    // The newest root is in no trust list yet, so its cross-signed form must be sent.
    let findings = judged("letsencrypt.org", chain.get(..2).unwrap(), then());
    is(
        &findings,
        FindingKind::ChainSent,
        FindingVerdict::Fail,
        "`Root YE (ISRG)` was not sent",
    );
    is(&findings, FindingKind::Trust, FindingVerdict::Fail, "");
    let later = then() + time::Duration::days(80);
    is(
        &judged("letsencrypt.org", &chain, later),
        FindingKind::Validity,
        FindingVerdict::Fail,
        "expired on 2026-10-04",
    );
    is(
        &judged("example.org", &chain, then()),
        FindingKind::Name,
        FindingVerdict::Fail,
        "not for example.org",
    );
}

#[test]
fn a_chain_that_goes_on_to_a_root_that_nobody_has_any_more_is_whole() {
    let findings = judged("aws.amazon.com", &sent("aws.amazon.com"), then());
    is(
        &findings,
        FindingKind::ChainSent,
        FindingVerdict::Pass,
        "4 certificates, up to ",
    );
    is(
        &findings,
        FindingKind::Trust,
        FindingVerdict::Pass,
        "public",
    );
    is(
        &findings,
        FindingKind::Key,
        FindingVerdict::Pass,
        "RSA 2048",
    );
    is(
        &findings,
        FindingKind::Pinned,
        FindingVerdict::Skip,
        "not a chain of Let's Encrypt",
    );
}
