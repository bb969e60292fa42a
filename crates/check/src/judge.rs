//! Runs the probes in order and makes the report. It passes the result of one probe to the next;
//! probes share helpers, but none calls another.

use crate::finding::{FindingKind, FindingVerdict};
use crate::limits::{ADDRESSES_MAX, CONNECT_MAX};
use crate::link::CheckConnector;
use crate::probes::{self, ProbeTarget};
use crate::report::{CheckReport, Counts, FindingSheet};
use crate::settings::Settings;
use rustls::pki_types::ServerName;
use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Instant;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Checks one endpoint. Takes about twenty seconds at most if everything answers.
pub fn check(settings: &Settings) -> CheckReport {
    let began = Instant::now();
    let at = OffsetDateTime::now_utc()
        .replace_nanosecond(0)
        .ok()
        .and_then(|t| t.format(&Rfc3339).ok());
    let visitor = CheckConnector::default();
    let mut sheet = FindingSheet::default();
    let reason = run_probes(settings, &visitor, &mut sheet);
    let findings = sheet.close(reason);
    let counts = Counts::of(&findings);
    CheckReport {
        at: at.unwrap_or_default(),
        endpoint: settings.endpoint.to_string(),
        name: settings.name.clone(),
        verdict: counts.verdict(),
        counts,
        connections: visitor.opened(),
        seconds: began.elapsed().as_secs_f64(),
        findings,
    }
}

/// Runs all probes. Returns the reason for which the remaining findings are skipped.
fn run_probes(
    settings: &Settings,
    visitor: &CheckConnector,
    sheet: &mut FindingSheet,
) -> &'static str {
    let Ok(name) = ServerName::try_from(settings.name.clone()) else {
        return "the name to verify is no host name";
    };
    let addresses = match resolve(settings) {
        Ok(found) => found,
        Err(error) => {
            sheet.fail(
                FindingKind::Addresses,
                format!("{} can't be resolved: {error}", settings.endpoint.host),
            );
            return "no address";
        }
    };
    let good = reach(&addresses, visitor, sheet);
    let Some((address, others)) = good.split_first() else {
        return "no connection";
    };
    let place = ProbeTarget {
        visitor,
        address: *address,
        name,
        settings,
    };
    let (greeting, held) = match probes::greeting::meet(&place, sheet) {
        Ok(met) => met,
        Err(reason) => return reason,
    };
    // The port of something that is not a MySQL server needs no advice.
    port(settings, sheet);
    if settings.again && settings.account.is_none() && probes::greeting::offers_tls(&greeting) {
        return probes::again::probe_again(&place, &greeting, held, sheet);
    }
    std::thread::scope(|scope| {
        // The silence probe mostly waits, so it runs beside the others.
        let watch = scope.spawn(|| probes::silence::watch(&place, held, &greeting));
        probes::plaintext::probe_plaintext(&place, &greeting, sheet);
        let reason = if probes::greeting::offers_tls(&greeting) {
            probe_tls(&place, sheet);
            probes::certificate::elsewhere(&place, others, sheet);
            "no TLS 1.3 or 1.2 handshake succeeded"
        } else {
            "the server offers no TLS"
        };
        probes::web::probe_web(&place, sheet);
        match watch.join() {
            Ok((verdict, evidence)) => sheet.put(FindingKind::Silent, verdict, evidence),
            Err(_) => sheet.skip(FindingKind::Silent, "the watcher failed"),
        }
        reason
    })
}

fn probe_tls(place: &ProbeTarget<'_>, sheet: &mut FindingSheet) {
    let chain = probes::handshake::probe_handshakes(place, sheet);
    probes::versions::probe_versions(place, sheet);
    let verified = match chain {
        Some(chain) => {
            let verified = probes::certificate::judge_certificate(
                place.settings,
                &place.name,
                &chain,
                OffsetDateTime::now_utc(),
                sheet,
            );
            if sheet.has_passed(FindingKind::Tls13) || sheet.has_passed(FindingKind::Tls12) {
                probes::sni::probe_sni(place, &chain, sheet);
            }
            verified
        }
        None => false,
    };
    logins(place, verified, sheet);
}

/// Logs in, if there is an account and its password may be sent.
fn logins(place: &ProbeTarget<'_>, verified: bool, sheet: &mut FindingSheet) {
    let Some(account) = &place.settings.account else {
        return probes::account::skip(sheet, "no --user");
    };
    if !verified {
        return probes::account::skip(
            sheet,
            "the certificate does not verify, so no login was sent",
        );
    }
    // The real login first: a server may slow down a client that has just failed.
    probes::account::probe_login(place, account, sheet);
    if place.settings.again {
        sheet.skip(FindingKind::Denial, "no failing logins while watching");
    } else {
        probes::denial::probe_denial(place, account, sheet);
    }
}

fn port(settings: &Settings, sheet: &mut FindingSheet) {
    match settings.endpoint.port {
        4000 => sheet.pass(FindingKind::Port, "4000"),
        // Skipped and not warned about, since the port of an ordinary MySQL server won't change.
        3306 => sheet.skip(FindingKind::Port, "3306 is MySQL's default port"),
        other => sheet.warn(FindingKind::Port, other.to_string()),
    }
}

fn resolve(settings: &Settings) -> io::Result<Vec<SocketAddr>> {
    if !settings.addresses.is_empty() {
        return Ok(settings.addresses.clone());
    }
    let endpoint = &settings.endpoint;
    let mut addresses: Vec<_> = (endpoint.host.as_str(), endpoint.port)
        .to_socket_addrs()?
        .collect();
    addresses.sort_unstable();
    addresses.dedup();
    // IPv4 first: the probes use one address, and IPv4 works nearly everywhere.
    addresses.sort_by_key(SocketAddr::is_ipv6);
    if addresses.is_empty() {
        Err(io::Error::other("it has no address"))
    } else {
        Ok(addresses)
    }
}

/// Connects to each address and returns those that answer.
fn reach(
    addresses: &[SocketAddr],
    visitor: &CheckConnector,
    sheet: &mut FindingSheet,
) -> Vec<SocketAddr> {
    // The first probe connects to a single address anyway.
    if let [only] = addresses {
        return vec![*only];
    }
    let tried: Vec<_> = addresses
        .iter()
        .take(ADDRESSES_MAX)
        .map(|address| {
            visitor.count();
            (
                *address,
                TcpStream::connect_timeout(address, CONNECT_MAX).err(),
            )
        })
        .collect();
    let (verdict, evidence) = reached(&tried);
    sheet.put(FindingKind::Addresses, verdict, evidence);
    tried
        .iter()
        .filter(|(_, error)| error.is_none())
        .map(|(address, _)| *address)
        .collect()
}

/// Judges the connections to several addresses. An address is not blamed if this machine has no
/// route to it.
fn reached(tried: &[(SocketAddr, Option<io::Error>)]) -> (FindingVerdict, String) {
    let mut good = Vec::new();
    let mut bad = Vec::new();
    let mut unroutable = Vec::new();
    for (address, error) in tried {
        let ip = address.ip();
        match error {
            None => good.push(ip.to_string()),
            Some(error) if has_no_route(error) => unroutable.push(ip.to_string()),
            Some(error) => bad.push(format!("{ip}: {error}")),
        }
    }
    let mut evidence = good.join(", ");
    for (words, some) in [("not ", &bad), ("no route to ", &unroutable)] {
        if !some.is_empty() {
            let between = if evidence.is_empty() { "" } else { "; " };
            evidence = format!("{evidence}{between}{words}{}", some.join(", "));
        }
    }
    let verdict = match (good.is_empty(), bad.is_empty()) {
        (true, _) => FindingVerdict::Fail,
        (false, false) => FindingVerdict::Warn,
        (false, true) => FindingVerdict::Pass,
    };
    (verdict, evidence)
}

/// Whether the error means that this machine has no route, for example no IPv6.
fn has_no_route(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::AddrNotAvailable
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Judges two addresses, one of each family, with these results of connecting to them.
    fn judge_two(errors: [Option<io::ErrorKind>; 2]) -> (FindingVerdict, String) {
        let all: Vec<_> = errors
            .iter()
            .zip(["192.0.2.1:4000", "[2001:db8::1]:4000"])
            .map(|(kind, address)| (address.parse().unwrap(), kind.map(io::Error::from)))
            .collect();
        reached(&all)
    }

    #[test]
    fn an_address_without_a_route_from_here_is_no_fault() {
        let refused = Some(io::ErrorKind::ConnectionRefused);
        let no_route = Some(io::ErrorKind::NetworkUnreachable);
        assert_eq!(
            judge_two([None, None]),
            (FindingVerdict::Pass, "192.0.2.1, 2001:db8::1".to_owned())
        );
        assert_eq!(
            judge_two([None, no_route]),
            (
                FindingVerdict::Pass,
                "192.0.2.1; no route to 2001:db8::1".to_owned()
            )
        );
        let (verdict, evidence) = judge_two([None, refused]);
        assert!(
            verdict == FindingVerdict::Warn && evidence.starts_with("192.0.2.1; not 2001:db8::1: "),
            "{evidence}"
        );
        assert_eq!(judge_two([refused, no_route]).0, FindingVerdict::Fail);
        assert_eq!(judge_two([no_route, no_route]).0, FindingVerdict::Fail);
    }
}
