//! Probe of the greeting: is it MySQL, does it offer TLS, and do old drivers accept its version. It
//! sends nothing to a server that speaks first; one that does not is asked what it is.

use super::ProbeTarget;
use super::other_server::{ask_silent_server, name_first_bytes, name_first_payload};
use crate::clean::shown;
use crate::finding::FindingKind;
use crate::limits::PROBE_MAX;
use crate::link::{End, Link};
use crate::packet::{ErrPacket, Greeting, SSL};
use crate::report::FindingSheet;

/// Number of bytes that are read from a server that is not MySQL, enough to recognise it.
const SAMPLE: usize = 64;

/// Reads the greeting. Returns it with its connection, which stays silent; or the reason for which
/// nothing more can be judged.
pub(crate) fn meet(
    place: &ProbeTarget<'_>,
    sheet: &mut FindingSheet,
) -> Result<(Greeting, Link), &'static str> {
    let mut link = match place.visitor.open(place.address, PROBE_MAX) {
        Ok(link) => link,
        Err(error) => {
            sheet.fail(
                FindingKind::Addresses,
                format!("{}: {error}", place.address),
            );
            return Err("no connection");
        }
    };
    let ip = place.address.ip();
    let took = link.began.elapsed().as_millis();
    // With several addresses the finding is already judged.
    sheet.pass_if_open(
        FindingKind::Addresses,
        format!("{ip}, connected in {took} ms"),
    );
    match first_packet(&mut link) {
        Ok(payload) => greeting(&payload, sheet)
            .map(|g| (g, link))
            .ok_or("no MySQL greeting"),
        Err(FirstPacketError::Silent(end)) => {
            drop(link);
            let evidence = match ask_silent_server(place) {
                Some(name) => format!("this is {name}, not MySQL"),
                None => end.words().to_owned(),
            };
            sheet.fail(FindingKind::Greeting, evidence);
            Err("no MySQL greeting")
        }
        Err(FirstPacketError::Foreign(bytes)) => {
            let evidence = match name_first_bytes(&bytes) {
                Some(name) => format!("this is {name}, not MySQL: {}", shown_text(&bytes)),
                None => format!("no MySQL packet: {}", shown(&bytes)),
            };
            sheet.fail(FindingKind::Greeting, evidence);
            Err("no MySQL greeting")
        }
    }
}

/// Reason for which no packet came first.
enum FirstPacketError {
    /// Nothing came until reading ended like this.
    Silent(End),
    /// Bytes of another protocol, often text.
    Foreign(Vec<u8>),
}

fn first_packet(link: &mut Link) -> Result<Vec<u8>, FirstPacketError> {
    link.mark();
    crate::packet::read(link)
        .map(|(_, payload)| payload)
        .map_err(|error| match link.first() {
            [] => FirstPacketError::Silent(End::of(&error)),
            some => {
                let mut bytes = some.to_vec();
                link.end_in(std::time::Duration::from_millis(200));
                bytes.extend(link.gather(SAMPLE).0);
                FirstPacketError::Foreign(bytes)
            }
        })
}

/// Returns the first line of a text, or the bytes if they are no text.
fn shown_text(bytes: &[u8]) -> String {
    let line = bytes.split(|b| *b == b'\r' || *b == b'\n').next();
    shown(line.unwrap_or(bytes))
}

fn greeting(payload: &[u8], sheet: &mut FindingSheet) -> Option<Greeting> {
    if let Some(error) = ErrPacket::parse(payload) {
        sheet.fail(FindingKind::Greeting, error.to_string());
        return None;
    }
    let parsed = Greeting::parse(payload).filter(|g| g.protocol == 10);
    let Some(greeting) = parsed else {
        let evidence = match name_first_payload(payload) {
            Some(name) => format!("this is {name}"),
            None => format!("no greeting of protocol 10: {}", shown(payload)),
        };
        sheet.fail(FindingKind::Greeting, evidence);
        return None;
    };
    sheet.pass(
        FindingKind::Greeting,
        format!("{}, {}", greeting.version, greeting.plugin),
    );
    if offers_tls(&greeting) {
        sheet.pass(FindingKind::TlsOffered, "CLIENT_SSL is set");
    } else {
        sheet.fail(
            FindingKind::TlsOffered,
            format!("capabilities {:08x} lack CLIENT_SSL", greeting.capabilities),
        );
    }
    version(&greeting, sheet);
    Some(greeting)
}

pub(crate) fn offers_tls(greeting: &Greeting) -> bool {
    greeting.capabilities & SSL != 0
}

/// Judges the version as Connector/J up to 8.0.19 reads it.
fn version(greeting: &Greeting, sheet: &mut FindingSheet) {
    // MariaDB's number begins with 5.5.5 for old replicas. Another one would make other drivers
    // take it for MySQL.
    if greeting.version.contains("MariaDB") {
        let why = format!(
            "{}: Connector/J up to 8.0.19 needs enabledTLSProtocols=TLSv1.2",
            greeting.version
        );
        sheet.pass(FindingKind::Version, why);
        return;
    }
    let new_enough = match greeting.number() {
        Some((5, 6, patch)) => patch >= 46,
        Some(number) => number >= (5, 7, 28),
        None => {
            sheet.warn(
                FindingKind::Version,
                format!("{} is no version number", greeting.version),
            );
            return;
        }
    };
    if new_enough {
        sheet.pass(FindingKind::Version, &greeting.version);
    } else {
        sheet.warn(
            FindingKind::Version,
            format!("{} counts as older than 5.7.28", greeting.version),
        );
    }
}
