//! Meaning of the keys of connection strings, in the spelling of any language.

/// Meaning of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyRole {
    Host,
    Port,
    User,
    Database,
    Password,
    Option,
}

/// Parts of keys whose values are secret. A false match only hides more.
pub const SECRET: [&str; 9] = [
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

/// Normalises a key: `sslMode`, `ssl-mode`, `ssl_mode` and `SSL Mode` are the same.
pub fn normal(key: &str) -> String {
    key.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .take(64)
        .collect()
}

/// Returns the meaning of a normalised key.
pub fn role(key: &str) -> KeyRole {
    if SECRET.iter().any(|word| key.contains(word)) {
        return KeyRole::Password;
    }
    if key.contains("ssl") || key.starts_with("tls") {
        return KeyRole::Option;
    }
    match key {
        "server" | "servername" | "datasource" | "address" | "addr" | "hostname"
        | "networkaddress" => KeyRole::Host,
        "uid" | "userid" | "username" => KeyRole::User,
        "db" | "dbname" | "database" | "databasename" | "schema" | "initialcatalog" => {
            KeyRole::Database
        }
        _ if key.ends_with("host") => KeyRole::Host,
        _ if key.ends_with("port") => KeyRole::Port,
        _ if key.ends_with("user") || key.ends_with("username") => KeyRole::User,
        _ if key.ends_with("database") => KeyRole::Database,
        _ => KeyRole::Option,
    }
}
