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
mod named;
mod rest;
mod values;
mod variable;

use super::command_line;
pub use hidden::Hidden;
pub use login::SOURCE_KEYS;
use std::ops::Range;

/// Hides every possible secret of a text.
pub fn hide(text: &str) -> Hidden {
    let mut hidden = Hidden::default();
    let command = command_line::find(text);
    if let Some(line) = &command {
        command::find(text, line, &mut hidden);
    }
    let mut previous = 0..0;
    for line in command_line::lines(text) {
        named::find(text, previous, line.clone(), &mut hidden);
        previous = line.clone();
        let login = login::find(text, line.clone(), &mut hidden);
        let is_command = command
            .as_ref()
            .is_some_and(|found| found.range.start < line.end && line.start < found.range.end);
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
