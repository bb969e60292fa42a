//! Probe of port 443 of the same host: a web console that shares the database's name allows attacks
//! across protocols. It makes one connection and requests the head of `/`.

use super::ProbeTarget;
use super::http_head::{HttpHead, first_line, request_head};
use crate::chain::Chain;
use crate::clean::clean;
use crate::finding::FindingKind;
use crate::limits::CONNECT_MAX;
use crate::report::FindingSheet;
use crate::tls::{self, BOTH, Client, Offer};
use std::net::SocketAddr;

pub(crate) fn probe_web(place: &ProbeTarget<'_>, sheet: &mut FindingSheet) {
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
    let answer = request_head(&mut stream, &place.settings.name);
    // A server that does not speak HTTP is not a console.
    let head = HttpHead::read(&answer);
    let lacks_hsts = head
        .as_ref()
        .is_some_and(|head| head.header("strict-transport-security").is_none());
    let status = head
        .as_ref()
        .map_or_else(|| clean(&first_line(&answer)), HttpHead::status);
    let mut faults = Vec::new();
    if shared {
        faults.push(format!(
            "its certificate is for {} too",
            place.settings.name
        ));
    }
    if lacks_hsts {
        faults.push("no Strict-Transport-Security".to_owned());
    }
    if faults.is_empty() {
        sheet.pass(
            FindingKind::Web,
            if head.is_some() {
                format!("another name, HSTS; {status}")
            } else {
                "no web page".to_owned()
            },
        );
    } else {
        sheet.warn(FindingKind::Web, format!("{}; {status}", faults.join(", ")));
    }
}
