//! Removes every range of a pasted text that any reading could take for a password, before the text
//! is read for shown values. A value that the readers never get can't be shown.
//!
//! A range begins where the text *before* it introduces a password: the colon of a login, a key
//! such as `password=`, a string after a comma, `-p`. It ends as late as any reading ends it: a
//! login's at the last `@` of its line, any other at its quote or separator, provided that the rest
//! of the line consists of further keys and values; otherwise at the line's end. So a password is
//! removed completely unless it continues like a connection string with known keys. A password
//! never contains a line end.

mod command;
mod hidden;
mod login;
mod rest;
mod values;

use super::words;
pub use hidden::Hidden;
pub use login::SOURCE_KEYS;
use std::ops::Range;

/// Hides every possible secret of a text.
pub fn hide(text: &str) -> Hidden {
    let mut hidden = Hidden::default();
    let is_command = words::program(text).is_some();
    if is_command {
        command::find(text, &mut hidden);
    }
    for line in lines(text) {
        let login = login::find(text, line.clone(), &mut hidden);
        if !is_command {
            let mark = hidden.mark();
            values::find(text, line.clone(), &mut hidden);
            let mixed = |login: &Range<usize>| hidden.has_from(mark, login);
            // The ranges of a login and of a key's value overlap, so each reading ends inside the
            // other.
            if let Some(login) = login.filter(mixed) {
                hidden.doubt = true;
                hidden.take(login.start..line.end);
            }
        }
    }
    hidden.cut(text);
    hidden
}

/// Returns the lines. One that ends in a backslash continues in the next.
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
