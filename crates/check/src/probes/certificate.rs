//! Probe of the certificate: completeness, trust, name, validity, strength of its chain, and the
//! chains of the name's other addresses. It sends no login.

use super::ProbeTarget;
use crate::chain::{Chain, ChainFacts, ChainShape, Trust, mozilla};
use crate::finding::{FindingKind, FindingVerdict};
use crate::limits::LIFE_LEFT_WISHED;
use crate::report::FindingSheet;
use crate::settings::{Roots, Settings};
use crate::tls::{self, BOTH, Client, Offer};
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, ServerName};
use std::net::SocketAddr;
use time::OffsetDateTime;

/// Maximum number of a certificate's names in the evidence.
const NAMES_SHOWN: usize = 5;

/// Judges a chain. Returns whether a client that verifies everything would accept it now.
pub(crate) fn judge_certificate(
    settings: &Settings,
    name: &ServerName<'_>,
    sent: &[CertificateDer<'static>],
    now: OffsetDateTime,
    sheet: &mut FindingSheet,
) -> bool {
    let chain = match Chain::read(sent.to_vec()) {
        Ok(chain) => chain,
        Err(why) => {
            sheet.fail(FindingKind::ChainSent, why);
            return false;
        }
    };
    let Some(leaf) = chain.leaf() else {
        return false;
    };
    let roots = settings.roots.as_ref();
    shape(roots, &chain, sheet);
    let trusted = trust(roots, &chain, now, sheet);
    let named = names(name, &chain, leaf, sheet);
    let (valid, evidence) = validity(leaf, now);
    sheet.put(FindingKind::Validity, valid, evidence);
    let (strong, evidence) = strength(&chain);
    sheet.put(FindingKind::Key, strong, evidence);
    let (verdict, evidence) = pinned(&chain, &x1(), now);
    sheet.put(FindingKind::Pinned, verdict, evidence);
    trusted && named && valid != FindingVerdict::Fail
}

/// Judges the chains of the name's other addresses, with one handshake each.
pub(crate) fn elsewhere(place: &ProbeTarget<'_>, others: &[SocketAddr], sheet: &mut FindingSheet) {
    if others.is_empty() {
        return sheet.skip(FindingKind::EveryAddress, "one address only");
    }
    let faults: Vec<_> = others
        .iter()
        .filter_map(|address| Some((address, fault(place, *address)?)))
        .collect();
    if faults.is_empty() {
        return sheet.pass(
            FindingKind::EveryAddress,
            format!("the other {} verify too", others.len()),
        );
    }
    let words: Vec<_> = faults
        .iter()
        .map(|(address, why)| format!("{address}: {why}"))
        .collect();
    sheet.fail(FindingKind::EveryAddress, words.join("; "));
}

fn fault(place: &ProbeTarget<'_>, address: SocketAddr) -> Option<String> {
    let there = ProbeTarget {
        address,
        name: place.name.clone(),
        ..*place
    };
    let client = match Client::new(&Offer {
        versions: BOTH,
        sni: true,
        alpn: &[],
    }) {
        Ok(client) => client,
        Err(error) => return Some(error.to_string()),
    };
    if let Err((error, _)) = there.shake(&client, &there.name) {
        return Some(tls::reason(&error));
    }
    let chain = match Chain::read(client.chain()) {
        Ok(chain) => chain,
        Err(why) => return Some(why),
    };
    let now = OffsetDateTime::now_utc();
    let (verdict, dates) = chain.leaf().map(|leaf| validity(leaf, now))?;
    match chain.trust(place.settings.roots.as_ref(), now) {
        Trust::None(why) => Some(why),
        _ if !chain.is_for(&place.name) => Some("not for this name".to_owned()),
        _ => (verdict == FindingVerdict::Fail).then_some(dates),
    }
}

fn shape(private: Option<&Roots>, chain: &Chain, sheet: &mut FindingSheet) {
    let public = mozilla();
    let roots: Vec<&RootCertStore> = std::iter::once(&public)
        .chain(private.map(|r| &r.store))
        .collect();
    match chain.shape(&roots) {
        ChainShape::Whole {
            certificates: 1,
            top,
        } => sheet.pass(
            FindingKind::ChainSent,
            format!("1 certificate, under {top}"),
        ),
        ChainShape::Whole { certificates, top } => {
            sheet.pass(
                FindingKind::ChainSent,
                format!("{certificates} certificates, up to {top}"),
            );
        }
        ChainShape::Untidy(how) => sheet.warn(FindingKind::ChainSent, how),
        ChainShape::Unknown(issuer) if private.is_none() => {
            sheet.skip(
                FindingKind::ChainSent,
                format!("`{issuer}` is no public CA: its file can be given with --ca"),
            );
        }
        ChainShape::Missing(issuer) | ChainShape::Unknown(issuer) => {
            sheet.fail(
                FindingKind::ChainSent,
                format!("the issuer `{issuer}` was not sent, and is no known root"),
            );
        }
    }
}

fn trust(
    roots: Option<&Roots>,
    chain: &Chain,
    now: OffsetDateTime,
    sheet: &mut FindingSheet,
) -> bool {
    match chain.trust(roots, now) {
        Trust::Public if roots.is_some() => {
            sheet.pass(FindingKind::Trust, "public: the CA file is not needed")
        }
        Trust::Public => sheet.pass(FindingKind::Trust, "public: a root of Mozilla's list"),
        Trust::Private => sheet.pass(
            FindingKind::Trust,
            format!("private: a root of {}", file_of(roots)),
        ),
        Trust::SelfSigned {
            is_refused_by_rustls,
        } => sheet.pass(
            FindingKind::Trust,
            self_signed_words(roots, is_refused_by_rustls),
        ),
        Trust::None(why) => {
            sheet.fail(FindingKind::Trust, why);
            return false;
        }
    }
    true
}

fn file_of(roots: Option<&Roots>) -> String {
    roots
        .map(|roots| roots.file.display().to_string())
        .unwrap_or_default()
}

fn self_signed_words(roots: Option<&Roots>, is_refused_by_rustls: bool) -> String {
    let file = file_of(roots);
    if is_refused_by_rustls {
        format!(
            "private: self-signed, and in {file}; clients with rustls refuse it, because it is a \
             CA's certificate"
        )
    } else {
        format!("private: self-signed, and in {file}")
    }
}

fn names(
    name: &ServerName<'_>,
    chain: &Chain,
    leaf: &ChainFacts,
    sheet: &mut FindingSheet,
) -> bool {
    let mut names: Vec<&str> = leaf.names.iter().map(String::as_str).collect();
    let more = names.len().saturating_sub(NAMES_SHOWN);
    names.truncate(NAMES_SHOWN);
    let mut text = if names.is_empty() {
        format!("no alternative names; {}", leaf.subject)
    } else {
        names.join(", ")
    };
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    if chain.is_for(name) {
        sheet.pass(FindingKind::Name, text);
        true
    } else {
        sheet.fail(
            FindingKind::Name,
            format!("not for {}: {text}", name.to_str()),
        );
        false
    }
}

fn validity(leaf: &ChainFacts, now: OffsetDateTime) -> (FindingVerdict, String) {
    if now < leaf.not_before {
        return (
            FindingVerdict::Fail,
            format!("valid only from {}", leaf.not_before.date()),
        );
    }
    if now >= leaf.not_after {
        return (
            FindingVerdict::Fail,
            format!("expired on {}", leaf.not_after.date()),
        );
    }
    let left = leaf.not_after - now;
    let life = leaf.not_after - leaf.not_before;
    let evidence = format!(
        "{} of {} days left, until {}",
        left.whole_days(),
        life.whole_days(),
        leaf.not_after.date()
    );
    let share = left.as_seconds_f64() / life.as_seconds_f64();
    (
        if share < LIFE_LEFT_WISHED {
            FindingVerdict::Warn
        } else {
            FindingVerdict::Pass
        },
        evidence,
    )
}

fn strength(chain: &Chain) -> (FindingVerdict, String) {
    let public = mozilla();
    for facts in &chain.facts {
        if facts.key.is_weak() {
            return (
                FindingVerdict::Fail,
                format!("{} has {}", facts.subject, facts.key),
            );
        }
        // The signature of a root is not verified, neither its own nor that of an older root.
        if facts.has_weak_signature() && !facts.is_self_issued() && !facts.is_named_in(&public) {
            return (
                FindingVerdict::Fail,
                format!("{} is signed with SHA-1 or MD5", facts.subject),
            );
        }
    }
    (
        FindingVerdict::Pass,
        chain
            .facts
            .iter()
            .map(|f| f.key.to_string())
            .collect::<Vec<_>>()
            .join(", "),
    )
}

fn x1() -> RootCertStore {
    let is_x1 = |subject: &[u8]| subject.windows(12).any(|w| w == b"ISRG Root X1");
    let anchors = webpki_roots::TLS_SERVER_ROOTS
        .iter()
        .filter(|root| is_x1(root.subject.as_ref()));
    RootCertStore {
        roots: anchors.cloned().collect(),
    }
}

fn pinned(chain: &Chain, x1: &RootCertStore, now: OffsetDateTime) -> (FindingVerdict, String) {
    if !chain.is_lets_encrypt() {
        return (
            FindingVerdict::Skip,
            "not a chain of Let's Encrypt".to_owned(),
        );
    }
    match chain.verify(x1, now) {
        Ok(()) => (
            FindingVerdict::Pass,
            "it verifies with ISRG Root X1 alone".to_owned(),
        ),
        Err(why) => (
            FindingVerdict::Warn,
            format!("with ISRG Root X1 alone: {why}"),
        ),
    }
}
