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
mod hidden;
mod login;
mod rest;
mod values;

use super::words;
pub use hidden::Hidden;
pub use login::SOURCE_KEYS;
use std::ops::Range;

/// Takes out what may be secret.
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
