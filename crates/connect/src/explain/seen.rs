//! What was read out of a pasted string: its endpoint, its options, its secrets. Never shows a value that holds a
//! secret, or that does not look like what it should be.

use std::net::Ipv6Addr;

/// The most options that are kept of one string; nobody's has more than a few dozen.
const OPTIONS_MAX: usize = 256;

/// The longest value that is shown again: a DNS name's own bound.
const SHOWN_MAX: usize = 253;

/// What a reader has found. Nothing here is printed but through the methods that check it.
#[derive(Debug, Default)]
pub(super) struct Seen {
    host: Vec<String>,
    port: Vec<String>,
    user: Vec<String>,
    database: Vec<String>,
    /// Normalised key and trimmed value, in the order of the string.
    options: Vec<(String, String)>,
    secrets: Vec<String>,
    pub password: bool,
    /// The password has characters that end a part of an address.
    pub broken: bool,
    /// What is endpoint and what is password can't be told, so neither is shown.
    pub withheld: bool,
}

/// What a key stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Host,
    Port,
    User,
    Database,
    Password,
    Option,
}

/// A key as all languages spell it: `sslMode`, `ssl-mode`, `ssl_mode` and `SSL Mode` are one.
pub(super) fn normal(key: &str) -> String {
    key.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).take(64).collect()
}

/// Whether this normalised key's value is one. Rather one too many is taken for a secret than one too few.
pub(super) fn is_secret(key: &str) -> bool {
    ["pass", "pwd", "secret", "token", "credential", "privatekey"].iter().any(|word| key.contains(word))
}

/// Whether what follows this text on its line may be a password, so that nothing in it is what it seems.
pub(super) fn leads_to_secret(before: &str) -> bool {
    is_secret(&before.rsplit('\n').next().unwrap_or_default().to_ascii_lowercase())
}

/// Of which user names here are made.
pub(super) fn is_plain_user(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c))
}

fn role(key: &str) -> Role {
    if is_secret(key) {
        return Role::Password;
    }
    if key.starts_with("ssl") || key.starts_with("tls") || key.contains("ssl") {
        return Role::Option;
    }
    match key {
        "server" | "servername" | "datasource" | "address" | "addr" | "hostname" | "networkaddress" => Role::Host,
        "uid" | "userid" | "username" => Role::User,
        "db" | "dbname" | "database" | "databasename" | "schema" | "initialcatalog" => Role::Database,
        _ if key.ends_with("host") => Role::Host,
        _ if key.ends_with("port") => Role::Port,
        _ if key.ends_with("user") || key.ends_with("username") => Role::User,
        _ if key.ends_with("database") => Role::Database,
        _ => Role::Option,
    }
}

impl Seen {
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
        if !value.is_empty() {
            self.password = true;
            self.secrets.push(decoded(value));
            self.secrets.push(value.to_owned());
        }
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
        if let Some((host, rest)) = first.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
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

    /// Forgets the endpoint and the user: they may be pieces of a password.
    pub fn withhold(&mut self) {
        self.withheld = true;
    }

    pub fn host(&self) -> Option<&str> {
        let host = self.one(&self.host)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || ".-:".contains(c);
        (host.chars().all(plain) && host.starts_with(|c: char| c.is_ascii_alphanumeric() || c == ':')).then_some(host)
    }

    pub fn port(&self) -> Option<u16> {
        self.one(&self.port)?.trim().parse().ok().filter(|port| *port != 0)
    }

    pub fn user_name(&self) -> Option<&str> {
        self.one(&self.user).filter(|name| is_plain_user(name))
    }

    /// A host that is empty or can't be read was cut at a wrong place, and what follows it may be a password's rest.
    pub fn database_name(&self) -> Option<&str> {
        if self.host().is_none() && !self.host.is_empty() {
            return None;
        }
        self.one(&self.database).filter(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || "-_$".contains(c)))
    }

    /// The CA file it names, if that is a plain path.
    pub fn ca(&self) -> Option<&str> {
        let keys = ["sslca", "ssl.ca", "serversslcert", "mysqlattrsslca", "sslcapath", "sslcert", "mysqlsslcafile"];
        let path = keys.iter().find_map(|key| self.get(key))?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "/._-~\\: ".contains(c);
        (path.contains(['/', '\\', '.']) && path.chars().all(plain))
            .then_some(path)
            .filter(|path| !self.withheld && self.harmless(path))
    }

    /// The one value that was given. Two that differ are none: one of them may be a piece of a password.
    fn one<'a>(&self, values: &'a [String]) -> Option<&'a str> {
        let mut named = values.iter().filter(|value| !value.is_empty());
        let first = named.next()?;
        (!self.withheld && named.all(|other| other == first) && self.harmless(first)).then_some(first.as_str())
    }

    fn harmless(&self, value: &str) -> bool {
        value.len() <= SHOWN_MAX && !self.secrets.iter().any(|secret| value.contains(secret.as_str()))
    }

    /// The value of the last option of this normalised key, in lower case where it is a word.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.options.iter().rev().find(|(k, _)| k == key).map(|(_, value)| value.as_str())
    }

    pub fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// An option's value as a word to compare: `VERIFY_IDENTITY`, `verify-identity` and `:verify_identity` are one.
    pub fn word(&self, key: &str) -> Option<String> {
        self.get(key).map(normal)
    }

    pub fn is(&self, key: &str, words: &[&str]) -> bool {
        self.word(key).is_some_and(|word| words.contains(&word.as_str()))
    }

    /// Given and not switched off; a flag without a value counts as on.
    pub fn on(&self, key: &str) -> bool {
        self.has(key) && !self.off(key)
    }

    pub fn off(&self, key: &str) -> bool {
        self.is(key, &["false", "0", "no", "off", "none", "null", "nil", "disabled", "disable"])
    }

    pub fn any(&self, keys: &[&str]) -> bool {
        keys.iter().any(|key| self.has(key))
    }

    pub fn options(&self) -> impl Iterator<Item = &str> {
        self.options.iter().map(|(key, _)| key.as_str())
    }
}

/// Percent-decoded; what is no valid encoding stays.
pub(super) fn decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let pair = after.first_chunk::<2>().and_then(|pair| str::from_utf8(pair).ok());
        let byte = pair.filter(|_| first == b'%').and_then(|pair| u8::from_str_radix(pair, 16).ok());
        if let Some(byte) = byte {
            out.push(byte);
            rest = after.get(2..).unwrap_or_default();
        } else {
            out.push(first);
            rest = after;
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}
