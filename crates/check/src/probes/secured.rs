//! A connection that is ready for a login: TLS is up and its certificate verified. Every probe that
//! sends a password opens one.

use super::ProbeTarget;
use crate::chain::{Chain, Trust};
use crate::limits::LOGIN_MAX;
use crate::packet::{self, ErrPacket, Greeting};
use crate::tls::{self, BOTH, Client, Offer, Stream};
use std::io;
use std::time::Instant;
use time::OffsetDateTime;

/// Opens a connection on which a verifying client would now send its login. Returns it with the
/// greeting and the time of the connect.
pub(super) fn secured(
    place: &ProbeTarget<'_>,
    database: Option<&str>,
) -> io::Result<(Stream, Greeting, Instant)> {
    let mut link = place.visitor.open(place.address, LOGIN_MAX)?;
    // From the connect on, which is what a client's connect timeout measures.
    let began = link.began;
    let (_, payload) = packet::read(&mut link)?;
    if let Some(error) = ErrPacket::parse(&payload) {
        return Err(io::Error::other(error.to_string()));
    }
    let greeting = Greeting::parse(&payload).ok_or_else(|| io::Error::other("no greeting"))?;
    packet::write(&mut link, 1, &packet::ssl_request_for(database))?;
    let client = Client::new(&Offer {
        versions: BOTH,
        sni: true,
        alpn: &[],
    })
    .map_err(io::Error::other)?;
    let connection = client.begin(&place.name).map_err(io::Error::other)?;
    let shaken =
        tls::shake(connection, link).map_err(|(error, _)| io::Error::other(tls::reason(&error)))?;
    // The certificate is verified again: another server may be behind the same address.
    let chain = Chain::read(client.chain()).map_err(io::Error::other)?;
    let now = OffsetDateTime::now_utc();
    let trusted = !matches!(
        chain.trust(place.settings.roots.as_ref(), now),
        Trust::None(_)
    );
    let current = chain
        .leaf()
        .is_some_and(|leaf| leaf.not_before <= now && now < leaf.not_after);
    if trusted && current && chain.is_for(&place.name) {
        Ok((shaken.stream, greeting, began))
    } else {
        Err(io::Error::other("this time the certificate did not verify"))
    }
}
