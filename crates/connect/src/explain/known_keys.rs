//! Recognises the keys of connection strings, of all families.

use super::families;
use super::keys::{KeyRole, normal, role};

/// Other keys that are common in connection strings, beside those of the endpoint and of TLS.
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

/// Whether connection strings have this key.
pub fn is_known(key: &str) -> bool {
    let key = normal(key);
    role(&key) != KeyRole::Option
        || ["ssl", "tls"].iter().any(|word| key.contains(word))
        || families::is_read(&key)
        || OTHERS.contains(&key.as_str())
}

/// Whether this key's value may be a whole address.
pub fn is_of_address(key: &str) -> bool {
    let key = normal(key);
    ["url", "uri", "dsn"].iter().any(|end| key.ends_with(end))
}
