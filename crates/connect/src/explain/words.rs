//! Reads the arguments of mysql, mariadb, mycli and related programs. Words are split as a shell
//! does.

use super::command_line;
use super::keys::normal;
use super::read_values::{INSERTED, ReadValues};
use super::url;
use crate::explain::text::part;
use std::ops::Range;

/// One-letter options with a value.
pub const SHORT: &[(char, &str)] = &[
    ('u', "user"),
    ('h', "host"),
    ('P', "port"),
    ('D', "database"),
];

/// Long options whose value may be the next word.
pub const LONG: &[&str] = &[
    "user",
    "host",
    "port",
    "database",
    "sslmode",
    "sslca",
    "sslcapath",
    "sslcert",
    "sslkey",
    "tlsversion",
    "sslcipher",
];

/// Long options whose value may be the next word, and is never shown.
const LONG_IGNORED: &[&str] = &[
    "execute",
    "socket",
    "protocol",
    "where",
    "resultfile",
    "defaultcharacterset",
    "defaultsfile",
    "defaultsextrafile",
    "defaultsgroupsuffix",
    "connecttimeout",
    "plugindir",
    "initcommand",
    "loginpath",
    "ignoretable",
];

/// One-letter options with a value that is never shown.
const SHORT_IGNORED: &[char] = &['e', 'S', 'r', 'w', 'T'];

/// Option that [`read`] adds if a word follows `-p`.
pub const SPACED_PASSWORD: &str = "spacedpassword";

/// Splits a text into words as a shell does. None if a quote stays open.
pub fn split(text: &str) -> Option<Vec<Range<usize>>> {
    let mut words = Vec::new();
    let mut start = None;
    let mut open = None;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        // Inside single quotes a backslash is an ordinary character.
        if c == '\\' && open != Some('\'') {
            // A backslash at the end of a line joins it to the next one.
            let joins = chars.next_if(|(_, next)| *next == '\n').is_some();
            if !joins {
                start = start.or(Some(at));
                chars.next();
            }
        } else if open == Some(c) {
            open = None;
        } else if open.is_none() && c.is_whitespace() {
            words.extend(start.take().map(|start| start..at));
        } else {
            start = start.or(Some(at));
            open = open.or_else(|| Some(c).filter(|c| matches!(c, '"' | '\'')));
        }
    }
    words.extend(start.map(|start| start..text.len()));
    open.is_none().then_some(words)
}

/// Splits a text at white space.
pub fn blanks(text: &str) -> Vec<Range<usize>> {
    let starts = text.split_whitespace().scan(0, |from, word| {
        let start = *from + text.get(*from..)?.find(word)?;
        *from = start + word.len();
        Some(start..*from)
    });
    starts.collect()
}

/// Reads a command line and returns its client. None if the text contains none.
pub fn read(text: &str, values: &mut ReadValues) -> Option<&'static str> {
    let line = command_line::find(text)?;
    let words: Vec<String> = line
        .words
        .iter()
        .map(|range| unquoted(part(text, range.clone())))
        .collect();
    for (key, value) in words
        .get(..line.program)?
        .iter()
        .filter(|word| command_line::is_assignment(word))
        .filter_map(|word| word.split_once('='))
    {
        values.put(key, value);
    }
    let is_admin = words.get(line.program)?.ends_with("admin");
    arguments(
        words.get(line.program + 1..)?,
        line.client,
        is_admin,
        values,
    );
    Some(line.client)
}

/// Whether this word is a variable that may contain options or an address, and not only a
/// database's name.
fn has_options(word: &str) -> bool {
    let Some(name) = word.strip_prefix('$') else {
        return false;
    };
    let name = normal(name);
    let is_address = ["url", "uri", "dsn"].iter().any(|end| name.ends_with(end));
    let is_database = ["db", "database", "name", "schema", "table"]
        .iter()
        .any(|word| name.contains(word));
    is_address || !is_database
}

/// Returns a word without its quotes.
fn unquoted(word: &str) -> String {
    shlex::split(word)
        .and_then(|words| words.into_iter().next())
        .unwrap_or_else(|| word.to_owned())
}

fn arguments(words: &[String], client: &str, is_admin: bool, values: &mut ReadValues) {
    let mut words = words.iter().map(String::as_str).peekable();
    let mut has_database = is_admin;
    while let Some(word) = words.next() {
        let value_follows = words.peek().is_some_and(|next| !next.starts_with('-'));
        if is_operator(word) {
            return;
        }
        if let Some(long) = word.strip_prefix("--") {
            let (key, value) = long
                .split_once('=')
                .map_or((long, None), |(key, value)| (key, Some(value)));
            let takes_value = |key: &str| LONG.contains(&key) || LONG_IGNORED.contains(&key);
            let next = value_follows && takes_value(&normal(key));
            let value = value.or_else(|| if next { words.next() } else { None });
            values.put(key, value.unwrap_or_default());
        } else if let Some(short) = word.strip_prefix('-') {
            let mut letters = short.chars();
            let letter = letters.next().unwrap_or_default();
            let inline = Some(letters.as_str()).filter(|rest| !rest.is_empty());
            if letter == 'p' {
                let next = if inline.is_none() && value_follows {
                    words.next()
                } else {
                    None
                };
                password(inline, next, client, values);
            } else if let Some((_, key)) = SHORT.iter().find(|(short, _)| *short == letter) {
                values.put(key, inline.or_else(|| words.next()).unwrap_or_default());
            } else if SHORT_IGNORED.contains(&letter) && inline.is_none() && value_follows {
                words.next();
            }
        } else if let Some(found) = url::find(word) {
            url::read(word, &found, values);
        } else if has_options(word) {
            values.option(INSERTED, "");
        } else if !has_database {
            // Further words are tables for mysqldump.
            has_database = true;
            values.database(word);
        }
    }
}

/// A word after `-p` is a password for mycli but not for mysql, which takes it for the database.
/// Many people believe that it is one, so it is never shown.
fn password(inline: Option<&str>, next: Option<&str>, client: &str, values: &mut ReadValues) {
    if next.is_some() && client != "mycli" {
        values.option(SPACED_PASSWORD, "");
    } else {
        values.secret(inline.or(next).unwrap_or_default());
    }
}

/// Whether the shell reads this word: what follows it belongs to another file or program.
pub fn is_operator(word: &str) -> bool {
    let word = word.trim_start_matches(|c: char| c.is_ascii_digit());
    word.starts_with(['<', '>', '|', '&', ';'])
}
