//! Options of other clients: they look like TLS, and this client does not read them.

use super::families::Family;
use super::read_values::ReadValues;

/// Options about TLS of any client, normalised, and how they are written.
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

/// Options that look like TLS and that this client does not read.
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
