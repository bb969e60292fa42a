//! The families of clients, and the recognition of a string's family: by its scheme, its form, or
//! words and options that only one family has. If several are equally likely, none is guessed, and
//! the candidates are listed.
//!
//! A client with its own syntax is one more file here, and its families are entries of
//! [`FAMILIES`].

mod c;
mod dotnet;
mod family;
mod go;
mod jvm;
mod node;
mod odbc;
mod perl;
mod php;
mod python;
mod ruby;
mod rust;
mod sql;

use super::judgement::{UNREADABLE, say};
use super::read_values::ReadValues;
pub use family::Family;
use family::UNKNOWN;
pub use go::GO;
pub use sql::of_program;

/// Every family that has clients. Where two recognise the same string, the first one is taken; for
/// options in code the last one, whose options are rarer.
static FAMILIES: &[&Family] = &[
    &sql::MYSQL,
    &sql::MARIADB,
    &sql::MYCLI,
    &c::LIBMYSQLCLIENT,
    &c::LIBMARIADB,
    &python::PYMYSQL,
    &python::MYSQLCLIENT,
    &python::CONNECTOR_PYTHON,
    &python::ASYNC_PYTHON,
    &python::AIOMYSQL,
    &go::GO,
    &php::MYSQLI,
    // Before PDO, because its data sources contain PDO's.
    &perl::PERL,
    &php::PDO,
    &ruby::RUBY,
    &node::NODE_MARIADB,
    &node::PRISMA,
    &node::NODE_MYSQL2,
    &jvm::CONNECTOR_J,
    &jvm::MARIADB_J,
    &jvm::R2DBC_MYSQL,
    &jvm::R2DBC_MARIADB,
    &rust::MYSQL_ASYNC,
    &rust::SQLX,
    &odbc::ODBC,
    &dotnet::DOTNET,
];

/// Any client that accepts a `mysql://` URL, if the string does not tell which.
static ANY_URL: Family = Family {
    name: "a client that takes a mysql:// address",
    candidates: &[
        &node::NODE_MYSQL2,
        &node::NODE_MARIADB,
        &node::PRISMA,
        &rust::SQLX,
        &rust::MYSQL_ASYNC,
        &ruby::RUBY,
    ],
    ..UNKNOWN
};

/// A server's own options: no client reads them.
pub static SERVER: Family = Family {
    name: "a server, not a client",
    judge: |_| {
        say(
            UNREADABLE,
            &["These are the options of a server: no client reads them."],
        )
    },
    ..UNKNOWN
};

/// Ecto's driver, whose options are beside its address.
static ELIXIR: Family = Family {
    name: "Ecto (Elixir)",
    judge: |_| {
        let why = "Ecto's option `ssl` is beside the address, and MyXQL's version decides what it \
                   verifies; hint: set `ssl: [verify: :verify_peer, cacertfile: FILE, \
                   server_name_indication: HOST]`.";
        say(UNREADABLE, &[why])
    },
    ..UNKNOWN
};

/// Words that only texts of Elixir have.
const ELIXIR_WORDS: [&str; 4] = ["MyXQL", "Ecto.", "System.get_env(", "System.fetch_env!("];

/// A client of MySQL's X Protocol.
static X_PROTOCOL: Family = Family {
    name: "a client of MySQL's X Protocol",
    judge: |_| {
        let why = "This endpoint does not speak the X Protocol of `mysqlx://`; hint: use a client \
                   of the classic protocol.";
        say(UNREADABLE, &[why])
    },
    ..UNKNOWN
};

/// Any client, if the string tells nothing about it.
static UNNAMED: Family = Family {
    candidates: &[
        &python::PYMYSQL,
        &python::CONNECTOR_PYTHON,
        &node::NODE_MYSQL2,
        &php::PDO,
        &ruby::RUBY,
    ],
    ..UNKNOWN
};

/// Returns the family of a client of the table.
pub fn of_client(id: &str) -> Option<&'static Family> {
    first(|family| family.ids.contains(&id))
}

/// Returns the family of a URL, by its scheme, then by words of the code around it, then by its
/// options.
pub fn of_url(scheme: &str, code: &str, values: &ReadValues) -> &'static Family {
    if scheme.starts_with("ecto") || ELIXIR_WORDS.iter().any(|word| code.contains(word)) {
        return &ELIXIR;
    }
    if scheme.starts_with("mysqlx") {
        return &X_PROTOCOL;
    }
    let is_own = |family: &Family| family.own_words.iter().any(|word| code.contains(word));
    let driver = scheme.rsplit_once('+').map(|(_, driver)| driver);
    first(|family| driver.is_some_and(|driver| family.drivers.contains(&driver)))
        .or_else(|| first(|family| (family.has_scheme)(scheme)))
        .or_else(|| first(is_own))
        .or_else(|| first(|family| (family.has_url_options)(values)))
        .unwrap_or(&ANY_URL)
}

/// Returns the family of a data source, and the position after its head. `text` must be in lower
/// case.
pub fn of_data_source(text: &str) -> Option<(&'static Family, usize)> {
    FAMILIES.iter().copied().find_map(|family| {
        let mut heads = family.source_heads.iter();
        let end = heads.find_map(|head| Some(text.find(head)? + head.len()))?;
        Some((family, end))
    })
}

/// Variables that set up a server's container.
const SERVER_WORDS: [&str; 4] = [
    "MYSQL_ROOT_PASSWORD",
    "MARIADB_ROOT_PASSWORD",
    "MYSQL_RANDOM_ROOT_PASSWORD",
    "MYSQL_ALLOW_EMPTY_PASSWORD",
];

/// Returns the family of keys and values in code or files, by words of the text and by options.
pub fn of_pairs(text: &str, values: &ReadValues) -> &'static Family {
    if values.host().is_none() && SERVER_WORDS.iter().any(|word| text.contains(word)) {
        return &SERVER;
    }
    if ELIXIR_WORDS.iter().any(|word| text.contains(word)) {
        return &ELIXIR;
    }
    let contains = |word: &&str| text.contains(*word);
    let by_option = || {
        let mut families = FAMILIES.iter().rev().copied();
        families.find(|family| family.option_words.iter().any(contains))
    };
    first(|family| family.own_words.iter().any(contains))
        .or_else(by_option)
        .or_else(|| first(|family| (family.is_written_as)(text, values)))
        .unwrap_or(&UNNAMED)
}

/// Returns the family of a `;` form, by the driver that it names.
pub fn of_semicolons(values: &ReadValues) -> &'static Family {
    first(|family| (family.has_semicolon_options)(values)).unwrap_or(&dotnet::DOTNET)
}

/// Whether some family reads an option of this normalised name.
pub fn is_read(option: &str) -> bool {
    first(|family| family.reads.contains(&option)).is_some()
}

fn first(wanted: impl Fn(&Family) -> bool) -> Option<&'static Family> {
    FAMILIES.iter().copied().find(|family| wanted(family))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::clients;
    use std::collections::BTreeSet;

    /// The client of the table that is a list of values and no program.
    const NO_PROGRAM: &str = "general";

    #[test]
    fn every_client_belongs_to_exactly_one_family() {
        for client in clients().iter().filter(|client| client.id != NO_PROGRAM) {
            let families = FAMILIES
                .iter()
                .filter(|f| f.ids.contains(&client.id.as_str()));
            assert_eq!(families.count(), 1, "{}", client.id);
        }
    }

    #[test]
    fn every_family_has_a_client_of_the_table() {
        let known: BTreeSet<&str> = clients().iter().map(|client| client.id.as_str()).collect();
        for family in FAMILIES {
            assert!(family.is_named(), "{}", family.name);
            for id in family.ids {
                assert!(known.contains(id), "{}: {id}", family.name);
            }
        }
    }
}
