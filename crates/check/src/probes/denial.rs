//! Probe of denied logins: the user of --user with a wrong password, and unknown users. The answers
//! must not tell them apart. It sends no real password, and nothing before the certificate was
//! verified.

use super::ProbeTarget;
use super::made_up::{made_up_password, stranger};
use super::secured::secured;
use crate::finding::FindingKind;
use crate::limits::{DENIAL_BAND, STRANGERS_MAX};
use crate::login::{self, LoginOutcome, LoginTrace};
use crate::packet::ErrPacket;
use crate::report::FindingSheet;
use crate::settings::Account;
use crate::tls;
use std::time::{Duration, Instant};

/// A login that was refused.
struct Denied {
    user: String,
    course: Vec<String>,
    error: ErrPacket,
    took: Duration,
}

impl Denied {
    /// Returns the error's text without the user's name.
    fn text(&self) -> String {
        // Servers repeat the name in the error, which reveals nothing.
        self.error.text.replace(&self.user, "USER")
    }

    fn exchange(&self) -> String {
        if self.course.is_empty() {
            "at once".to_owned()
        } else {
            self.course.join(", ")
        }
    }
}

pub(crate) fn probe_denial(place: &ProbeTarget<'_>, account: &Account, sheet: &mut FindingSheet) {
    let (known, unknown) = match (
        denied(place, &account.user),
        denied(place, &stranger(&account.user)),
    ) {
        (Ok(known), Ok(unknown)) => (known, unknown),
        (Err(why), _) | (_, Err(why)) => return sheet.skip(FindingKind::Denial, why),
    };
    if let Some(other) = [&known, &unknown]
        .into_iter()
        .find(|d| says_nothing(&d.error))
    {
        sheet.skip(
            FindingKind::Denial,
            format!("no password was judged: {}", other.error),
        );
    } else if (known.error.code, known.text()) != (unknown.error.code, unknown.text()) {
        sheet.fail(
            FindingKind::Denial,
            format!("known user: {}; unknown: {}", known.error, unknown.error),
        );
    } else if known.course != unknown.course {
        exchanges(place, &known, unknown, sheet);
    } else {
        let evidence = format!(
            "both {} ({}), after {} and {} ms",
            known.error.code,
            known.error.state,
            known.took.as_millis(),
            unknown.took.as_millis()
        );
        let apart = known.took.abs_diff(unknown.took);
        let verdict = if apart > DENIAL_BAND {
            FindingSheet::warn
        } else {
            FindingSheet::pass
        };
        verdict(sheet, FindingKind::Denial, evidence);
    }
}

/// Whether the error is not about the password: the server is full, or a proxy can't reach its
/// server.
fn says_nothing(error: &ErrPacket) -> bool {
    error.says_busy() || matches!(error.code, 1152..=1161 | 2000..=2099 | 9001)
}

/// Judges two different exchanges. MySQL chooses an unknown user's plugin by the name, so a
/// difference reveals nothing as long as some unknown user gets the same exchange as the known one.
fn exchanges(place: &ProbeTarget<'_>, known: &Denied, first: Denied, sheet: &mut FindingSheet) {
    let mut strangers = vec![first];
    while let Some(last) = strangers.last().filter(|last| last.course != known.course) {
        if strangers.len() == STRANGERS_MAX {
            break;
        }
        match denied(place, &stranger(&last.user)) {
            Ok(next) => strangers.push(next),
            Err(why) => return sheet.skip(FindingKind::Denial, why),
        }
    }
    let (Some(first), Some(last)) = (strangers.first(), strangers.last()) else {
        return;
    };
    let evidence = format!(
        "known user: {}; unknown: {}",
        known.exchange(),
        first.exchange()
    );
    if last.course == known.course {
        sheet.pass(
            FindingKind::Denial,
            "the exchange varies with the name, for unknown users too",
        );
    } else if strangers.iter().all(|s| s.course == first.course) {
        sheet.fail(FindingKind::Denial, evidence);
    } else {
        sheet.warn(FindingKind::Denial, evidence);
    }
}

/// Logs in with a made-up password.
fn denied(place: &ProbeTarget<'_>, user: &str) -> Result<Denied, String> {
    let (mut stream, greeting, _) = secured(place, None).map_err(|e| tls::reason(&e))?;
    let password = made_up_password();
    // After the handshake: only the time of the server's answer is compared.
    let began = Instant::now();
    let course =
        login::login(&mut stream, &greeting, user, &password, None).map_err(|e| tls::reason(&e))?;
    let LoginTrace { steps, outcome } = course;
    match outcome {
        LoginOutcome::Refused(error) => Ok(Denied {
            user: user.to_owned(),
            course: steps,
            error,
            took: began.elapsed(),
        }),
        LoginOutcome::LoggedIn => Err(format!("{user} was logged in with a made-up password")),
    }
}
