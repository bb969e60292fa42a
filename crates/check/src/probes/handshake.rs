//! Probe of handshakes as modern clients make them: TLS 1.3 and 1.2, tickets, a split hello, ALPN.
//! It never sends a login.

use super::ProbeTarget;
use crate::clean::hex;
use crate::finding::FindingKind;
use crate::limits::{BYTE_PAUSE, SPLIT_PAUSE, TICKET_WAIT};
use crate::link::Link;
use crate::packet;
use crate::report::FindingSheet;
use crate::tls::{self, BOTH, Client, ONLY_12, ONLY_13, Offer, SecuredStream};
use rustls::pki_types::CertificateDer;
use std::io::{self, Read, Write};
use std::thread::sleep;

type Chain = Vec<CertificateDer<'static>>;

/// ALPN protocols of browsers.
const WEB_PROTOCOLS: &[&[u8]] = &[b"h2", b"http/1.1"];

/// Alert for an offer without a common protocol (RFC 7301).
const NO_APPLICATION_PROTOCOL: u8 = 120;

pub(crate) fn probe_handshakes(place: &ProbeTarget<'_>, sheet: &mut FindingSheet) -> Option<Chain> {
    let newest = tls13(place, sheet);
    let older = tls12(place, sheet);
    // If neither version works, the other handshakes would fail in the same way.
    if sheet.has_passed(FindingKind::Tls13) || sheet.has_passed(FindingKind::Tls12) {
        split(place, sheet);
        alpn(place, sheet);
    }
    newest.or(older)
}

fn client(versions: &'static [&'static rustls::SupportedProtocolVersion]) -> Option<Client> {
    Client::new(&Offer {
        versions,
        sni: true,
        alpn: &[],
    })
    .ok()
}

/// Runs a handshake, reads its tickets, and runs a second handshake that may use them.
fn tls13(place: &ProbeTarget<'_>, sheet: &mut FindingSheet) -> Option<Chain> {
    let client = client(ONLY_13)?;
    match place.shake(&client, &place.name) {
        Ok(mut shaken) => {
            quiet(shaken.stream.sock.first(), sheet);
            // In TLS 1.3 a server's refusal comes after the client has completed its handshake.
            match take_tickets(&mut shaken) {
                Some(error) => sheet.fail(FindingKind::Tls13, tls::reason(&error)),
                None => {
                    sheet.pass(FindingKind::Tls13, shaken.facts());
                    goodbye(shaken);
                    resumption(place, &client, sheet);
                }
            }
        }
        Err((error, link)) => {
            sheet.fail(FindingKind::Tls13, tls::reason(&error));
            quiet(link.as_ref().map_or(&[], Link::first), sheet);
        }
    }
    asked_for_certificate(&client, FindingKind::Tls13, sheet);
    Some(client.chain()).filter(|chain| !chain.is_empty())
}

fn tls12(place: &ProbeTarget<'_>, sheet: &mut FindingSheet) -> Option<Chain> {
    let client = client(ONLY_12)?;
    match place.shake(&client, &place.name) {
        Ok(shaken) => {
            sheet.pass(FindingKind::Tls12, shaken.facts());
            goodbye(shaken);
        }
        Err((error, _)) => sheet.fail(FindingKind::Tls12, tls::reason(&error)),
    }
    asked_for_certificate(&client, FindingKind::Tls12, sheet);
    Some(client.chain()).filter(|chain| !chain.is_empty())
}

/// Judges the first byte after the TLS request. It must be a TLS record's: a handshake message or
/// an alert.
fn quiet(first: &[u8], sheet: &mut FindingSheet) {
    match first {
        [22 | 21, 3, ..] => sheet.pass(FindingKind::Quiet, "the first byte is a TLS record's"),
        [] => sheet.skip(FindingKind::Quiet, "nothing came"),
        other => sheet.fail(
            FindingKind::Quiet,
            format!("bytes that are not TLS: {}", hex(other)),
        ),
    }
}

/// Judges a request for a client certificate. `kind` is the handshake's own finding, which tells
/// whether it worked without one.
fn asked_for_certificate(client: &Client, kind: FindingKind, sheet: &mut FindingSheet) {
    if client.was_asked_for_certificate() {
        if sheet.has_passed(kind) {
            let evidence = "a CertificateRequest came; none was needed";
            sheet.warn(FindingKind::ClientCertificate, evidence);
        } else {
            let evidence = "a CertificateRequest came; without one the handshake failed";
            sheet.fail(FindingKind::ClientCertificate, evidence);
        }
    } else if !client.chain().is_empty() {
        sheet.pass_if_open(FindingKind::ClientCertificate, "no CertificateRequest came");
    }
}

/// Reads the tickets, which come with or right after the server's last flight. Nothing else may
/// come yet but an alert, which is returned.
fn take_tickets(shaken: &mut SecuredStream) -> Option<io::Error> {
    shaken.stream.sock.end_in(TICKET_WAIT);
    shaken
        .stream
        .read(&mut [0])
        .err()
        // A timeout is normal: the server waits for the login.
        .filter(|error| tls::alert(error).is_some())
}

/// Closes TLS in order.
fn goodbye(mut shaken: SecuredStream) {
    shaken.stream.sock.end_in(TICKET_WAIT);
    shaken.stream.conn.send_close_notify();
    let _ = shaken.stream.flush();
}

fn resumption(place: &ProbeTarget<'_>, client: &Client, sheet: &mut FindingSheet) {
    let tickets = client.tickets();
    match client.early_data() {
        0 if tickets == 0 => sheet.pass(FindingKind::EarlyData, "no tickets came before a login"),
        0 => sheet.pass(
            FindingKind::EarlyData,
            format!("none of {tickets} allows early data"),
        ),
        bytes => sheet.fail(
            FindingKind::EarlyData,
            format!("a ticket allows {bytes} bytes of early data"),
        ),
    }
    if tickets == 0 {
        sheet.pass(FindingKind::Resumption, "no tickets came before a login");
        return;
    }
    match place.shake(client, &place.name) {
        Ok(shaken) => {
            let taken = shaken.resumed();
            goodbye(shaken);
            if taken {
                sheet.pass(
                    FindingKind::Resumption,
                    format!("resumed with one of {tickets}"),
                );
            } else {
                sheet.warn(
                    FindingKind::Resumption,
                    format!("{tickets} given, but a full handshake followed"),
                );
            }
        }
        Err((error, _)) => sheet.warn(
            FindingKind::Resumption,
            format!("with a ticket: {}", tls::reason(&error)),
        ),
    }
}

fn split(place: &ProbeTarget<'_>, sheet: &mut FindingSheet) {
    match split_shake(place) {
        Ok(shaken) => {
            sheet.pass(
                FindingKind::SplitHello,
                format!("36 single bytes and two halves: {}", shaken.facts()),
            );
            goodbye(shaken);
        }
        Err(error) => sheet.fail(FindingKind::SplitHello, tls::reason(&error)),
    }
}

fn split_shake(place: &ProbeTarget<'_>) -> io::Result<SecuredStream> {
    let client = Client::new(&Offer {
        versions: BOTH,
        sni: true,
        alpn: &[],
    })
    .map_err(io::Error::other)?;
    let mut connection = client.begin(&place.name).map_err(io::Error::other)?;
    let mut link = place.greeted()?;
    for byte in packet::frame(1, &packet::ssl_request()) {
        link.write_all(&[byte])?;
        sleep(BYTE_PAUSE);
    }
    let mut hello = Vec::new();
    connection.write_tls(&mut hello)?;
    let (one, two) = hello.split_at(hello.len() / 2);
    link.write_all(one)?;
    sleep(SPLIT_PAUSE);
    link.write_all(two)?;
    tls::shake(connection, link).map_err(|(error, _)| error)
}

fn alpn(place: &ProbeTarget<'_>, sheet: &mut FindingSheet) {
    let Ok(client) = Client::new(&Offer {
        versions: BOTH,
        sni: true,
        alpn: WEB_PROTOCOLS,
    }) else {
        return;
    };
    match place.shake(&client, &place.name) {
        Ok(shaken) => match shaken.stream.conn.alpn_protocol().map(<[u8]>::to_vec) {
            Some(chosen) => sheet.fail(
                FindingKind::Alpn,
                format!("it chose {}", packet::lossy(&chosen)),
            ),
            None => {
                goodbye(shaken);
                sheet.warn(FindingKind::Alpn, "the offer of h2 and http/1.1 is ignored");
            }
        },
        Err((error, _)) if tls::alert(&error) == Some(NO_APPLICATION_PROTOCOL) => {
            sheet.pass(FindingKind::Alpn, tls::reason(&error));
        }
        Err((error, _)) => sheet.pass(
            FindingKind::Alpn,
            format!("refused: {}", tls::reason(&error)),
        ),
    }
}
