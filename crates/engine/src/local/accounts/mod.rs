//! Rows of the engine's `global_priv` as accounts. A tenant can write anything there, so nothing
//! here trusts its form, and no row costs more than a small multiple of [`PRIV_BYTES_MAX`].

pub(crate) mod account_reading;
pub(crate) mod init_sql;
pub(crate) mod secret;
pub(crate) mod seed;

use crate::limits::PRIV_BYTES_MAX;
use crate::local::accounts::init_sql::{ADMIN_USER, SYSTEM_USER};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use tidegate_model::limits::METHODS_MAX;
use tidegate_model::{Account, Requirement, Unsupported, Verifier};

/// The privileges column of one row, as far as a login depends on it. Borrows from the row; the
/// engine's other fields are skipped.
#[derive(serde::Deserialize)]
struct Priv<'a> {
    #[serde(borrow, default)]
    plugin: Text<'a>,
    #[serde(borrow, default)]
    authentication_string: Text<'a>,
    #[serde(borrow, default)]
    auth_or: Methods<'a>,
    #[serde(default)]
    account_locked: bool,
    #[serde(default)]
    is_role: bool,
    #[serde(default)]
    ssl_type: Lenient<SslType>,
    #[serde(default)]
    x509_issuer: Lenient<IsNamed>,
    #[serde(default)]
    x509_subject: Lenient<IsNamed>,
}

#[derive(serde::Deserialize)]
struct Method<'a> {
    /// Missing in an empty object, which stands for the plugin of the row.
    #[serde(borrow)]
    plugin: Option<Text<'a>>,
    #[serde(borrow, default)]
    authentication_string: Text<'a>,
}

/// Text that is copied only if it contains an escape.
#[derive(Default, serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The first alternatives. Those beyond the bound are counted and not kept.
#[derive(Default)]
struct Methods<'a> {
    first: Vec<Method<'a>>,
    too_many: bool,
}

impl<'de: 'a, 'a> Deserialize<'de> for Methods<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(MethodsVisitor)
    }
}

struct MethodsVisitor;

impl<'de> Visitor<'de> for MethodsVisitor {
    type Value = Methods<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("alternatives")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Methods<'de>, A::Error> {
        let mut methods = Methods::default();
        // Without this bound, one row of 1 MB with 20,000 alternatives made the reader request 20
        // GB.
        while methods.first.len() < METHODS_MAX {
            let Some(method) = seq.next_element()? else {
                return Ok(methods);
            };
            methods.first.push(method);
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {
            methods.too_many = true;
        }
        Ok(methods)
    }
}

/// 1 for SSL, 2 for X509, 3 if subject, issuer or cipher are named; anything else requires nothing.
#[derive(Default)]
struct SslType(u64);

/// Whether a subject or an issuer is named.
#[derive(Default)]
struct IsNamed(bool);

/// A field that may have any type: the engine takes an unexpected one for a missing field.
#[derive(Default)]
struct Lenient<T>(T);

trait LenientField: Default {
    fn of_number(_: u64) -> Self {
        Self::default()
    }

    fn of_text(_: &str) -> Self {
        Self::default()
    }
}

impl LenientField for SslType {
    fn of_number(number: u64) -> Self {
        Self(number)
    }
}

impl LenientField for IsNamed {
    fn of_text(text: &str) -> Self {
        Self(!text.is_empty())
    }
}

impl<'de, T: LenientField> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LenientVisitor(PhantomData))
    }
}

struct LenientVisitor<T>(PhantomData<T>);

impl<'de, T: LenientField> Visitor<'de> for LenientVisitor<T> {
    type Value = Lenient<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_u64<E>(self, number: u64) -> Result<Lenient<T>, E> {
        Ok(Lenient(T::of_number(number)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Lenient<T>, E> {
        Ok(Lenient(T::of_text(text)))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Lenient<T>, E> {
        Ok(Lenient::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Lenient<T>, E> {
        Ok(Lenient::default())
    }

    fn visit_bool<E>(self, _: bool) -> Result<Lenient<T>, E> {
        Ok(Lenient::default())
    }

    fn visit_unit<E>(self) -> Result<Lenient<T>, E> {
        Ok(Lenient::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Lenient<T>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Lenient::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Lenient<T>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Lenient::default())
    }
}

/// The account of one row. `None` for roles and for the engine's own account and the gateway's. An
/// invalid row, or one larger than the limit, becomes an account that can't be checked.
///
/// `privileges`: the JSON, or `None` if the engine found it too large to be sent.
pub fn account_of_row(host: &str, user: &str, privileges: Option<&[u8]>) -> Option<Account> {
    if user == ADMIN_USER || user == SYSTEM_USER {
        return None;
    }
    let Some(json) = privileges.filter(|json| json.len() <= PRIV_BYTES_MAX) else {
        return Some(uncheckable(host, user, Unsupported::TooLarge));
    };
    // A list would be read as the fields in their order, an empty one as an account without a
    // password.
    if json.trim_ascii_start().first() != Some(&b'{') {
        return Some(uncheckable(host, user, Unsupported::Unreadable));
    }
    // Depth is bounded by the parser (128) and by the length.
    let Ok(row) = serde_json::from_slice::<Priv<'_>>(json) else {
        return Some(uncheckable(host, user, Unsupported::Unreadable));
    };
    if row.is_role {
        return None;
    }
    if row.auth_or.too_many {
        return Some(uncheckable(host, user, Unsupported::TooManyMethods));
    }
    let main = verifier(&row.plugin.0, &row.authentication_string.0);
    let alternatives = row.auth_or.first.iter().map(|method| match &method.plugin {
        Some(plugin) => verifier(&plugin.0, &method.authentication_string.0),
        None => main.clone(),
    });
    let mut verifiers: Vec<Verifier> = alternatives.collect();
    if verifiers.is_empty() {
        verifiers.push(main);
    }
    let names_certificate = row.x509_issuer.0.0 || row.x509_subject.0.0;
    let requires = match row.ssl_type.0.0 {
        0 => Requirement::None,
        1 => Requirement::Tls,
        // With neither, only a cipher is left that can be named.
        3 if !names_certificate => Requirement::Cipher,
        _ => Requirement::Certificate,
    };
    Some(Account {
        user: user.to_owned(),
        host: host.to_owned(),
        verifiers,
        locked: row.account_locked,
        requires,
    })
}

/// An account whose password can't be checked, with the reason.
fn uncheckable(host: &str, user: &str, why: Unsupported) -> Account {
    Account {
        user: user.into(),
        host: host.into(),
        verifiers: vec![Verifier::Unsupported(why)],
        locked: false,
        requires: Requirement::None,
    }
}

fn verifier(plugin: &str, hash: &str) -> Verifier {
    match (plugin, hash) {
        // A row without a plugin has the engine's default, mysql_native_password.
        ("" | "mysql_native_password", "") => Verifier::Empty,
        ("" | "mysql_native_password", hash) => match stage2(hash) {
            Some(stage2) => Verifier::Native(stage2),
            None => Verifier::Unsupported(Unsupported::BrokenHash),
        },
        (other, _) => Verifier::Unsupported(Unsupported::plugin(other)),
    }
}

fn stage2(hash: &str) -> Option<[u8; 20]> {
    let hex = hash
        .strip_prefix('*')
        .filter(|hex| hex.len() == 40)?
        .as_bytes();
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
    use crate::local::accounts::init_sql::native_hash;

    fn read(host: &str, user: &str, json: &str) -> Option<Account> {
        account_of_row(host, user, Some(json.as_bytes()))
    }

    fn method(json: &str) -> Verifier {
        let [method] = &read("%", "x", json).unwrap().verifiers[..] else {
            panic!("one method: {json}")
        };
        method.clone()
    }

    #[test]
    fn rows_are_read_as_the_engine_writes_them() {
        let hash = native_hash(&[0x1F; 20]);
        let native = format!(
            r#"{{"access":1,"plugin":"mysql_native_password","authentication_string":"{hash}"}}"#
        );
        let got = read("%", "root", &native).unwrap();
        assert_eq!(got.verifiers, vec![Verifier::Native([0x1F; 20])]);
        assert!(!got.locked);
        let either = format!(
            r#"{{"plugin":"mysql_native_password","authentication_string":"{hash}","auth_or":[{{}},{{"plugin":"unix_socket"}}],"account_locked":true}}"#
        );
        let got = read("%", "a", &either).unwrap();
        assert_eq!(
            got.verifiers,
            vec![
                Verifier::Native([0x1F; 20]),
                Verifier::Unsupported(Unsupported::UnixSocket)
            ]
        );
        assert!(got.locked);
        assert_eq!(
            method(r#"{"plugin":"mysql_native_password","authentication_string":""}"#),
            Verifier::Empty
        );
        let odd = r#"{"plugin":"ed25519","authentication_string":"x"}"#;
        assert_eq!(method(odd), Verifier::Unsupported(Unsupported::Ed25519));
        let escaped = r#"{"plugin":"mysql_native\u005fpassword","authentication_string":""}"#;
        assert_eq!(
            method(escaped),
            Verifier::Empty,
            "an escape is text like any other"
        );
    }

    #[test]
    fn a_requirement_of_the_row_is_read_and_anything_else_requires_nothing() {
        for (text, want) in [
            ("{}", Requirement::None),
            (r#"{"ssl_type":0}"#, Requirement::None),
            (r#"{"ssl_type":1}"#, Requirement::Tls),
            (r#"{"ssl_type":2}"#, Requirement::Certificate),
            (
                r#"{"ssl_type":3,"x509_subject":"/CN=x"}"#,
                Requirement::Certificate,
            ),
            (
                r#"{"ssl_type":3,"ssl_cipher":"x","x509_issuer":"/CN=x"}"#,
                Requirement::Certificate,
            ),
            (
                r#"{"ssl_type":3,"ssl_cipher":"TLS_AES_128_GCM_SHA256","x509_issuer":"","x509_subject":""}"#,
                Requirement::Cipher,
            ),
            (
                r#"{"ssl_type":3,"x509_issuer":7,"x509_subject":[{}]}"#,
                Requirement::Cipher,
            ),
            (r#"{"ssl_type":4}"#, Requirement::Certificate),
            (r#"{"ssl_type":"x"}"#, Requirement::None),
            (
                r#"{"ssl_type":[1,[2]],"account_locked":false}"#,
                Requirement::None,
            ),
            (
                r#"{"ssl_type":{"a":1},"account_locked":false}"#,
                Requirement::None,
            ),
            (r#"{"ssl_type":null}"#, Requirement::None),
            (r#"{"ssl_type":-1}"#, Requirement::None),
        ] {
            let got = read("%", "a", text).unwrap();
            assert_eq!(got.requires, want, "{text}");
            assert_eq!(got.verifiers, [Verifier::Empty], "{text}");
        }
    }

    #[test]
    fn roles_and_our_own_accounts_are_nobody() {
        assert!(read("", "r", r#"{"is_role":true}"#).is_none());
        assert!(read("localhost", ADMIN_USER, "{}").is_none());
        assert!(account_of_row("localhost", ADMIN_USER, None).is_none());
        assert!(read("localhost", SYSTEM_USER, "{}").is_none());
    }

    #[test]
    fn rows_that_make_no_sense_are_accounts_that_cannot_be_judged() {
        for text in [
            "not json",
            r#"{"plugin":7}"#,
            r#"{"plugin":"a","plugin":"b"}"#,
            "[]",
            "",
            "{}{}",
            "\u{0}",
        ] {
            assert_eq!(
                method(text),
                Verifier::Unsupported(Unsupported::Unreadable),
                "{text}"
            );
        }
        assert_eq!(
            account_of_row("%", "x", Some(b"\xFF"))
                .unwrap()
                .verifiers
                .len(),
            1
        );
        let deep = format!(r#"{{"default_role":{}}}"#, "[".repeat(1000));
        assert_eq!(
            method(&deep),
            Verifier::Unsupported(Unsupported::Unreadable)
        );
        let short = r#"{"plugin":"mysql_native_password","authentication_string":"*12"}"#;
        assert_eq!(
            method(short),
            Verifier::Unsupported(Unsupported::BrokenHash)
        );
    }

    fn methods(n: usize) -> String {
        format!(
            r#"{{"plugin":"{}","auth_or":[{{}}{}]}}"#,
            "a".repeat(50),
            ",{}".repeat(n - 1)
        )
    }

    #[test]
    fn rows_over_a_bound_are_accounts_that_cannot_be_judged() {
        assert_eq!(
            read("%", "x", &methods(METHODS_MAX))
                .unwrap()
                .verifiers
                .len(),
            METHODS_MAX
        );
        assert_eq!(
            method(&methods(METHODS_MAX + 1)),
            Verifier::Unsupported(Unsupported::TooManyMethods)
        );
        let large = format!(r#"{{"plugin":"{}"}}"#, "a".repeat(PRIV_BYTES_MAX));
        assert_eq!(method(&large), Verifier::Unsupported(Unsupported::TooLarge));
        let unsent = account_of_row("%", "x", None).unwrap();
        assert_eq!(
            unsent.verifiers,
            [Verifier::Unsupported(Unsupported::TooLarge)]
        );
    }
}
