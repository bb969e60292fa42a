//! Values that were read from a pasted string: endpoint and options. A value that does not have its
//! expected form, or of which a part was hidden, is never returned.

use super::keys::{KeyRole, normal, role};
use super::text::HIDDEN;
use std::net::Ipv6Addr;

/// Maximum number of options of one string. Real ones have a few dozen at most.
const OPTIONS_MAX: usize = 256;

/// Maximum length of a value that is shown: that of a DNS name.
const SHOWN_MAX: usize = 253;

/// Values of one reading. They are printed only through the methods that check their form.
#[derive(Debug, Default, Clone)]
pub struct ReadValues {
    host: Vec<String>,
    port: Vec<String>,
    user: Vec<String>,
    database: Vec<String>,
    /// Normalised key and trimmed value, in the order of the string.
    options: Vec<(String, String)>,
    /// Keys of options as they are written.
    spelled: Vec<String>,
    /// Value of the last key `name`, which a key `value` may follow, as in Kubernetes.
    name: Option<String>,
    /// Words of [`MARKS`] that the text contains.
    marks: Vec<&'static str>,
    pub password: bool,
}

/// Option that a reader adds for a word of a command line that a variable contains.
pub const INSERTED: &str = "insertedwords";

/// Option that a reader adds for an options file that includes another one.
pub const INCLUDE: &str = "includedfile";

/// Words that decide what code verifies, wherever they are.
const MARKS: &[&str] = &[
    "PrismaMariaDb",
    "RegisterTLSConfig",
    "InsecureSkipVerify: true",
    "InsecureSkipVerify:true",
    "create_default_context",
    "_create_unverified_context",
    "MYSQLI_CLIENT_SSL",
    "MYSQLI_CLIENT_SSL_VERIFY_SERVER_CERT",
    "MYSQLI_CLIENT_SSL_DONT_VERIFY_SERVER_CERT",
    "SSL_MODE_VERIFY_IDENTITY",
    "SSL_MODE_VERIFY_CA",
    "SSL_MODE_REQUIRED",
    "SSL_MODE_DISABLED",
    "tidegate.cnf",
    "client: 'mysql'",
    "client: \"mysql\"",
    "require('mysql')",
    "require(\"mysql\")",
    "from 'mysql'",
    "from \"mysql\"",
    "diesel",
    "MysqlConnection::establish",
    "array_filter",
    "trilogy",
    "Trilogy.new",
];

/// Maximum number of variables that [`ReadValues::resolved`] follows.
const VARIABLES_MAX: usize = 3;

/// Whether the name has only characters of user names.
pub fn is_plain_user(name: &str) -> bool {
    name.chars()
        .all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c))
}

fn is_plain_database(name: &str) -> bool {
    name.chars()
        .all(|c| c.is_ascii_alphanumeric() || "-_$".contains(c))
}

fn is_plain_host(name: &str) -> bool {
    name.chars()
        .all(|c| c.is_ascii_alphanumeric() || ".-:".contains(c))
        && name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == ':')
}

fn is_port(text: &str) -> bool {
    text.trim().parse::<u16>().is_ok_and(|port| port != 0)
}

impl ReadValues {
    /// Adds a key and its value, whatever the key means.
    pub fn put(&mut self, key: &str, value: &str) {
        if key == "value"
            && let Some(name) = self.name.take()
        {
            return self.put(&name, value);
        }
        self.name = (key == "name").then(|| value.to_owned());
        if self.spelled.len() < OPTIONS_MAX {
            self.spelled.push(key.to_owned());
        }
        let key = normal(key);
        match role(&key) {
            KeyRole::Password => self.secret(value),
            KeyRole::Host => self.authority(value),
            KeyRole::Port => self.port.push(value.to_owned()),
            KeyRole::User => self.user(value),
            KeyRole::Database => self.database(value),
            KeyRole::Option => self.option(&key, value),
        }
    }

    pub fn option(&mut self, key: &str, value: &str) {
        if self.options.len() < OPTIONS_MAX {
            // A comment behind the value.
            let value = value.split(" #").next().unwrap_or_default();
            self.options.push((key.to_owned(), value.trim().to_owned()));
        }
    }

    /// Remembers which words of [`MARKS`] the text contains.
    pub fn mark(&mut self, text: &str) {
        let found = MARKS.iter().copied().filter(|word| text.contains(*word));
        self.marks.extend(found);
    }

    pub fn marked(&self, word: &str) -> bool {
        self.marks.contains(&word)
    }

    /// Returns the value of an option. If it is the name of a variable that the text sets, returns
    /// that variable's value.
    pub fn resolved(&self, key: &str) -> Option<&str> {
        let mut value = self.get(key)?;
        for _ in 0..VARIABLES_MAX {
            let name = normal(value);
            let Some(next) = self.get(&name).filter(|next| name != key && *next != value) else {
                break;
            };
            value = next;
        }
        Some(value)
    }

    pub fn secret(&mut self, value: &str) {
        self.password |= !value.is_empty();
    }

    pub fn user(&mut self, value: &str) {
        self.user.push(value.to_owned());
    }

    pub fn database(&mut self, value: &str) {
        self.database.push(value.to_owned());
    }

    /// Adds host and port: `host`, `host:port`, `[::1]:port`, `tcp:host,port`.
    pub fn authority(&mut self, value: &str) {
        let value = value.strip_prefix("tcp:").unwrap_or(value);
        // The first one of several hosts.
        let first = value.split(',').next().unwrap_or_default();
        if let Some((host, rest)) = first
            .strip_prefix('[')
            .and_then(|rest| rest.split_once(']'))
        {
            self.host.push(host.to_owned());
            self.port.extend(rest.strip_prefix(':').map(str::to_owned));
        } else if first.parse::<Ipv6Addr>().is_ok() {
            self.host.push(first.to_owned());
        } else if let Some((host, port)) = first.split_once(':') {
            self.host.push(host.to_owned());
            self.port.push(port.to_owned());
        } else {
            self.host.push(first.to_owned());
        }
    }

    pub fn host(&self) -> Option<&str> {
        one(&self.host).filter(|host| is_plain_host(host))
    }

    pub fn port(&self) -> Option<u16> {
        one(&self.port)?
            .trim()
            .parse()
            .ok()
            .filter(|port| *port != 0)
    }

    pub fn user_name(&self) -> Option<&str> {
        one(&self.user).filter(|name| is_plain_user(name))
    }

    pub fn database_name(&self) -> Option<&str> {
        one(&self.database).filter(|name| is_plain_database(name))
    }

    /// Returns which parts of the endpoint this reading contains.
    pub fn parts(&self) -> [(&'static str, bool); 4] {
        [
            ("host", has_plain(&self.host, is_plain_host)),
            ("port", has_plain(&self.port, is_port)),
            ("user", has_plain(&self.user, is_plain_user)),
            ("database", has_plain(&self.database, is_plain_database)),
        ]
    }

    /// Returns the CA file, if it is a plain path.
    pub fn ca(&self) -> Option<&str> {
        let keys = [
            "sslca",
            "ssl.ca",
            "serversslcert",
            "mysqlattrsslca",
            "sslcapath",
            "sslcert",
            "mysqlsslcafile",
            "mysqloptsslca",
            "mariadbsslcafile",
            "cafile",
            "ca",
            "tidegateca",
        ];
        let path = keys.iter().find_map(|key| self.get(key))?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "/._-~\\: ".contains(c);
        (path.contains(['/', '\\', '.']) && path.chars().all(plain)).then_some(path)
    }

    /// Returns the value of the last option with this normalised key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.options
            .iter()
            .rev()
            .find(|(k, _)| k == key)
            .map(|(_, value)| value.as_str())
    }

    pub fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Returns an option's value normalised: `VERIFY_IDENTITY`, `verify-identity`,
    /// `:verify_identity` and `SslMode.VERIFY_IDENTITY` are the same.
    pub fn word(&self, key: &str) -> Option<String> {
        self.get(key).map(|value| normal(constant_name(value)))
    }

    pub fn is(&self, key: &str, words: &[&str]) -> bool {
        self.word(key)
            .is_some_and(|word| words.contains(&word.as_str()))
    }

    /// Whether the option is given and not switched off. A flag without a value is on.
    pub fn on(&self, key: &str) -> bool {
        self.has(key) && !self.off(key)
    }

    pub fn off(&self, key: &str) -> bool {
        self.is(
            key,
            &[
                "false", "0", "no", "off", "none", "null", "nil", "disabled", "disable",
            ],
        )
    }

    /// Whether the option's value is a word for on or off, and not the name of something else.
    pub fn on_or_off(&self, key: &str) -> bool {
        self.off(key) || self.is(key, &["true", "1", "yes", "on"])
    }

    /// Whether an option's key is written exactly like this. Some clients ignore another spelling.
    pub fn is_spelled(&self, key: &str) -> bool {
        self.spelled.iter().any(|spelled| spelled == key)
    }

    pub fn any(&self, keys: &[&str]) -> bool {
        keys.iter().any(|key| self.has(key))
    }

    /// Whether this key is a variable that an option has as its value.
    pub fn is_variable(&self, key: &str) -> bool {
        let mut options = self.options.iter();
        options.any(|(other, value)| other != key && value == key)
    }

    pub fn options(&self) -> impl Iterator<Item = &str> {
        self.options.iter().map(|(key, _)| key.as_str())
    }
}

/// Returns a constant's name without its type: `VerifyFull` of `MySqlSslMode.VerifyFull`. Other
/// values are returned unchanged.
fn constant_name(value: &str) -> &str {
    let is_path = |c: char| c.is_ascii_alphanumeric() || "_.:".contains(c);
    match value.rsplit(['.', ':']).next() {
        Some(name)
            if value.chars().all(is_path)
                && name.starts_with(|c: char| c.is_ascii_alphabetic()) =>
        {
            name
        }
        _ => value,
    }
}

/// Returns the value, if there is only one. Hidden values are ignored; two different ones are none.
fn one(values: &[String]) -> Option<&str> {
    let mut named = values
        .iter()
        .filter(|value| !value.is_empty() && !value.contains(HIDDEN));
    let first = named.next()?;
    // With two different values it is unknown which one the client uses, so neither is shown.
    (first.len() <= SHOWN_MAX && named.all(|other| other == first)).then_some(first.as_str())
}

/// Whether one of the values is plain and not empty.
fn has_plain(values: &[String], is_plain: fn(&str) -> bool) -> bool {
    values.iter().any(|v| !v.is_empty() && is_plain(v))
}
