//! Page of the certificate of the endpoint, and the download of the CA file.

mod view;

#[cfg(test)]
pub mod sample;

use super::frame::{Frame, MenuEntry, Visitor};
use super::problem::not_found;
use super::respond::html_page;
use super::words::{Moment, sentence, span};
use crate::auth::SignedIn;
use crate::state::Web;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use std::path::Path;
use std::time::{Duration, SystemTime};
use tidegate_model::{Trust, error_chain};
use tidegate_tls::{CertificateStatus, HistoryEntry, HistoryEvent, LeafStatus, TlsError};
use view::{CertificatePage, ChainLink, HistoryRow, LeafView};

pub async fn show_certificate(State(web): State<Web>, who: SignedIn) -> Response {
    let identity = web.api.identity.clone();
    let own = web.api.console_identity.clone();
    let read_status = move || {
        Ok::<_, TlsError>((
            identity.status()?,
            own.map(|identity| identity.status()).transpose()?,
        ))
    };
    // It may read the history from disk.
    let (status, console) = match tokio::task::spawn_blocking(read_status).await {
        Ok(Ok(status)) => status,
        Ok(Err(error)) => {
            let error = error_chain(&error);
            tracing::error!(error, "the certificate can't be read");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
        Err(_) => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    };
    let mut leaves = vec![leaf_view("Current", &status.served, &status)];
    leaves.extend(
        status
            .served_rsa
            .as_ref()
            .map(|rsa| leaf_view("For clients that support only RSA", rsa, &status)),
    );
    let mut alarms: Vec<String> = status
        .alarms
        .iter()
        .map(|alarm| sentence(&alarm.what))
        .collect();
    let mut history: Vec<(i64, HistoryRow)> = status
        .history
        .iter()
        .map(|entry| (entry.at, history_row("", entry)))
        .collect();
    if let Some(console) = &console {
        leaves.push(leaf_view("For this console", &console.served, console));
        alarms.extend(
            console
                .alarms
                .iter()
                .map(|alarm| format!("This console: {}", sentence(&alarm.what))),
        );
        history.extend(
            console
                .history
                .iter()
                .map(|entry| (entry.at, history_row("This console: ", entry))),
        );
        history.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    }
    let shown = CertificatePage {
        frame: Frame::of(&who, "Certificate", MenuEntry::Certificate),
        trust_line: trust_text(&status.trust),
        ca_offered: status.trust.ca_path().is_some(),
        alarms,
        leaves,
        chain: chain_links(&status),
        history: history.into_iter().map(|(_, row)| row).collect(),
    };
    html_page(StatusCode::OK, &shown)
}

fn trust_text(trust: &Trust) -> &'static str {
    match trust {
        Trust::Public => "Publicly trusted: clients need no CA file.",
        Trust::Private(Some(_)) => "Signed by a CA of your organisation: clients need its CA file.",
        Trust::Private(None) => {
            "Signed by a CA of your organisation, which clients are expected to trust."
        }
        Trust::Local(_) => "Signed by this server's own CA: clients need its CA file.",
    }
}

fn leaf_view(heading: &'static str, leaf: &LeafStatus, status: &CertificateStatus) -> LeafView {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let life = leaf.not_after - leaf.not_before;
    let lived = now - leaf.not_before;
    let left = u64::try_from(leaf.not_after - now).unwrap_or_default();
    LeafView {
        heading,
        key: leaf.key.to_uppercase(),
        names: leaf.names.clone(),
        issuer: leaf.issuer.clone(),
        serial: leaf.serial.clone(),
        fingerprint: leaf.fingerprint.clone(),
        not_before: Moment::from_unix(leaf.not_before),
        not_after: Moment::from_unix(leaf.not_after),
        spent: u8::try_from((lived.saturating_mul(100) / life.max(1)).clamp(0, 100)).unwrap_or(100),
        left: if left == 0 {
            "expired".to_owned()
        } else {
            format!("{} left", span(Duration::from_secs(left)))
        },
        renewal: renewal_text(leaf, status),
    }
}

/// Returns time and source of the next certificate.
fn renewal_text(leaf: &LeafStatus, status: &CertificateStatus) -> String {
    let kept = status
        .acme
        .as_ref()
        .and_then(|acme| acme.certificates.iter().find(|kept| kept.key == leaf.key));
    match (status.source, kept.and_then(|kept| kept.renew_at)) {
        (_, Some(at)) => format!("about {}, from ACME", Moment::from_unix(at).day()),
        ("acme", None) => "when the CA answers".to_owned(),
        ("local", _) => {
            // The local CA renews a certificate after two thirds of its lifetime.
            let at = leaf.not_before + (leaf.not_after - leaf.not_before) / 3 * 2;
            format!("about {}, automatically", Moment::from_unix(at).day())
        }
        _ => "when its files change".to_owned(),
    }
}

fn chain_links(status: &CertificateStatus) -> Vec<ChainLink> {
    let links = status.chain.iter().enumerate().map(|(i, link)| ChainLink {
        role: if i == 0 { "Certificate" } else { "Issuer" },
        subject: if link.subject.is_empty() {
            "no subject, only names".to_owned()
        } else {
            link.subject.clone()
        },
        expiry: format!("expires {}", Moment::from_unix(link.not_after).day()),
    });
    let root = status.chain.last().map(|link| ChainLink {
        role: "Root",
        subject: link.issuer.clone(),
        expiry: "not sent: clients have it".to_owned(),
    });
    links.chain(root).collect()
}

fn history_row(whose: &str, entry: &HistoryEntry) -> HistoryRow {
    let (what, class) = match &entry.what {
        HistoryEvent::Served {
            key,
            names,
            not_after,
            ..
        } => {
            let expires = Moment::from_unix(*not_after).day();
            (
                format!(
                    "New {} certificate for {}, valid until {expires}.",
                    key.to_uppercase(),
                    names.join(", ")
                ),
                "good",
            )
        }
        HistoryEvent::Rejected { reason } => (
            format!("New certificate rejected: {}", sentence(reason)),
            "bad",
        ),
        HistoryEvent::Alarm { reason, .. } => (sentence(reason), "bad"),
    };
    HistoryRow {
        at: Moment::from_unix(entry.at),
        what: format!("{whose}{what}"),
        class,
    }
}

/// Serves the CA file that clients need, to anybody who can reach the console. With a publicly
/// trusted certificate, there is none.
pub async fn ca_file(State(web): State<Web>, visitor: Visitor) -> Response {
    let trust = web.api.identity.trust();
    let Some(path) = trust.ca_path().map(Path::to_path_buf) else {
        return not_found(&visitor);
    };
    match tokio::task::spawn_blocking(move || std::fs::read(path)).await {
        Ok(Ok(pem)) => {
            let kind = (CONTENT_TYPE, "application/x-pem-file");
            (
                [
                    kind,
                    (
                        CONTENT_DISPOSITION,
                        "attachment; filename=\"tidegate-ca.pem\"",
                    ),
                ],
                pem,
            )
                .into_response()
        }
        _ => not_found(&visitor),
    }
}
