//! Runs the forms of `explain_forms.toml`, and the short forms that `tests/clients` measured,
//! through the explanation: verdict, form of the answer, and that no password is shown.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may panic; that is how it fails"
)]

use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use tidegate_connect::{CheckAnswer, ClientChecks, ExplainOptions, explain};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Forms {
    form: Vec<KnownForm>,
}

/// A form in which people keep connection strings.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KnownForm {
    name: String,
    text: String,
    /// A part of the client's name.
    client: Option<String>,
    /// The client that `--with` names.
    with: Option<String>,
    checks: Option<String>,
    /// Language of the first string of the answer.
    answer: Option<String>,
    /// A part of the error, for what is no string of MySQL or can't be read.
    error: Option<String>,
}

const PLACEHOLDER: &str = "PASSWORD";

fn forms() -> Vec<KnownForm> {
    let forms: Forms = toml::from_str(include_str!("explain_forms.toml")).unwrap();
    forms.form
}

impl KnownForm {
    /// Returns the text with this password. The placeholder is replaced where it is a value; as a
    /// part of a key it stays.
    fn with_password(&self, password: &str) -> String {
        let mut out = String::new();
        let mut rest = self.text.as_str();
        while let Some((before, after)) = rest.split_once(PLACEHOLDER) {
            out.push_str(before);
            let of_key = |c: char| c.is_ascii_alphanumeric() || c == '_';
            // `-pPASSWORD` is a value, `DB_PASSWORD` and `"PASSWORD":` are keys.
            let is_key = before.ends_with(of_key) && !before.ends_with("-p")
                || after.starts_with(['=', ':', '_'])
                || after.starts_with("\":")
                || after.starts_with("':")
                || after.starts_with("',") && before.ends_with("define('DB_")
                || before.ends_with("DB_")
                || before.ends_with("define( 'DB_");
            out.push_str(if is_key { PLACEHOLDER } else { password });
            rest = after;
        }
        out + rest
    }

    fn options(&self) -> ExplainOptions<'_> {
        ExplainOptions {
            client: self.with.as_deref(),
            ..ExplainOptions::default()
        }
    }
}

/// Returns the four answers as letters.
fn letters(checks: ClientChecks) -> String {
    let letter = |answer| match answer {
        CheckAnswer::Yes => 'y',
        CheckAnswer::No => 'n',
        CheckAnswer::Depends => 'd',
        CheckAnswer::Unreadable => 'c',
    };
    [checks.tls, checks.chain, checks.dns_name, checks.address]
        .map(letter)
        .iter()
        .collect()
}

#[test]
fn every_known_form_gets_the_right_verdict() {
    let forms = forms();
    assert!(forms.len() >= 60, "{}", forms.len());
    let mut wrong = Vec::new();
    for form in &forms {
        let text = form.with_password("hunter2");
        assert_ne!(text.contains("hunter2"), form.text == text, "{}", form.name);
        let told = explain(&text, &form.options());
        let verdict = match (&told, &form.error) {
            (Err(error), Some(wanted)) if error.to_string().contains(wanted.as_str()) => continue,
            (Err(error), _) => error.to_string(),
            (Ok(told), _) => {
                let checks = letters(told.checks);
                let client_fits = form
                    .client
                    .as_ref()
                    .is_some_and(|name| told.client.contains(name.as_str()));
                if client_fits && Some(&checks) == form.checks.as_ref() {
                    continue;
                }
                format!("{checks} for {}", told.client)
            }
        };
        let wanted = form.checks.as_ref().or(form.error.as_ref()).unwrap();
        wrong.push(format!("{}: {verdict}, wanted {wanted}\n", form.name));
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        forms.len(),
        wrong.concat()
    );
}

#[test]
fn the_answer_comes_in_the_form_that_was_pasted() {
    let mut wrong = Vec::new();
    for form in forms() {
        let Some(answer) = &form.answer else { continue };
        let told = explain(&form.with_password("hunter2"), &form.options()).unwrap();
        let first = &told.hint.forms[0];
        let syntax = serde_json::to_value(first.syntax).unwrap();
        if syntax != *answer {
            wrong.push(format!(
                "{}: {syntax}, wanted {answer}:\n{}\n",
                form.name, first.text
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Passwords that end a value, begin another form, or look like a key.
const PASSWORDS: &[&str] = &[
    "qZx",
    "qZx@qZx",
    "qZx:qZx/qZx?qZx#qZx",
    "qZx qZx",
    "qZx'qZx",
    "qZx\"qZx",
    "qZx;qZx=qZx",
    "qZx&host=qZx",
    "qZx,qZx",
    "${qZx}",
    "qZx -h qZx",
    "qZx\\",
    "mysql://qZx:qZx@qZx/qZx",
    "qZx@tcp(qZx:1)/qZx",
    "@qZx",
    "#qZx",
    "<qZx>",
    "%71%5A%78qZx",
];

#[test]
fn no_form_shows_its_password_also_if_it_is_cut_off_or_malformed() {
    let mut leaks = Vec::new();
    for form in forms() {
        for password in PASSWORDS {
            let whole = form.with_password(password);
            // Cut off before the last line, and inside of lines.
            let last_line = whole.trim_end().rfind('\n').unwrap_or(whole.len());
            let cuts = [whole.len(), last_line, whole.len() * 2 / 3, whole.len() / 2];
            for cut in cuts {
                // A password with an `@` that ends in the middle is a complete address.
                let inside = |(at, _): (usize, &str)| at < cut && cut <= at + password.len();
                if password.contains('@') && whole.match_indices(password).any(inside) {
                    continue;
                }
                let Some(text) = whole.get(..cut) else {
                    continue;
                };
                let variants = if cut == whole.len() {
                    vec![
                        text.to_owned(),
                        text.replace('"', ""),
                        text.replace('\n', " "),
                    ]
                } else {
                    vec![text.to_owned()]
                };
                for malformed in variants {
                    let shown = match explain(&malformed, &form.options()) {
                        Ok(told) => serde_json::to_string(&told).unwrap(),
                        Err(error) => error.to_string(),
                    };
                    if shown.contains("qZx") {
                        leaks.push(format!(
                            "{}: {malformed}
{shown:.400}
",
                            form.name
                        ));
                    }
                }
            }
        }
    }
    assert!(leaks.is_empty(), "{}:\n{}", leaks.len(), leaks.join("\n"));
}

#[derive(Deserialize)]
struct ShortForms {
    short: Vec<ShortForm>,
}

/// A short form, as `tests/clients` runs it, with what the runs measured.
#[derive(Deserialize)]
struct ShortForm {
    title: String,
    text: String,
    verifies: BTreeMap<String, bool>,
    #[serde(default)]
    clear_text: bool,
}

/// Short forms whose effect depends on the library that the client is built on. The runs measured
/// MariaDB's; with Oracle's they verify more or less, by its documentation.
const OF_THE_LIBRARY: &[(&str, &str)] = &[
    ("ruby-mysql2", "`ssl_mode: :required`"),
    (
        "ruby-mysql2",
        "`ssl_mode: :verify_identity, sslca: \"FILE\"`",
    ),
    (
        "mysqlclient",
        "`ssl_mode=\"VERIFY_CA\", ssl={\"ca\": \"FILE\"}`",
    ),
];

/// Whether an answer is what the runs measured.
fn fits(answer: CheckAnswer, is_checked: bool) -> bool {
    let wanted = if is_checked {
        CheckAnswer::Yes
    } else {
        CheckAnswer::No
    };
    answer == wanted
}

#[test]
fn every_short_form_gets_the_verdict_that_its_run_measured() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/clients");
    let mut count = 0;
    let mut wrong = Vec::new();
    for client in tidegate_connect::clients() {
        let Ok(text) = std::fs::read_to_string(folder.join(&client.id).join("short.toml")) else {
            continue;
        };
        let forms: ShortForms = toml::from_str(&text).unwrap();
        for form in forms.short {
            count += 1;
            let mut text = form.text.clone();
            for (placeholder, value) in [
                ("<username>", "abc.root"),
                ("<your_password>", "hunter2"),
                ("<host>", "db.example.com"),
                ("<port>", "4000"),
                ("<CA_root_path>", "/etc/ssl/cert.pem"),
            ] {
                text = text.replace(placeholder, value);
            }
            let ask = ExplainOptions {
                client: Some(&client.id),
                ..ExplainOptions::default()
            };
            let told = explain(&text, &ask).unwrap();
            let checks = told.checks;
            let of_library = OF_THE_LIBRARY.contains(&(&client.id, &form.title));
            let tls_fits = of_library
                || if form.clear_text {
                    checks.tls == CheckAnswer::No
                } else {
                    checks.tls != CheckAnswer::No
                };
            let all = tls_fits
                && (of_library
                    || fits(checks.chain, form.verifies["chain"])
                        && fits(checks.dns_name, form.verifies["dns_name"])
                        && fits(checks.address, form.verifies["address"]));
            if !all {
                let verdict = letters(checks);
                wrong.push(format!("{} {}: {verdict}\n", client.id, form.title));
            }
            assert!(
                !serde_json::to_string(&told).unwrap().contains("hunter2"),
                "{text}"
            );
        }
    }
    assert!(count > 50, "{count}");
    assert!(wrong.is_empty(), "{}", wrong.concat());
}
