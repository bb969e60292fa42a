//! What the keys of connection strings stand for, however a language spells them. Never looks at a
//! value.

use super::family::FAMILIES;

/// What a key stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Host,
    Port,
    User,
    Database,
    Password,
    Option,
}

/// Pieces of keys whose values are secret. Rather one too many than one too few.
pub(super) const SECRET: [&str; 9] = [
    "pass",
    "pwd",
    "secret",
    "token",
    "credential",
    "privatekey",
    "private_key",
    "private-key",
    "private.key",
];

/// Keys that name no part of the endpoint and nothing of TLS, and yet often stand between those
/// that do.
const OTHERS: &[&str] = &[
    "adapter",
    "charset",
    "checkhostname",
    "collation",
    "dialect",
    "driver",
    "dsn",
    "encoding",
    "engine",
    "options",
    "pool",
    "prefix",
    "strict",
    "timeout",
    "timezone",
    "uri",
    "url",
    "verifymode",
];

/// A key as all languages spell it: `sslMode`, `ssl-mode`, `ssl_mode` and `SSL Mode` are one.
pub(super) fn normal(key: &str) -> String {
    key.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .take(64)
        .collect()
}

/// What this normalised key stands for.
pub(super) fn role(key: &str) -> Role {
    if SECRET.iter().any(|word| key.contains(word)) {
        return Role::Password;
    }
    if key.contains("ssl") || key.starts_with("tls") {
        return Role::Option;
    }
    match key {
        "server" | "servername" | "datasource" | "address" | "addr" | "hostname"
        | "networkaddress" => Role::Host,
        "uid" | "userid" | "username" => Role::User,
        "db" | "dbname" | "database" | "databasename" | "schema" | "initialcatalog" => {
            Role::Database
        }
        _ if key.ends_with("host") => Role::Host,
        _ if key.ends_with("port") => Role::Port,
        _ if key.ends_with("user") || key.ends_with("username") => Role::User,
        _ if key.ends_with("database") => Role::Database,
        _ => Role::Option,
    }
}

/// Whether this is a key that connection strings have, and not some word.
pub(super) fn is_known(key: &str) -> bool {
    let key = normal(key);
    role(&key) != Role::Option
        || ["ssl", "tls"].iter().any(|word| key.contains(word))
        || FAMILIES
            .iter()
            .any(|facts| facts.reads.contains(&key.as_str()))
        || OTHERS.contains(&key.as_str())
}

/// Whether a whole address may stand behind this key.
pub(super) fn is_of_address(key: &str) -> bool {
    let key = normal(key);
    ["url", "uri", "dsn"].iter().any(|end| key.ends_with(end))
}
