//! Reads command lines of mysql, mariadb, mycli and related programs. Words are split as a shell
//! does.

use super::keys::normal;
use super::read_values::ReadValues;
use super::url;
use crate::explain::text::part;
use std::ops::Range;

/// Known programs, and the client whose options they have.
const PROGRAMS: &[(&str, &str)] = &[
    ("mysql", "mysql"),
    ("mysqldump", "mysql"),
    ("mysqladmin", "mysql"),
    ("mysqlimport", "mysql"),
    ("mysqlsh", "mysql"),
    ("mariadb", "mariadb"),
    ("mariadb-dump", "mariadb"),
    ("mariadb-admin", "mariadb"),
    ("mariadb-import", "mariadb"),
    ("mycli", "mycli"),
];

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

/// Returns the words, the index of the program, and the client whose options it has. None if this
/// is not a command line.
pub fn program(text: &str) -> Option<(Vec<Range<usize>>, usize, &'static str)> {
    // With an unclosed quote the shell's rules don't apply, so blanks separate the words.
    let words = split(text).unwrap_or_else(|| blanks(text));
    let at = words
        .iter()
        .position(|range| !is_before_program(part(text, range.clone())))?;
    let word = part(text, words.get(at)?.clone());
    let name = word.rsplit('/').next()?;
    let (_, client) = PROGRAMS.iter().find(|(program, _)| *program == name)?;
    Some((words, at, client))
}

/// Whether the word may precede the program: `$`, `sudo`, `exec`, `MYSQL_PWD=x`.
fn is_before_program(word: &str) -> bool {
    if ["$", "sudo", "exec", "env"].contains(&word) {
        return true;
    }
    let Some((name, _)) = word.split_once('=') else {
        return false;
    };
    !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_uppercase() || c == '_' || c.is_ascii_digit())
}

/// Reads a command line and returns its client. None if this is not a command line.
pub fn read(text: &str, values: &mut ReadValues) -> Option<&'static str> {
    let (words, at, client) = program(text)?;
    let words: Vec<String> = words
        .into_iter()
        .map(|range| unquoted(part(text, range)))
        .collect();
    for (key, value) in words
        .get(..at)?
        .iter()
        .filter_map(|word| word.split_once('='))
    {
        values.put(key, value);
    }
    arguments(words.get(at + 1..)?, values);
    Some(client)
}

/// Returns a word without its quotes.
fn unquoted(word: &str) -> String {
    shlex::split(word)
        .and_then(|words| words.into_iter().next())
        .unwrap_or_else(|| word.to_owned())
}

fn arguments(words: &[String], values: &mut ReadValues) {
    let mut words = words.iter().map(String::as_str).peekable();
    while let Some(word) = words.next() {
        let value_follows = words.peek().is_some_and(|next| !next.starts_with('-'));
        if let Some(long) = word.strip_prefix("--") {
            let (key, value) = long
                .split_once('=')
                .map_or((long, None), |(key, value)| (key, Some(value)));
            let next = value_follows && LONG.contains(&normal(key).as_str());
            let value = value.or_else(|| if next { words.next() } else { None });
            values.put(key, value.unwrap_or_default());
        } else if let Some(short) = word.strip_prefix('-') {
            let mut letters = short.chars();
            let letter = letters.next().unwrap_or_default();
            let inline = Some(letters.as_str()).filter(|rest| !rest.is_empty());
            // A word after `-p` is a password for mycli but not for mysql; many people believe it
            // is, so it is treated as one.
            if letter == 'p' {
                values.secret(
                    inline
                        .or_else(|| if value_follows { words.next() } else { None })
                        .unwrap_or_default(),
                );
            } else if let Some((_, key)) = SHORT.iter().find(|(short, _)| *short == letter) {
                values.put(key, inline.or_else(|| words.next()).unwrap_or_default());
            }
        } else if let Some(found) = url::find(word) {
            url::read(word, &found, values);
        } else {
            values.database(word);
        }
    }
}
