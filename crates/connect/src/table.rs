//! The tables as they stand in the data files. Never renders anything.

use crate::ConnectError;
use crate::quote::Syntax;
use serde::{Deserialize, Serialize};
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
    /// What to install, as a command or in words.
    pub install: String,
    /// The oldest version that verifies as said here.
    pub minimum_version: String,
    pub ca: CaNeed,
    /// Whether its string can insist on TLS 1.3.
    pub tls13: bool,
    /// What the string given really checks, as the runs of `tests/clients` saw it.
    pub verifies: Verifies,
    /// Whether it logs in in clear text where a server, or somebody in between, offers no TLS.
    #[serde(default)]
    pub plain_text: bool,
    /// Where no form of this client verifies: which client does.
    pub no_form_verifies: Option<String>,
    /// Why it was not run by its real program; absent where it was.
    pub not_run: Option<String>,
    #[serde(default)]
    pub notes: Vec<String>,
    /// How this client shows what goes wrong.
    #[serde(default)]
    pub fails: Vec<Fails>,
    /// What has to be done once before the string works.
    pub setup: Option<Setup>,
    #[serde(rename = "form")]
    pub forms: Vec<FormTemplate>,
    /// How the gateway recognises it: the start of `_client_name` in its connection attributes.
    #[serde(default)]
    pub attributes: Vec<String>,
    /// In one phrase, for the refusal that this client gets without TLS.
    pub mend: Option<String>,
}

/// When a client has to be told where the roots lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CaNeed {
    /// It never looks into the system's store.
    Always,
    /// Only for a CA that the system's store (or its own list) does not have.
    Private,
    /// It reads the system's store and takes no path.
    Store,
}

/// What the string given really checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Verifies {
    /// That a CA it trusts has signed.
    pub chain: bool,
    /// That the certificate names the host, where a DNS name is connected to.
    pub dns_name: bool,
    /// The same where an IP address is connected to.
    pub address: bool,
}

/// A setting that goes wrong, and how the client shows it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Fails {
    pub setting: Setting,
    /// A piece of the error's text, as the client really prints it.
    pub looks: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Setting {
    /// TLS is switched off.
    Off,
    /// A server whose certificate another CA has signed.
    Impostor,
    /// The certificate does not carry the DNS name.
    WrongName,
    /// The certificate does not carry the IP address.
    WrongAddress,
    /// The CA is given nowhere.
    NoCa,
    /// The client insists on TLS 1.3, the server has only 1.2.
    OnlyTls12,
}

/// A template of something done once.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    pub syntax: Syntax,
    /// Renders to nothing where nothing is to be done.
    pub text: String,
}

/// A template of a string to copy.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormTemplate {
    pub id: String,
    pub title: String,
    pub syntax: Syntax,
    #[serde(default)]
    pub format: Format,
    /// In which ways it has its password, the best first.
    pub password: Vec<PasswordFrom>,
    /// The expression that reads the password from the environment, in this language.
    pub env_password: Option<String>,
    /// Renders to nothing where the form would not verify the endpoint.
    pub text: String,
}

/// Which kind of output a form is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    #[default]
    Text,
    Url,
    Env,
}

/// Where a string has its password from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PasswordFrom {
    /// From the environment variable `TIDEGATE_PASSWORD`.
    Env,
    /// It stands in the string.
    Literal,
    /// The client asks for it, or it is typed into a field.
    Asked,
}

/// One platform and its roots.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Platform {
    pub id: String,
    pub name: String,
    /// The PEM file with the roots it trusts, as clients are told it.
    pub ca: String,
    /// Where else it may lie.
    #[serde(default)]
    pub alternatives: Vec<String>,
    /// Whether its paths are Linux paths, which Go's and OpenSSL's lists must know.
    #[serde(default)]
    pub linux: bool,
    /// `true` where a client read this very file in a test; else it is from documentation.
    #[serde(default)]
    pub run: bool,
    /// What to know or do first.
    pub note: Option<String>,
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
    let Some((rest, _)) = path.as_bytes().split_last_chunk::<5>() else {
        return path;
    };
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

#[expect(
    clippy::panic,
    reason = "the files are part of the program, and a test reads each"
)]
static CLIENTS: LazyLock<Vec<Client>> = LazyLock::new(|| {
    let read = |(id, text): &(&str, &str)| {
        let mut client: Client =
            toml::from_str(text).unwrap_or_else(|error| panic!("clients/{id}.toml: {error}"));
        client.id = (*id).to_owned();
        client
    };
    let mut clients: Vec<Client> = CLIENT_FILES.iter().map(read).collect();
    clients.sort_by(|a, b| (a.order, &a.id).cmp(&(b.order, &b.id)));
    clients
});

#[expect(
    clippy::expect_used,
    reason = "the file is part of the program, and a test reads it"
)]
static PLATFORMS: LazyLock<Vec<Platform>> = LazyLock::new(|| {
    let table: Platforms = toml::from_str(include_str!("../platforms.toml"))
        .expect("a table that the tests have read");
    table.platform
});

#[expect(
    clippy::expect_used,
    reason = "the file is part of the program, and a test reads it"
)]
static CAUSES: LazyLock<BTreeMap<String, Cause>> = LazyLock::new(|| {
    toml::from_str(include_str!("../refusals.toml")).expect("a table that the tests have read")
});

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

/// The client of this id.
///
/// # Errors
/// If there is none.
pub fn client(id: &str) -> Result<&'static Client, ConnectError> {
    let known = || {
        clients()
            .iter()
            .map(|client| client.id.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    clients()
        .iter()
        .find(|client| client.id == id)
        .ok_or_else(|| ConnectError::UnknownClient {
            given: id.to_owned(),
            known: known(),
        })
}

/// The platform of this id; the first where none is named.
///
/// # Errors
/// If there is none of that id.
pub fn platform(id: Option<&str>) -> Result<&'static Platform, ConnectError> {
    let known = || {
        platforms()
            .iter()
            .map(|platform| platform.id.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    platforms()
        .iter()
        .find(|platform| id.is_none_or(|id| platform.id == id))
        .ok_or_else(|| ConnectError::UnknownPlatform {
            given: id.unwrap_or_default().to_owned(),
            known: known(),
        })
}
