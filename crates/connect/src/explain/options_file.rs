//! Reads options files of MySQL and MariaDB (`my.cnf`): `key=value` lines and bare keys below a
//! header such as `[client]`.

use super::families::{self, Family};
use super::pairs::{put, quoted};
use super::read_values::{INCLUDE, ReadValues};
use super::text::is_quote;

/// Programs whose header names them, and whose options are those of the client library.
const PROGRAMS: [&str; 9] = [
    "client",
    "mysql",
    "mysqldump",
    "mysqladmin",
    "mysqlimport",
    "mysqlsh",
    "mysqlpump",
    "mycli",
    "mysqlcheck",
];

/// Program that an options file is for.
enum Section {
    Client,
    /// A program of MariaDB.
    Mariadb,
    Mycli,
    Server,
}

/// Reads an options file. None if the text is not one.
pub fn read(text: &str, values: &mut ReadValues) -> Option<&'static Family> {
    let mut found = None;
    let mut is_read = false;
    for line in text.lines().map(str::trim) {
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            let section = section(name);
            is_read = !matches!(section, None | Some(Section::Server));
            if is_read || found.is_none() {
                found = section.or(found);
            }
        } else if is_read {
            pair(line, values);
        }
        if line.starts_with("!include") {
            values.option(INCLUDE, "");
            found = found.or(Some(Section::Client));
        }
    }
    Some(match found? {
        Section::Mycli => families::of_program("mycli", values),
        Section::Mariadb => families::of_program("mariadb", values),
        Section::Client => families::of_program("mysql", values),
        Section::Server => &families::SERVER,
    })
}

fn section(header: &str) -> Option<Section> {
    let name = header.trim().to_ascii_lowercase();
    if ["mysqld", "mariadbd", "server", "mysqld_safe"].contains(&name.as_str()) {
        return Some(Section::Server);
    }
    if name.contains("mariadb") {
        return Some(Section::Mariadb);
    }
    if name == "mycli" {
        return Some(Section::Mycli);
    }
    let is_client = PROGRAMS.contains(&name.as_str())
        || name
            .strip_prefix("client")
            .is_some_and(|suffix| suffix.starts_with(['-', '_']));
    is_client.then_some(Section::Client)
}

fn pair(line: &str, values: &mut ReadValues) {
    if line.is_empty() || line.starts_with(['#', ';', '!']) {
        return;
    }
    // A program that does not know an option with this prefix only warns.
    let is_loose = |line: &str| line.starts_with("loose-") || line.starts_with("loose_");
    let line = if is_loose(line) {
        line.split_at_checked("loose-".len()).unwrap_or_default().1
    } else {
        line
    };
    let Some((key, value)) = line.split_once('=') else {
        values.option(&super::keys::normal(line), "");
        return;
    };
    let value = value.trim();
    let value = if value.starts_with(is_quote) {
        quoted(value).0
    } else {
        value
    };
    put(key.trim(), value, values);
}
