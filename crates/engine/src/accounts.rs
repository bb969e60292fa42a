//! Rows of the engine's `global_priv` as accounts. A tenant can write anything there, so nothing here trusts its form.

use crate::init_sql::{ADMIN_USER, SYSTEM_USER};
use serde::Deserialize;
use serde_json::Value;
use tidegate_model::{Account, Requirement, Verifier};

/// What one row says. Fields that a login does not depend on are left alone.
#[derive(Deserialize)]
struct Priv {
    #[serde(default)]
    plugin: String,
    #[serde(default)]
    authentication_string: String,
    /// Alternatives; an empty object stands for the plugin above.
    #[serde(default)]
    auth_or: Vec<Way>,
    #[serde(default)]
    account_locked: bool,
    #[serde(default)]
    is_role: bool,
    /// 1 for SSL, 2 for X509, 3 for what names subject, issuer or cipher.
    #[serde(default)]
    ssl_type: Value,
}

#[derive(Deserialize)]
struct Way {
    plugin: Option<String>,
    #[serde(default)]
    authentication_string: String,
}

/// The account of one row; `None` for roles, for the engine's own and the gateway's, and for rows that make no sense
/// (the engine does not let those in either).
pub fn account(host: &str, user: &str, privileges: &str) -> Option<Account> {
    if user == ADMIN_USER || user == SYSTEM_USER {
        return None;
    }
    let row: Priv = serde_json::from_str(privileges).ok()?;
    if row.is_role {
        return None;
    }
    let main = || verifier(&row.plugin, &row.authentication_string);
    let mut verifiers: Vec<Verifier> = row
        .auth_or
        .iter()
        .map(|way| match &way.plugin {
            Some(plugin) => verifier(plugin, &way.authentication_string),
            None => main(),
        })
        .collect();
    if verifiers.is_empty() {
        verifiers.push(main());
    }
    let requires = match row.ssl_type.as_u64() {
        None | Some(0) => Requirement::None,
        Some(1) => Requirement::Tls,
        Some(_) => Requirement::Certificate,
    };
    Some(Account { user: user.to_owned(), host: host.to_owned(), verifiers, locked: row.account_locked, requires })
}

fn verifier(plugin: &str, hash: &str) -> Verifier {
    match (plugin, hash) {
        ("" | "mysql_native_password", "") => Verifier::Empty,
        ("" | "mysql_native_password", hash) => match stage2(hash) {
            Some(stage2) => Verifier::Native(stage2),
            None => Verifier::Unsupported("mysql_native_password with a broken hash".to_owned()),
        },
        (other, _) => Verifier::Unsupported(other.to_owned()),
    }
}

fn stage2(hash: &str) -> Option<[u8; 20]> {
    let hex = hash.strip_prefix('*').filter(|hex| hex.len() == 40)?.as_bytes();
    let mut out = [0u8; 20];
    for (byte, pair) in out.iter_mut().zip(hex.chunks_exact(2)) {
        let mut value = 0;
        for c in pair {
            value = value * 16 + u8::try_from(char::from(*c).to_digit(16)?).ok()?;
        }
        *byte = value;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::init_sql::native_hash;

    #[test]
    fn rows_are_read_as_the_engine_writes_them() {
        let hash = native_hash(&[0x1F; 20]);
        let native = format!(r#"{{"access":1,"plugin":"mysql_native_password","authentication_string":"{hash}"}}"#);
        let got = account("%", "root", &native).unwrap();
        assert_eq!(got.verifiers, vec![Verifier::Native([0x1F; 20])]);
        assert!(!got.locked);
        let either = format!(
            r#"{{"plugin":"mysql_native_password","authentication_string":"{hash}","auth_or":[{{}},{{"plugin":"unix_socket"}}],"account_locked":true}}"#
        );
        let got = account("%", "a", &either).unwrap();
        assert_eq!(got.verifiers, vec![Verifier::Native([0x1F; 20]), Verifier::Unsupported("unix_socket".into())]);
        assert!(got.locked);
        let empty = r#"{"plugin":"mysql_native_password","authentication_string":""}"#;
        assert_eq!(account("%", "b", empty).unwrap().verifiers, vec![Verifier::Empty]);
        let odd = r#"{"plugin":"ed25519","authentication_string":"x"}"#;
        assert_eq!(account("%", "c", odd).unwrap().verifiers, vec![Verifier::Unsupported("ed25519".into())]);
    }

    #[test]
    fn what_a_row_requires_is_read_and_its_lack_is_nothing() {
        for (text, want) in [
            ("{}", Requirement::None),
            (r#"{"ssl_type":0}"#, Requirement::None),
            (r#"{"ssl_type":1}"#, Requirement::Tls),
            (r#"{"ssl_type":2}"#, Requirement::Certificate),
            (r#"{"ssl_type":3,"x509_subject":"/CN=x"}"#, Requirement::Certificate),
            (r#"{"ssl_type":"x"}"#, Requirement::None),
        ] {
            assert_eq!(account("%", "a", text).unwrap().requires, want, "{text}");
        }
    }

    #[test]
    fn roles_broken_rows_and_our_own_are_nobody() {
        assert!(account("", "r", r#"{"is_role":true}"#).is_none());
        assert!(account("%", "x", "not json").is_none());
        assert!(account("%", "x", r#"{"plugin":7}"#).is_none());
        assert!(account("localhost", ADMIN_USER, "{}").is_none());
        assert!(account("localhost", SYSTEM_USER, "{}").is_none());
        let short = r#"{"plugin":"mysql_native_password","authentication_string":"*12"}"#;
        assert!(matches!(account("%", "x", short).unwrap().verifiers[..], [Verifier::Unsupported(_)]));
    }
}
