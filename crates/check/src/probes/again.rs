//! A later round of a watch that has no account: one connection, one handshake, the certificate,
//! and a login of nobody, which must fail. It never leaves a server with a connection that ended
//! before a login.

use super::denial::made_up_password;
use super::plaintext::NOBODY;
use super::{Place, certificate};
use crate::finding::Kind;
use crate::limits::PROBE_MAX;
use crate::link::Link;
use crate::login;
use crate::packet::{self, Greeting};
use crate::report::Sheet;
use crate::tls::{self, BOTH, Client, Offer};
use std::io;
use time::OffsetDateTime;

/// Gives the reason why the rest was not judged.
pub(crate) fn judge(
    place: &Place<'_>,
    greeting: &Greeting,
    link: Link,
    sheet: &mut Sheet,
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
        certificate::judge(
            place.settings,
            &place.name,
            &chain,
            OffsetDateTime::now_utc(),
            sheet,
        );
    }
    if let Err(error) = ended {
        // Of what this round looks at always, so that it passes again when the server does.
        sheet.fail(
            Kind::Trust,
            format!("no handshake: {}", tls::reason(&error)),
        );
    }
    "without --user only the first round of a watch looks at it"
}

/// The handshake, and the login that lets the server end it as an ordinary one.
fn logged_in(
    place: &Place<'_>,
    client: &Client,
    greeting: &Greeting,
    mut link: Link,
    sheet: &mut Sheet,
) -> io::Result<()> {
    link.end_in(PROBE_MAX);
    packet::write(&mut link, 1, &packet::ssl_request())?;
    let connection = client.begin(&place.name).map_err(io::Error::other)?;
    let mut shaken = tls::shake(connection, link).map_err(|(error, _)| error)?;
    let kind = if shaken.facts().starts_with("TLS 1.3") {
        Kind::Tls13
    } else {
        Kind::Tls12
    };
    sheet.pass(kind, shaken.facts());
    // How it is refused is no finding here.
    let _ = login::login(
        &mut shaken.stream,
        greeting,
        NOBODY,
        &made_up_password(),
        None,
    );
    Ok(())
}
