//! The tables as they stand in the data files. Never renders anything.

use crate::ConnectError;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// One client, from one file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// The file's name.
    #[serde(skip)]
    pub id: String,
    /// Its place in lists, smallest first.
    order: u32,
    pub name: String,
    pub language: String,
    pub install: String,
    /// The oldest version that verifies as said here.
    pub minimum_version: String,
    pub ca: CaNeed,
    /// What to add to insist on TLS 1.3.
    pub tls13: Vec<String>,
    pub notes: Vec<String>,
    pub verifies: Verifies,
    pub command: Vec<Part>,
}

/// When a client has to be told where the roots lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CaNeed {
    /// It never looks into the system's store.
    Always,
    /// Only for a CA that the system's store does not have.
    Private,
}

/// What the line given really checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verifies {
    pub chain: bool,
    pub dns_name: bool,
    pub address: bool,
}

/// Some words of a command line, with `{placeholders}`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    pub words: Vec<String>,
    /// Left out when this does not hold.
    pub when: Option<When>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum When {
    /// The host is `localhost`.
    Localhost,
    /// A CA file has to be named.
    Ca,
}

/// One platform and its roots.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Platform {
    pub id: String,
    pub name: String,
    /// The PEM file with the roots it trusts.
    pub ca: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Platforms {
    platform: Vec<Platform>,
}

/// Name and text of each client file, as the build found them.
const CLIENT_FILES: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/clients.rs"));

/// The name of a file without folder and `.toml`.
const fn file_stem(path: &str) -> &str {
    let Some((rest, _)) = path.as_bytes().split_last_chunk::<5>() else { return path };
    let mut name = rest;
    let mut left = rest;
    while let Some((&first, after)) = left.split_first() {
        if first == b'/' {
            name = after;
        }
        left = after;
    }
    match str::from_utf8(name) {
        Ok(name) => name,
        Err(_) => path,
    }
}

#[expect(clippy::expect_used, reason = "the files are part of the program, and a test reads each")]
static CLIENTS: LazyLock<Vec<Client>> = LazyLock::new(|| {
    let read = |(id, text): &(&str, &str)| {
        let mut client: Client = toml::from_str(text).expect("a client file that the tests have read");
        client.id = (*id).to_owned();
        client
    };
    let mut clients: Vec<Client> = CLIENT_FILES.iter().map(read).collect();
    clients.sort_by(|a, b| (a.order, &a.id).cmp(&(b.order, &b.id)));
    clients
});

#[expect(clippy::expect_used, reason = "the file is part of the program, and a test reads it")]
static PLATFORMS: LazyLock<Vec<Platform>> = LazyLock::new(|| {
    let table: Platforms = toml::from_str(include_str!("../platforms.toml")).expect("a table that the tests have read");
    table.platform
});

#[expect(clippy::expect_used, reason = "the file is part of the program, and a test reads it")]
static CAUSES: LazyLock<BTreeMap<String, Cause>> =
    LazyLock::new(|| toml::from_str(include_str!("../refusals.toml")).expect("a table that the tests have read"));

/// Why a refusal comes, for its help page.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cause {
    pub cause: String,
    /// Whether the page shows the right line of each client.
    #[serde(default)]
    pub lines: bool,
}

/// Every client, in the order of lists.
pub fn clients() -> &'static [Client] {
    &CLIENTS
}

/// Every platform; the first is meant where none is named.
pub fn platforms() -> &'static [Platform] {
    &PLATFORMS
}

/// What is known of each refusal beyond its row, by slug.
pub fn causes() -> &'static BTreeMap<String, Cause> {
    &CAUSES
}

pub fn client(id: &str) -> Result<&'static Client, ConnectError> {
    let known = || clients().iter().map(|client| client.id.as_str()).collect::<Vec<_>>().join(", ");
    clients()
        .iter()
        .find(|client| client.id == id)
        .ok_or_else(|| ConnectError::UnknownClient { given: id.to_owned(), known: known() })
}

/// The platform of this id; the first where none is named.
pub fn platform(id: Option<&str>) -> Result<&'static Platform, ConnectError> {
    let known = || platforms().iter().map(|platform| platform.id.as_str()).collect::<Vec<_>>().join(", ");
    platforms()
        .iter()
        .find(|platform| id.is_none_or(|id| platform.id == id))
        .ok_or_else(|| ConnectError::UnknownPlatform { given: id.unwrap_or_default().to_owned(), known: known() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_file_reads_and_ids_are_unique() {
        let ids: BTreeSet<_> = clients().iter().map(|client| client.id.as_str()).collect();
        assert_eq!(ids.len(), CLIENT_FILES.len());
        assert!(ids.contains("mysql") && ids.contains("mariadb"), "{ids:?}");
        let platforms_seen: BTreeSet<_> = platforms().iter().map(|platform| platform.id.as_str()).collect();
        assert_eq!(platforms_seen.len(), platforms().len());
    }

    #[test]
    fn every_line_verifies_chain_and_host_name() {
        for client in clients() {
            assert!(client.verifies.chain && client.verifies.dns_name, "{}", client.id);
        }
    }

    #[test]
    fn the_platforms_are_those_of_the_guide() {
        let path = |id| platform(Some(id)).unwrap().ca.as_str();
        assert_eq!(path("macos"), "/etc/ssl/cert.pem");
        assert_eq!(path("debian"), "/etc/ssl/certs/ca-certificates.crt");
        assert_eq!(path("redhat"), "/etc/pki/tls/certs/ca-bundle.crt");
        assert_eq!(path("alpine"), "/etc/ssl/cert.pem");
        assert_eq!(path("opensuse"), "/etc/ssl/ca-bundle.pem");
        assert_eq!(platform(None).unwrap().id, "debian");
        assert!(matches!(platform(Some("beos")), Err(ConnectError::UnknownPlatform { .. })));
    }
}
