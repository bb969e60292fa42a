//! Which keys connection strings have, of all families.

use super::families;
use super::keys::{Role, normal, role};

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

/// Whether this is a key that connection strings have, and not some word.
pub fn is_known(key: &str) -> bool {
    let key = normal(key);
    role(&key) != Role::Option
        || ["ssl", "tls"].iter().any(|word| key.contains(word))
        || families::is_read(&key)
        || OTHERS.contains(&key.as_str())
}

/// Whether a whole address may stand behind this key.
pub fn is_of_address(key: &str) -> bool {
    let key = normal(key);
    ["url", "uri", "dsn"].iter().any(|end| key.ends_with(end))
}
