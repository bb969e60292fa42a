//! With --user: a login to the first row. No password, nor a proof of one, is sent unless the
//! certificate has been verified, again on that very connection.

use super::{Place, denial};
use crate::chain::{Chain, Trust};
use crate::finding::Kind;
use crate::limits::{FIRST_ROW_WISHED, LOGIN_MAX};
use crate::login::{self, Outcome};
use crate::packet::{self, ErrPacket, Greeting};
use crate::report::Sheet;
use crate::settings::Account;
use crate::tls::{self, BOTH, Client, Offer, Stream};
use std::io;
use std::time::{Duration, Instant};
use time::OffsetDateTime;

/// The database of the contract.
const DATABASE: &str = "test";

/// Unknown database, and no access to it.
const NO_DATABASE: &[u16] = &[1044, 1049];

const KINDS: [Kind; 4] = [Kind::Login, Kind::Database, Kind::FirstRow, Kind::Denial];

pub(crate) fn judge(place: &Place<'_>, verified: bool, sheet: &mut Sheet) {
    let skip =
        |sheet: &mut Sheet, why: &str| KINDS.into_iter().for_each(|kind| sheet.skip(kind, why));
    let Some(account) = &place.settings.account else {
        return skip(sheet, "no --user");
    };
    if !verified {
        return skip(
            sheet,
            "the certificate does not verify, so no login was sent",
        );
    }
    // The real login first: a server may slow down whoever has just failed.
    real(place, account, sheet);
    if place.settings.again {
        sheet.skip(Kind::Denial, "no failing logins while watching");
    } else {
        denial::judge(place, account, sheet);
    }
}

/// A connection on which a verifying client would send its login now, with the greeting of its
/// salt.
pub(super) fn secured(
    place: &Place<'_>,
    database: Option<&str>,
) -> io::Result<(Stream, Greeting, Instant)> {
    let mut link = place.visitor.open(place.address, LOGIN_MAX)?;
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
    // Another server may stand behind the same address.
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

fn real(place: &Place<'_>, account: &Account, sheet: &mut Sheet) {
    match first_row(place, account, Some(DATABASE)) {
        Err(Failed::Refused(error)) if NO_DATABASE.contains(&error.code) => {
            sheet.warn(Kind::Database, error.to_string());
            report(first_row(place, account, None), account, sheet);
        }
        other => {
            if report(other, account, sheet) {
                sheet.pass(Kind::Database, DATABASE);
            } else {
                sheet.skip(Kind::Database, "no login");
            }
        }
    }
}

enum Failed {
    Refused(ErrPacket),
    Broken(io::Error),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

/// A login that worked.
struct In {
    /// From the connect to the first row.
    took: Duration,
    /// What the server behind the endpoint sees.
    tls: Option<String>,
}

fn first_row(place: &Place<'_>, account: &Account, database: Option<&str>) -> Result<In, Failed> {
    let (mut stream, greeting, began) = secured(place, database)?;
    let course = login::login(
        &mut stream,
        &greeting,
        &account.user,
        &account.password,
        database,
    )?;
    if let Outcome::Refused(error) = course.outcome {
        return Err(Failed::Refused(error));
    }
    login::select_one(&mut stream)?.map_err(Failed::Refused)?;
    let took = began.elapsed();
    let tls = login::tls_version(&mut stream);
    login::quit(&mut stream);
    Ok(In { took, tls })
}

/// Whether the login worked.
fn report(result: Result<In, Failed>, account: &Account, sheet: &mut Sheet) -> bool {
    match result {
        Ok(In { took, tls }) => {
            let seen = match tls.as_deref() {
                Some("") => "; TLS ends in front of the server",
                Some(version) => &format!("; the server sees {version}"),
                None => "",
            };
            sheet.pass(
                Kind::Login,
                format!("as {}, and SELECT 1{seen}", account.user),
            );
            let evidence = format!("{:.3} s from the connect on", took.as_secs_f64());
            let verdict = if took > FIRST_ROW_WISHED {
                Sheet::warn
            } else {
                Sheet::pass
            };
            verdict(sheet, Kind::FirstRow, evidence);
            true
        }
        Err(Failed::Refused(error)) => {
            sheet.fail(Kind::Login, error.to_string());
            sheet.skip(Kind::FirstRow, "no login");
            false
        }
        Err(Failed::Broken(error)) => {
            let why = tls::reason(&error);
            sheet.fail(Kind::Login, &why);
            if error.kind() == io::ErrorKind::TimedOut {
                sheet.fail(
                    Kind::FirstRow,
                    format!("none within {} s", LOGIN_MAX.as_secs()),
                );
            } else {
                sheet.skip(Kind::FirstRow, "no login");
            }
            false
        }
    }
}
