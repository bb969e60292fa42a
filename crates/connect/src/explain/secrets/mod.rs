//! Takes out of a pasted text every stretch that any reading of it could take for a password, before it is read for
//! what is shown: what the readers do not get, nobody can be shown.
//!
//! A stretch begins where what stands *before* it opens a password, whatever the password holds: the colon of a login,
//! a key such as `password=`, a bare string behind a comma, `-p`. It ends where the last reading of all ends it: a
//! login's at the last `@` of its line, any other where its own quote or separator does, provided that the rest of the
//! line reads without remainder as further keys and values; else at the line's end. So a password is taken out whole
//! unless it goes on like a string of that form itself, with keys that are known: then that is what the string says.
//! No password has a line's end in it. Never decides what anything else means.

mod command;
mod login;
mod rest;
mod values;

use super::seen::decoded;
use super::words;
pub(super) use login::SOURCE_KEYS;
use std::ops::Range;

/// Stands where something was taken out. It is in no host, user, database or path that is shown.
pub(super) const HIDDEN: char = '\u{FFFC}';

/// A text without what may be secret.
pub(super) struct Hidden {
    pub text: String,
    /// The login of an address holds characters that should have been percent-encoded.
    pub unencoded: bool,
    /// A password is among what was taken out.
    pub password: bool,
    /// What was taken out, as it stood and percent-decoded.
    taken: Vec<String>,
}

impl Hidden {
    /// Whether this is, or holds, a secret by chance: `app:app@host/app`.
    pub fn took(&self, value: &str) -> bool {
        self.taken.iter().any(|secret| value.contains(secret.as_str()))
    }
}

/// Takes out what may be secret.
pub(super) fn hide(text: &str) -> Hidden {
    let is_command = words::program(text).is_some();
    let mut stretches = Vec::new();
    if is_command {
        command::find(text, &mut stretches);
    }
    let (mut unencoded, mut password) = (false, !stretches.is_empty());
    for line in lines(text) {
        let Some(inside) = text.get(line.clone()) else { continue };
        if let Some(found) = login::find(inside) {
            unencoded |= found.unencoded;
            password = true;
            stretches.push(line.start + found.at.start..line.start + found.at.end);
        }
        if !is_command {
            password |= values::find(text, line, &mut stretches);
        }
    }
    stretches.retain(|stretch| !stretch.is_empty());
    stretches.sort_by_key(|stretch| stretch.start);
    let taken = stretches.iter().filter_map(|stretch| text.get(stretch.clone()));
    let taken = taken.map(|secret| secret.trim_matches(is_quote)).filter(|secret| !secret.is_empty());
    let taken = taken.flat_map(|secret| [secret.to_owned(), decoded(secret)]).collect();
    Hidden { text: without(text, &stretches), unencoded, password, taken }
}

fn without(text: &str, stretches: &[Range<usize>]) -> String {
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    for stretch in stretches {
        if stretch.start >= at {
            out.push_str(text.get(at..stretch.start).unwrap_or_default());
            out.push(HIDDEN);
        }
        at = at.max(stretch.end);
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

/// Lines, where one that ends in a backslash goes on.
fn lines(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    let ends =
        text.match_indices('\n').map(|(at, _)| at).filter(|at| !text.get(..*at).is_some_and(|t| t.ends_with('\\')));
    ends.chain([text.len()]).map(move |end| {
        let line = start..end;
        start = end + 1;
        line
    })
}

pub(super) fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'' | '`')
}
