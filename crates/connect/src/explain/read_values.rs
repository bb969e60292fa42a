//! What was read out of a pasted string: its endpoint and its options. Never gives a value that
//! does not look like what it should be, nor one of which a piece was taken out.

use super::keys::{Role, normal, role};
use super::text::HIDDEN;
use std::net::Ipv6Addr;

/// The most options that are kept of one string; nobody's has more than a few dozen.
const OPTIONS_MAX: usize = 256;

/// The longest value that is shown again: a DNS name's own bound.
const SHOWN_MAX: usize = 253;

/// What a reader has found. Nothing here is printed but through the methods that check it.
#[derive(Debug, Default, Clone)]
pub struct ReadValues {
    host: Vec<String>,
    port: Vec<String>,
    user: Vec<String>,
    database: Vec<String>,
    /// Normalised key and trimmed value, in the order of the string.
    options: Vec<(String, String)>,
    pub password: bool,
}

/// Of which user names here are made.
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
    /// A key of the string with its value, whatever it stands for.
    pub fn put(&mut self, key: &str, value: &str) {
        let key = normal(key);
        match role(&key) {
            Role::Password => self.secret(value),
            Role::Host => self.authority(value),
            Role::Port => self.port.push(value.to_owned()),
            Role::User => self.user(value),
            Role::Database => self.database(value),
            Role::Option => self.option(&key, value),
        }
    }

    pub fn option(&mut self, key: &str, value: &str) {
        if self.options.len() < OPTIONS_MAX {
            self.options.push((key.to_owned(), value.trim().to_owned()));
        }
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

    /// `host`, `host:port`, `[::1]:port`, `tcp:host,port`.
    pub fn authority(&mut self, value: &str) {
        let value = value.strip_prefix("tcp:").unwrap_or(value);
        // Of several hosts the first.
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

    /// The parts that this reading names, whatever it calls them.
    pub fn parts(&self) -> [(&'static str, bool); 4] {
        let some = |values: &[String], plain: fn(&str) -> bool| {
            values.iter().any(|v| !v.is_empty() && plain(v))
        };
        [
            ("host", some(&self.host, is_plain_host)),
            ("port", some(&self.port, is_port)),
            ("user", some(&self.user, is_plain_user)),
            ("database", some(&self.database, is_plain_database)),
        ]
    }

    /// The CA file it names, if that is a plain path.
    pub fn ca(&self) -> Option<&str> {
        let keys = [
            "sslca",
            "ssl.ca",
            "serversslcert",
            "mysqlattrsslca",
            "sslcapath",
            "sslcert",
            "mysqlsslcafile",
        ];
        let path = keys.iter().find_map(|key| self.get(key))?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "/._-~\\: ".contains(c);
        (path.contains(['/', '\\', '.']) && path.chars().all(plain)).then_some(path)
    }

    /// The value of the last option of this normalised key, in lower case where it is a word.
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

    /// An option's value as a word to compare: `VERIFY_IDENTITY`, `verify-identity` and
    /// `:verify_identity` are one.
    pub fn word(&self, key: &str) -> Option<String> {
        self.get(key).map(normal)
    }

    pub fn is(&self, key: &str, words: &[&str]) -> bool {
        self.word(key)
            .is_some_and(|word| words.contains(&word.as_str()))
    }

    /// Given and not switched off; a flag without a value counts as on.
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

    pub fn any(&self, keys: &[&str]) -> bool {
        keys.iter().any(|key| self.has(key))
    }

    pub fn options(&self) -> impl Iterator<Item = &str> {
        self.options.iter().map(|(key, _)| key.as_str())
    }
}

/// The one value that was given. Two that differ are none; one that was taken out is not counted.
fn one(values: &[String]) -> Option<&str> {
    let mut named = values
        .iter()
        .filter(|value| !value.is_empty() && !value.contains(HIDDEN));
    let first = named.next()?;
    (first.len() <= SHOWN_MAX && named.all(|other| other == first)).then_some(first.as_str())
}
