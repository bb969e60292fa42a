//! Takes out of a pasted text every stretch that any reading of it could take for a password,
//! before it is read for what is shown: what the readers do not get, nobody can be shown.
//!
//! A stretch begins where what stands *before* it opens a password, whatever the password holds:
//! the colon of a login, a key such as `password=`, a bare string behind a comma, `-p`. It ends
//! where the last reading of all ends it: a login's at the last `@` of its line, any other where
//! its own quote or separator does, provided that the rest of the line reads without remainder as
//! further keys and values; else at the line's end. So a password is taken out whole unless it goes
//! on like a string of that form itself, with keys that are known: then that is what the string
//! says. No password has a line's end in it. Never decides what anything else means.

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

/// A shorter password stands in many a name by chance, and is not told by it.
const CHANCE_MIN: usize = 3;

/// A text without what may be secret.
#[derive(Debug, Default)]
pub(super) struct Hidden {
    pub text: String,
    /// A password is among what was taken out.
    pub password: bool,
    /// The login of an address holds characters that should have been percent-encoded.
    pub unencoded: bool,
    /// More was taken out than the password, since where that ends can't be told.
    pub doubt: bool,
    stretches: Vec<Range<usize>>,
    /// What was taken out, as it stood and percent-decoded.
    taken: Vec<String>,
}

/// Takes out what may be secret.
pub(super) fn hide(text: &str) -> Hidden {
    let mut hidden = Hidden::default();
    let is_command = words::program(text).is_some();
    if is_command {
        command::find(text, &mut hidden);
    }
    for line in lines(text) {
        let login = login::find(text, line.clone(), &mut hidden);
        if !is_command {
            let mark = hidden.stretches.len();
            values::find(text, line.clone(), &mut hidden);
            let mixed = |login: &Range<usize>| hidden.has_from(mark, login);
            // A login and a key's value in one another: of the two readings each ends where the
            // other goes on.
            if let Some(login) = login.filter(mixed) {
                hidden.doubt = true;
                hidden.take(login.start..line.end);
            }
        }
    }
    hidden.cut(text);
    hidden
}

impl Hidden {
    /// Whether this is, or holds, a secret by chance: `app:app@host/app`.
    pub fn took(&self, value: &str) -> bool {
        let holds = |secret: &str| secret.len() >= CHANCE_MIN && value.contains(secret);
        self.taken
            .iter()
            .any(|secret| value == secret || holds(secret))
    }

    /// Whether one of the stretches from this one on has a part in this one.
    fn has_from(&self, mark: usize, other: &Range<usize>) -> bool {
        self.stretches
            .iter()
            .skip(mark)
            .any(|stretch| stretch.start < other.end && other.start < stretch.end)
    }

    fn take(&mut self, stretch: Range<usize>) {
        if !stretch.is_empty() {
            self.stretches.push(stretch);
        }
    }

    fn cut(&mut self, text: &str) {
        self.stretches.sort_by_key(|stretch| stretch.start);
        let mut at = 0;
        for stretch in &self.stretches {
            if stretch.start >= at {
                self.text
                    .push_str(text.get(at..stretch.start).unwrap_or_default());
                self.text.push(HIDDEN);
            }
            at = at.max(stretch.end);
            let secret = text
                .get(stretch.clone())
                .unwrap_or_default()
                .trim_matches(is_quote);
            if !secret.is_empty() {
                self.taken.extend([secret.to_owned(), decoded(secret)]);
            }
        }
        self.text.push_str(text.get(at..).unwrap_or_default());
    }
}

/// Lines, where one that ends in a backslash goes on.
fn lines(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    let ends = text
        .match_indices('\n')
        .map(|(at, _)| at)
        .filter(|at| !text.get(..*at).is_some_and(|t| t.ends_with('\\')));
    ends.chain([text.len()]).map(move |end| {
        let line = start..end;
        start = end + 1;
        line
    })
}

pub(super) fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'' | '`')
}
