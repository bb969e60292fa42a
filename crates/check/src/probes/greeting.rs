//! Probe of the greeting: is it MySQL, does it offer TLS, and do old drivers accept its version. It
//! sends nothing.

use super::ProbeTarget;
use crate::clean::shown;
use crate::finding::FindingKind;
use crate::limits::PROBE_MAX;
use crate::link::{End, Link};
use crate::packet::{ErrPacket, Greeting, SSL};
use crate::report::Sheet;

/// Number of bytes that are read from a server that is not MySQL, enough to recognise it.
const SAMPLE: usize = 64;

/// Reads the greeting. Returns it with its connection, which stays silent; or the reason for which
/// nothing more can be judged.
pub(crate) fn meet(
    place: &ProbeTarget<'_>,
    sheet: &mut Sheet,
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
        Err(evidence) => {
            sheet.fail(FindingKind::Greeting, evidence);
            Err("no MySQL greeting")
        }
    }
}

fn first_packet(link: &mut Link) -> Result<Vec<u8>, String> {
    link.mark();
    crate::packet::read(link)
        .map(|(_, payload)| payload)
        .map_err(|error| match link.first() {
            [] => End::of(&error).words().to_owned(),
            // A server of another protocol often sends text.
            some => {
                let mut bytes = some.to_vec();
                link.end_in(std::time::Duration::from_millis(200));
                bytes.extend(link.gather(SAMPLE).0);
                format!("no MySQL packet: {}", shown(&bytes))
            }
        })
}

fn greeting(payload: &[u8], sheet: &mut Sheet) -> Option<Greeting> {
    if let Some(error) = ErrPacket::parse(payload) {
        sheet.fail(FindingKind::Greeting, error.to_string());
        return None;
    }
    let parsed = Greeting::parse(payload).filter(|g| g.protocol == 10);
    let Some(greeting) = parsed else {
        sheet.fail(
            FindingKind::Greeting,
            format!("no greeting of protocol 10: {}", shown(payload)),
        );
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
fn version(greeting: &Greeting, sheet: &mut Sheet) {
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
