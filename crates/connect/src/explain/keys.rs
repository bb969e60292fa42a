//! What the keys of connection strings stand for, however a language spells them. Never looks at a
//! value.

/// What a key stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Host,
    Port,
    User,
    Database,
    Password,
    Option,
}

/// Pieces of keys whose values are secret. Rather one too many than one too few.
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

/// A key as all languages spell it: `sslMode`, `ssl-mode`, `ssl_mode` and `SSL Mode` are one.
pub fn normal(key: &str) -> String {
    key.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .take(64)
        .collect()
}

/// What this normalised key stands for.
pub fn role(key: &str) -> Role {
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
