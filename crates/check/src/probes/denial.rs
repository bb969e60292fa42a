//! Logins that must fail: the user of --user with a made-up password, and users that nobody has. Do
//! they look alike? It sends no real password, and nothing before the certificate has been
//! verified.

use super::Place;
use super::account::secured;
use crate::finding::Kind;
use crate::limits::{DENIAL_BAND, STRANGERS_MAX};
use crate::login::{self, Course, Outcome};
use crate::packet::ErrPacket;
use crate::report::Sheet;
use crate::settings::Account;
use crate::tls;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// A login that was refused.
struct Denied {
    user: String,
    course: Vec<String>,
    error: ErrPacket,
    took: Duration,
}

impl Denied {
    /// Each text may name its own user.
    fn text(&self) -> String {
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

pub(crate) fn judge(place: &Place<'_>, account: &Account, sheet: &mut Sheet) {
    let (known, unknown) = match (
        denied(place, &account.user),
        denied(place, &stranger(&account.user)),
    ) {
        (Ok(known), Ok(unknown)) => (known, unknown),
        (Err(why), _) | (_, Err(why)) => return sheet.skip(Kind::Denial, why),
    };
    if let Some(other) = [&known, &unknown]
        .into_iter()
        .find(|d| says_nothing(&d.error))
    {
        sheet.skip(
            Kind::Denial,
            format!("no password was judged: {}", other.error),
        );
    } else if (known.error.code, known.text()) != (unknown.error.code, unknown.text()) {
        sheet.fail(
            Kind::Denial,
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
            Sheet::warn
        } else {
            Sheet::pass
        };
        verdict(sheet, Kind::Denial, evidence);
    }
}

/// The server has had enough, or could not reach what it stands in front of.
fn says_nothing(error: &ErrPacket) -> bool {
    error.says_busy() || matches!(error.code, 1152..=1161 | 2000..=2099 | 9001)
}

/// MySQL picks an unknown user's plugin by the name: another exchange then tells nothing, as long
/// as some unknown user is given the known one's.
fn exchanges(place: &Place<'_>, known: &Denied, first: Denied, sheet: &mut Sheet) {
    let mut strangers = vec![first];
    while let Some(last) = strangers.last().filter(|last| last.course != known.course) {
        if strangers.len() == STRANGERS_MAX {
            break;
        }
        match denied(place, &stranger(&last.user)) {
            Ok(next) => strangers.push(next),
            Err(why) => return sheet.skip(Kind::Denial, why),
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
            Kind::Denial,
            "the exchange varies with the name, for unknown users too",
        );
    } else if strangers.iter().all(|s| s.course == first.course) {
        sheet.fail(Kind::Denial, evidence);
    } else {
        sheet.warn(Kind::Denial, evidence);
    }
}

/// A login with a password that nobody has.
fn denied(place: &Place<'_>, user: &str) -> Result<Denied, String> {
    let (mut stream, greeting, _) = secured(place, None).map_err(|e| tls::reason(&e))?;
    let password = made_up_password();
    let began = Instant::now();
    let course =
        login::login(&mut stream, &greeting, user, &password, None).map_err(|e| tls::reason(&e))?;
    let Course { steps, outcome } = course;
    match outcome {
        Outcome::Refused(error) => Ok(Denied {
            user: user.to_owned(),
            course: steps,
            error,
            took: began.elapsed(),
        }),
        Outcome::In => Err(format!("{user} was let in with a made-up password")),
    }
}

pub(super) fn made_up_password() -> Zeroizing<String> {
    let mut bytes = [0x5a; 12];
    let _ = getrandom::fill(&mut bytes);
    Zeroizing::new(bytes.iter().map(|b| format!("{b:02x}")).collect())
}

/// A user of the same shape and length that nobody has: the prefix turned round, or the whole name.
fn stranger(user: &str) -> String {
    let (changed, kept) = user.find('.').map_or((user, ""), |dot| user.split_at(dot));
    let turn = |c: char| match c {
        'a'..='y' | 'A'..='Y' | '2'..='8' => char::from_u32(u32::from(c) + 1).unwrap_or(c),
        'z' => 'b',
        'Z' => 'B',
        '9' => '3',
        other => other,
    };
    changed.chars().map(turn).chain(kept.chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_looks_like_the_user_but_is_another() {
        assert_eq!(stranger("abcz29.root"), "bcdb33.root");
        assert_eq!(stranger("root"), "sppu");
    }
}
