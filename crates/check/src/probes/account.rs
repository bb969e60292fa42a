//! Probe with --user: a login up to the first row. Neither the password nor a hash of it is sent
//! before the certificate of that connection was verified.

use super::ProbeTarget;
use super::secured::secured;
use crate::finding::FindingKind;
use crate::limits::{FIRST_ROW_WISHED, LOGIN_MAX};
use crate::login::{self, LoginOutcome};
use crate::packet::ErrPacket;
use crate::report::FindingSheet;
use crate::settings::Account;
use crate::tls;
use std::io;
use std::time::Duration;

/// Default database of the endpoint.
const DATABASE: &str = "test";

/// Error codes of an unknown database and of missing access to it.
const NO_DATABASE: &[u16] = &[1044, 1049];

const KINDS: [FindingKind; 4] = [
    FindingKind::Login,
    FindingKind::Database,
    FindingKind::FirstRow,
    FindingKind::Denial,
];

/// Skips all findings that need a login.
pub(crate) fn skip(sheet: &mut FindingSheet, reason: &str) {
    for kind in KINDS {
        sheet.skip(kind, reason);
    }
}

pub(crate) fn probe_login(place: &ProbeTarget<'_>, account: &Account, sheet: &mut FindingSheet) {
    match first_row(place, account, Some(DATABASE)) {
        Err(Failed::Refused(error)) if NO_DATABASE.contains(&error.code) => {
            sheet.warn(FindingKind::Database, error.to_string());
            // User and password may still be right, so the login is repeated without a database.
            judge_login(first_row(place, account, None), account, sheet);
        }
        other => {
            if judge_login(other, account, sheet) {
                sheet.pass(FindingKind::Database, DATABASE);
            } else {
                sheet.skip(FindingKind::Database, "no login");
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
struct LoggedIn {
    /// Time from the connect to the first row.
    took: Duration,
    /// TLS version that the server behind the endpoint sees.
    tls: Option<String>,
}

fn first_row(
    place: &ProbeTarget<'_>,
    account: &Account,
    database: Option<&str>,
) -> Result<LoggedIn, Failed> {
    let (mut stream, greeting, began) = secured(place, database)?;
    let course = login::login(
        &mut stream,
        &greeting,
        &account.user,
        &account.password,
        database,
    )?;
    if let LoginOutcome::Refused(error) = course.outcome {
        return Err(Failed::Refused(error));
    }
    login::select_one(&mut stream)?.map_err(Failed::Refused)?;
    // Taken before the next query, which is not part of the finding.
    let took = began.elapsed();
    let tls = login::tls_version(&mut stream);
    login::quit(&mut stream);
    Ok(LoggedIn { took, tls })
}

/// Judges the login. Returns whether it worked.
fn judge_login(
    result: Result<LoggedIn, Failed>,
    account: &Account,
    sheet: &mut FindingSheet,
) -> bool {
    match result {
        Ok(LoggedIn { took, tls }) => {
            let seen = match tls.as_deref() {
                Some("") => "; TLS ends in front of the server",
                Some(version) => &format!("; the server sees {version}"),
                None => "",
            };
            sheet.pass(
                FindingKind::Login,
                format!("as {}, and SELECT 1{seen}", account.user),
            );
            let evidence = format!("{:.3} s from the connect on", took.as_secs_f64());
            let verdict = if took > FIRST_ROW_WISHED {
                FindingSheet::warn
            } else {
                FindingSheet::pass
            };
            verdict(sheet, FindingKind::FirstRow, evidence);
            true
        }
        Err(Failed::Refused(error)) => {
            sheet.fail(FindingKind::Login, error.to_string());
            sheet.skip(FindingKind::FirstRow, "no login");
            false
        }
        Err(Failed::Broken(error)) => {
            let why = tls::reason(&error);
            sheet.fail(FindingKind::Login, &why);
            if error.kind() == io::ErrorKind::TimedOut {
                sheet.fail(
                    FindingKind::FirstRow,
                    format!("none within {} s", LOGIN_MAX.as_secs()),
                );
            } else {
                sheet.skip(FindingKind::FirstRow, "no login");
            }
            false
        }
    }
}
