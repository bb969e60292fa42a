//! Finds options that look like TLS but belong to another client.

use super::families::Family;
use super::read_values::ReadValues;

/// TLS options of all clients: normalised, and as they are written.
const SPELLED: &[(&str, &str)] = &[
    ("sslaccept", "sslaccept"),
    ("sslmode", "ssl-mode"),
    ("sslca", "ssl-ca"),
    ("tls", "tls"),
    ("usessl", "useSSL"),
    ("requiressl", "requireSSL"),
    ("trustservercertificate", "trustServerCertificate"),
    ("serversslcert", "serverSslCert"),
    ("rejectunauthorized", "rejectUnauthorized"),
    ("verifyidentity", "verifyIdentity"),
    ("sslverifyservercert", "ssl-verify-server-cert"),
    ("sslverifycert", "ssl_verify_cert"),
    ("sslverifyidentity", "ssl_verify_identity"),
    ("encrypt", "encrypt"),
];

/// Returns a warning for each TLS option that this client does not read.
pub fn foreign(family: &Family, values: &ReadValues) -> Vec<String> {
    if family.reads.is_empty() {
        return Vec::new();
    }
    SPELLED
        .iter()
        .filter(|(key, _)| values.has(key) && !family.reads.contains(key))
        .map(|(_, shown)| {
            format!(
                "`{shown}` is no option of {}: it is ignored or refused, and protects nothing.",
                family.name
            )
        })
        .collect()
}
