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
    // The adapter of Prisma 7 has the options of MariaDB's connector.
    let by_adapter = family.ids.contains(&"prisma") && values.marked("PrismaMariaDb");
    if family.reads.is_empty() || by_adapter {
        return Vec::new();
    }
    SPELLED
        .iter()
        .filter(|(key, _)| values.has(key) && !family.reads.contains(key))
        // A variable that another option has as its value: `ssl=tls`.
        .filter(|(key, _)| !values.is_variable(key))
        .map(|(_, shown)| {
            format!(
                "`{shown}` is no option of {}: it is ignored or refused, and protects nothing.",
                family.name
            )
        })
        .collect()
}
