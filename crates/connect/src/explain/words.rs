//! Reads a command line of mysql, mariadb, mycli and their kin. Never takes a word for a database that may be a
//! piece of a password.

use super::seen::{Seen, normal};
use super::url;

/// The programs that are known, and whose options they take.
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

/// Options of one letter that take a value.
const SHORT: &[(char, &str)] = &[('u', "user"), ('h', "host"), ('P', "port"), ('D', "database")];

/// Long options whose value may be the next word.
const LONG: &[&str] = &[
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

/// Reads a command line and tells whose it is; nothing where it is none.
pub(super) fn read(text: &str, seen: &mut Seen) -> Option<&'static str> {
    let line = text.trim_start().trim_start_matches("$ ").replace("\\\n", " ");
    let words: Vec<String> =
        shlex::split(&line).unwrap_or_else(|| line.split_whitespace().map(str::to_owned).collect());
    let at = words.iter().position(|word| !is_before_program(word))?;
    let program = words.get(at)?.rsplit('/').next()?;
    let (_, client) = PROGRAMS.iter().find(|(name, _)| *name == program)?;
    for assignment in words.get(..at)?.iter().filter_map(|word| word.split_once('=')) {
        seen.put(assignment.0, assignment.1);
    }
    arguments(words.get(at + 1..)?, client, seen);
    Some(client)
}

/// `MYSQL_PWD=x`, `sudo`, `exec`.
fn is_before_program(word: &str) -> bool {
    let name =
        |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c == '_' || c.is_ascii_digit());
    ["sudo", "exec", "env"].contains(&word) || word.split_once('=').is_some_and(|(key, _)| name(key))
}

fn arguments(words: &[String], client: &str, seen: &mut Seen) {
    let mut bare = Vec::new();
    let mut typed = seen.password;
    // What stands after `-p` or `--password` may be a piece of a password that was typed with blanks in it.
    let mut asked = false;
    let mut words = words.iter().map(String::as_str).peekable();
    while let Some(word) = words.next() {
        if let Some(long) = word.strip_prefix("--") {
            let (key, value) = long.split_once('=').map_or((long, None), |(key, value)| (key, Some(value)));
            let key = normal(key);
            let next = words.peek().filter(|next| !next.starts_with('-') && LONG.contains(&key.as_str())).is_some();
            let value = value.or_else(|| if next { words.next() } else { None });
            typed |= key.contains("pass") && value.is_some();
            asked |= key.contains("pass");
            seen.put(&key, value.unwrap_or_default());
        } else if let Some(short) = word.strip_prefix('-') {
            let mut letters = short.chars();
            let letter = letters.next().unwrap_or_default();
            let inline = Some(letters.as_str()).filter(|rest| !rest.is_empty());
            if letter == 'p' {
                asked = true;
                // After `-p` alone mysql expects no password, mycli does, and many people think that mysql does.
                let next = words.peek().is_some_and(|next| !next.starts_with('-'));
                let password = inline.or_else(|| if next { words.next() } else { None });
                typed |= password.is_some();
                seen.secret(password.unwrap_or_default());
            } else if let Some((_, key)) = SHORT.iter().find(|(short, _)| *short == letter) {
                seen.put(key, inline.or_else(|| words.next()).unwrap_or_default());
            }
        } else {
            bare.push((word, asked));
        }
    }
    for (word, asked) in bare {
        if let Some(found) = url::find(word) {
            url::read(word, &found, seen);
        } else if !typed && !asked {
            seen.database(word);
        }
    }
    let _ = client;
}
