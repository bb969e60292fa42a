//! Probe of a port that sends no MySQL greeting: names the protocol that answers there. Servers
//! that speak first are named by their first bytes. The others get three requests, each on its own
//! connection: a TLS handshake, an HTTP request, and PostgreSQL's request for TLS. None of them
//! contains a name or a password of the user.

use super::ProbeTarget;
use super::http_head::{HttpHead, first_line, request_head};
use crate::clean::clean;
use crate::limits::REFUSAL_MAX;
use crate::tls::{self, BOTH, Client, Offer};
use std::io::{Read, Write};

/// Protocols of web servers. HTTP/1.1 is first, because the request is written in it.
const WEB_PROTOCOLS: &[&[u8]] = &[b"http/1.1", b"h2"];

/// SSLRequest of PostgreSQL (Frontend/Backend Protocol, "Message Formats"): length and code.
const POSTGRES_SSL_REQUEST: &[u8] = &[0, 0, 0, 8, 4, 210, 22, 47];

/// First bytes by which a server is known that speaks first.
const FIRST_BYTES: &[(&[u8], &str)] = &[
    (b"SSH-", "an SSH server"),
    (b"HTTP/", "a web server (plain HTTP)"),
    (b"<!DOCTYPE", "a web server (plain HTTP)"),
    (b"<html", "a web server (plain HTTP)"),
    (b"* OK", "an IMAP server"),
    (b"+OK", "a POP3 server"),
    (b"RFB ", "a VNC server"),
    (b"AMQP", "an AMQP server, such as RabbitMQ"),
    (b"-ERR", "a Redis server"),
    (b"-DENIED", "a Redis server"),
    (b"-NOAUTH", "a Redis server"),
];

/// Names the server by its first bytes.
pub(super) fn name_first_bytes(bytes: &[u8]) -> Option<&'static str> {
    let known = FIRST_BYTES
        .iter()
        .find(|(start, _)| bytes.starts_with(start));
    match bytes {
        // FTP and SMTP begin alike and differ in the text.
        [b'2', b'2', b'0', b' ' | b'-', rest @ ..] => {
            Some(if rest.windows(4).any(|word| word == b"SMTP") {
                "an SMTP server"
            } else {
                "an FTP or SMTP server"
            })
        }
        _ => known.map(|(_, name)| *name),
    }
}

/// Names the server by the payload of its first packet, if its first bytes have a packet's form. A
/// server of the X Protocol begins with a notice frame: four bytes of length, then the type.
pub(super) fn name_first_payload(payload: &[u8]) -> Option<&'static str> {
    matches!(payload, [11, 8, ..])
        .then_some("MySQL's X Protocol (port 33060); its classic protocol is on another port")
}

/// Asks a silent server what it is. Returns its name with what it answered.
pub(super) fn ask_silent_server(place: &ProbeTarget<'_>) -> Option<String> {
    ask_tls(place)
        .or_else(|| ask_http(place))
        .or_else(|| ask_postgres(place))
}

fn ask_tls(place: &ProbeTarget<'_>) -> Option<String> {
    let link = place.visitor.open(place.address, REFUSAL_MAX).ok()?;
    let client = Client::new(&Offer {
        versions: BOTH,
        sni: true,
        alpn: WEB_PROTOCOLS,
    })
    .ok()?;
    let connection = client.begin(&place.name).ok()?;
    let mut shaken = match tls::shake(connection, link) {
        Ok(shaken) => shaken,
        Err((error, link)) => {
            return match link.first() {
                [22 | 21, 3, ..] => Some(format!("a TLS server ({})", tls::reason(&error))),
                other => name_first_bytes(other).map(str::to_owned),
            };
        }
    };
    if shaken.stream.conn.alpn_protocol() == Some(b"h2") {
        return Some("a web server (HTTPS, HTTP/2)".to_owned());
    }
    let head = request_head(&mut shaken.stream, &place.settings.name);
    Some(match HttpHead::read(&head) {
        Some(head) => format!("a web server (HTTPS): {}", head.words()),
        None => match name_first_bytes(&head) {
            Some(name) => format!("{name}, over TLS"),
            None => format!("a TLS server ({})", shaken.facts()),
        },
    })
}

fn ask_http(place: &ProbeTarget<'_>) -> Option<String> {
    let mut link = place.visitor.open(place.address, REFUSAL_MAX).ok()?;
    let head = request_head(&mut link, &place.settings.name);
    match HttpHead::read(&head) {
        Some(head) => Some(format!("a web server (plain HTTP): {}", head.words())),
        None => {
            name_first_bytes(&head).map(|name| format!("{name}: {}", clean(&first_line(&head))))
        }
    }
}

fn ask_postgres(place: &ProbeTarget<'_>) -> Option<String> {
    let mut link = place.visitor.open(place.address, REFUSAL_MAX).ok()?;
    link.write_all(POSTGRES_SSL_REQUEST).ok()?;
    let mut answer = [0];
    link.read_exact(&mut answer).ok()?;
    match answer {
        [b'S'] => Some("a PostgreSQL server, which offers TLS".to_owned()),
        [b'N'] => Some("a PostgreSQL server without TLS".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_that_speak_first_are_known_by_their_first_bytes() {
        for (bytes, words) in [
            (&b"SSH-2.0-OpenSSH_9.2"[..], "SSH"),
            (b"HTTP/1.1 400 Bad Request", "web server"),
            (b"220 mail.example ESMTP Postfix", "an SMTP server"),
            (b"220 (vsFTPd 3.0.3)", "FTP"),
            (b"* OK IMAP4rev1", "IMAP"),
            (b"+OK POP3", "POP3"),
            (b"RFB 003.008", "VNC"),
        ] {
            let name = name_first_bytes(bytes).unwrap();
            assert!(name.contains(words), "{name}");
        }
        for bytes in [&b""[..], b"2", b"hello", b"\x4a\0\0\0\x0a8.0.36\0"] {
            assert_eq!(name_first_bytes(bytes), None, "{bytes:?}");
        }
        assert!(name_first_payload(b"\x0b\x08\x05\x1a\0").is_some());
        assert_eq!(name_first_payload(b"\x0a8.0.36\0"), None);
    }
}
