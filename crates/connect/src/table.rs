//! The tables of clients, platforms and causes, as the data files contain them.

use crate::quote::Syntax;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// A client, from its file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// Name of its file without `.toml`.
    #[serde(skip)]
    pub id: String,
    /// Position in lists, smallest first.
    order: u32,
    pub name: String,
    pub language: String,
    /// Other names of it, among them the language whose first choice it is.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// How to install it, as a command or in words.
    pub install: String,
    /// How to install it, by the package manager of a platform, where `install` does not fit.
    #[serde(default)]
    pub packages: BTreeMap<String, String>,
    /// Oldest version that verifies as stated here.
    pub minimum_version: String,
    pub ca: CaNeed,
    /// Whether its string can insist on TLS 1.3.
    pub tls13: bool,
    /// Checks that its string makes, as measured by `tests/clients`.
    pub verifies: Verifies,
    /// Whether it logs in in clear text if the server, or an attacker in between, offers no TLS.
    #[serde(default)]
    pub plain_text: bool,
    /// If no form of this client verifies: the client to use instead.
    pub no_form_verifies: Option<String>,
    /// Reason why the real program was not run; absent if it was.
    pub not_run: Option<String>,
    #[serde(default)]
    pub notes: Vec<String>,
    /// Error texts of this client.
    #[serde(default)]
    pub fails: Vec<Fails>,
    /// Setup that is done once before the string works.
    pub setup: Option<Setup>,
    #[serde(rename = "form")]
    pub forms: Vec<FormTemplate>,
    /// Beginnings of `_client_name` in its connection attributes, by which the gateway recognises
    /// it.
    #[serde(default)]
    pub attributes: Vec<String>,
    /// Hint in one phrase, for the refusal of a login without TLS.
    pub hint: Option<String>,
}

/// Whether a client needs the path of the roots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CaNeed {
    /// Always: it never reads the system's store.
    Always,
    /// Only for a CA that the system's store (or its own list) does not have.
    Private,
    /// It reads the system's store and takes no path.
    Store,
}

/// Checks that a string makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Verifies {
    /// Whether a trusted CA has signed the certificate.
    pub chain: bool,
    /// Whether the certificate carries the DNS name of the connection.
    pub dns_name: bool,
    /// Whether the certificate carries the IP address of the connection.
    pub address: bool,
}

/// A wrong setting, and the client's error text.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Fails {
    pub setting: Setting,
    /// Part of the error text, as the client prints it.
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
    /// No CA is given.
    NoCa,
    /// The client requires TLS 1.3, and the server has only 1.2.
    OnlyTls12,
    /// The server, or an attacker in between, offers no TLS.
    NoTlsOffered,
}

/// Template of a setup that is done once.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    pub syntax: Syntax,
    /// Template text. It renders to nothing if no setup is needed.
    pub text: String,
}

/// Template of a connection string.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormTemplate {
    pub id: String,
    pub title: String,
    pub syntax: Syntax,
    #[serde(default)]
    pub format: Format,
    /// Ways to get the password, best first.
    pub password: Vec<PasswordFrom>,
    /// Expression in this language that reads the password from the environment.
    pub env_password: Option<String>,
    /// Template text. It renders to nothing if the form can't verify the endpoint.
    pub text: String,
}

/// Output format of a form.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    #[default]
    Text,
    Url,
    Env,
}

/// Way in which a string gets the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PasswordFrom {
    /// From the environment variable `TIDEGATE_PASSWORD`.
    Env,
    /// The string contains it.
    Literal,
    /// The client asks for it.
    Asked,
    /// Neither: the text is a list of values, and the password is entered beside it.
    Apart,
}

/// A platform and the path of its roots.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Platform {
    pub id: String,
    pub name: String,
    /// The platform whose label it is. What is missing here is as there.
    pub of: Option<String>,
    /// Other names of it.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Its package manager.
    pub packages: String,
    /// PEM file of its trusted roots, as strings name it.
    #[serde(default)]
    pub ca: String,
    /// Other possible paths of it.
    #[serde(default)]
    pub alternatives: Vec<String>,
    /// Whether its paths are Linux paths. The tests compare those with Go's and OpenSSL's lists.
    #[serde(default)]
    pub linux: bool,
    /// Whether a client read this file in a test; otherwise it is from documentation.
    #[serde(default)]
    pub run: bool,
    /// Note for people on this platform.
    pub note: Option<String>,
    /// Place for a copy of a CA file.
    #[serde(default = "own_ca")]
    pub own_ca: String,
    /// Whether programs run elsewhere than on a person's machine, so that no file of it is there.
    #[serde(default)]
    pub hosted: bool,
}

fn own_ca() -> String {
    "/etc/ssl/tidegate-ca.pem".to_owned()
}

impl Platform {
    /// Returns the id of the platform whose paths and shells it has.
    pub fn base(&self) -> &str {
        self.of.as_deref().unwrap_or(&self.id)
    }

    /// Returns this label with what it has in common with its platform.
    fn with_base(mut self, all: &[Self]) -> Self {
        let base = all.iter().find(|other| self.of.as_ref() == Some(&other.id));
        if let Some(base) = base {
            self.ca.clone_from(&base.ca);
            self.alternatives.clone_from(&base.alternatives);
            self.linux = base.linux;
            self.note.clone_from(&base.note);
        }
        self
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Platforms {
    platform: Vec<Platform>,
}

/// Name and text of each client file, from the build.
const CLIENT_FILES: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/clients.rs"));

/// Returns a file's name without folder and `.toml`.
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
    let all = table.platform.clone();
    let filled = table.platform.into_iter();
    filled.map(|platform| platform.with_base(&all)).collect()
});

#[expect(clippy::expect_used, reason = "a test reads the file")]
static SHOWN_PLATFORMS: LazyLock<&'static [Platform]> = LazyLock::new(|| {
    // The labels follow the platforms.
    let count = PLATFORMS.iter().filter(|p| p.of.is_none()).count();
    PLATFORMS.get(..count).expect("as many as there are")
});

#[expect(
    clippy::expect_used,
    reason = "the file is part of the program, and a test reads it"
)]
static CAUSES: LazyLock<BTreeMap<String, Cause>> = LazyLock::new(|| {
    toml::from_str(include_str!("../refusals.toml")).expect("a table that the tests have read")
});

/// Cause of a refusal, for its help page.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cause {
    pub cause: String,
    /// Steps to fix it, where the hint of the error is not enough.
    #[serde(default)]
    pub fix: String,
    /// Whether the page shows the string of each client.
    #[serde(default)]
    pub lines: bool,
}

/// Returns all clients, in the order of lists.
pub fn clients() -> &'static [Client] {
    &CLIENTS
}

/// Returns the platforms that lists show. The first one is the default.
pub fn platforms() -> &'static [Platform] {
    &SHOWN_PLATFORMS
}

/// Returns the platforms and their labels.
pub fn all_platforms() -> &'static [Platform] {
    &PLATFORMS
}

/// Returns the causes of refusals by slug.
pub fn causes() -> &'static BTreeMap<String, Cause> {
    &CAUSES
}
