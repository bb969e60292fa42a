//! Later round of a watch without an account: one connection with a handshake, the certificate, and
//! a login of an unknown user, which must fail. So the server never counts a connection that ended
//! before a login.

use super::made_up::{NOBODY, made_up_password};
use super::{ProbeTarget, certificate};
use crate::finding::FindingKind;
use crate::limits::PROBE_MAX;
use crate::link::Link;
use crate::login;
use crate::packet::{self, Greeting};
use crate::report::FindingSheet;
use crate::tls::{self, BOTH, Client, Offer};
use std::io;
use time::OffsetDateTime;

/// Runs the round. Returns the reason for which the other findings are skipped.
pub(crate) fn probe_again(
    place: &ProbeTarget<'_>,
    greeting: &Greeting,
    link: Link,
    sheet: &mut FindingSheet,
) -> &'static str {
    let Ok(client) = Client::new(&Offer {
        versions: BOTH,
        sni: true,
        alpn: &[],
    }) else {
        return "no TLS client";
    };
    let ended = logged_in(place, &client, greeting, link, sheet);
    let chain = client.chain();
    if !chain.is_empty() {
        certificate::judge_certificate(
            place.settings,
            &place.name,
            &chain,
            OffsetDateTime::now_utc(),
            sheet,
        );
    }
    if let Err(error) = ended {
        // The finding is one that every round judges, so that it passes again when the server works
        // again.
        sheet.fail(
            FindingKind::Trust,
            format!("no handshake: {}", tls::reason(&error)),
        );
    }
    "without --user, only the first round tests this"
}

/// Runs the handshake, and a login, so that the server ends the connection as an ordinary one.
fn logged_in(
    place: &ProbeTarget<'_>,
    client: &Client,
    greeting: &Greeting,
    mut link: Link,
    sheet: &mut FindingSheet,
) -> io::Result<()> {
    link.end_in(PROBE_MAX);
    packet::write(&mut link, 1, &packet::ssl_request())?;
    let connection = client.begin(&place.name).map_err(io::Error::other)?;
    let mut shaken = tls::shake(connection, link).map_err(|(error, _)| error)?;
    let kind = if shaken.facts().starts_with("TLS 1.3") {
        FindingKind::Tls13
    } else {
        FindingKind::Tls12
    };
    sheet.pass(kind, shaken.facts());
    // The kind of refusal is judged by another probe.
    let _ = login::login(
        &mut shaken.stream,
        greeting,
        NOBODY,
        &made_up_password(),
        None,
    );
    Ok(())
}
