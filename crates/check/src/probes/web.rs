//! Probe of port 443 of the same host: a web console that shares the database's name allows attacks
//! across protocols. It makes one connection and requests the head of `/`.

use super::ProbeTarget;
use crate::chain::Chain;
use crate::clean::clean;
use crate::finding::FindingKind;
use crate::limits::{CONNECT_MAX, WEB_HEAD_MAX};
use crate::report::Sheet;
use crate::tls::{self, BOTH, Client, Offer, Stream};
use std::io::{Read, Write};
use std::net::SocketAddr;

pub(crate) fn probe_web(place: &ProbeTarget<'_>, sheet: &mut Sheet) {
    let address = SocketAddr::new(place.address.ip(), place.settings.web_port);
    if address == place.address {
        return sheet.skip(FindingKind::Web, "the database itself is there");
    }
    let Ok(link) = place.visitor.open(address, CONNECT_MAX) else {
        return sheet.skip(
            FindingKind::Web,
            format!("nothing answers on port {}", address.port()),
        );
    };
    let Ok(client) = Client::new(&Offer {
        versions: BOTH,
        sni: true,
        alpn: &[b"http/1.1"],
    }) else {
        return;
    };
    let Ok(connection) = client.begin(&place.name) else {
        return;
    };
    let mut stream = match tls::shake(connection, link) {
        Ok(shaken) => shaken.stream,
        Err((error, _)) => {
            return sheet.pass(
                FindingKind::Web,
                format!("no TLS for this name: {}", tls::reason(&error)),
            );
        }
    };
    let shared = Chain::read(client.chain()).is_ok_and(|chain| chain.is_for(&place.name));
    let head = head(&mut stream, &place.settings.name);
    // A server that does not speak HTTP is not a console.
    let is_web = head.starts_with("HTTP/");
    let hsts = head
        .to_ascii_lowercase()
        .contains("\nstrict-transport-security:");
    let status = head.lines().next().map(clean).unwrap_or_default();
    let mut faults = Vec::new();
    if shared {
        faults.push(format!(
            "its certificate is for {} too",
            place.settings.name
        ));
    }
    if is_web && !hsts {
        faults.push("no Strict-Transport-Security".to_owned());
    }
    if faults.is_empty() {
        sheet.pass(
            FindingKind::Web,
            if is_web {
                format!("another name, HSTS; {status}")
            } else {
                "no web page".to_owned()
            },
        );
    } else {
        sheet.warn(FindingKind::Web, format!("{}; {status}", faults.join(", ")));
    }
}

/// Requests `/` and returns the response's head, as far as it came.
fn head(stream: &mut Stream, host: &str) -> String {
    let request = format!(
        "HEAD / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nUser-Agent: tidegate-check\r\n\r\n"
    );
    let mut bytes = Vec::new();
    if stream
        .write_all(request.as_bytes())
        .and_then(|()| stream.flush())
        .is_ok()
    {
        let mut piece = [0; 1024];
        while bytes.len() < WEB_HEAD_MAX && !bytes.windows(4).any(|w| w == b"\r\n\r\n") {
            match stream.read(&mut piece) {
                Ok(0) | Err(_) => break,
                Ok(n) => bytes.extend(piece.iter().take(n)),
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
