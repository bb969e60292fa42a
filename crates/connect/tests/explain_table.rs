//! Runs every string of the table through the explanation, and expects the verdict that the runs of
//! the real clients measured (`verifies` in the clients' files; `tests/clients` compares them).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may panic; that is how it fails"
)]

use std::path::PathBuf;
use tidegate_connect::{
    CheckAnswer, Client, ClientChecks, Endpoint, ExplainError, ExplainOptions, Form, RenderOptions,
    TlsMinimum, clients, explain, render,
};
use tidegate_model::Trust;

/// The client of the table that is a list of values and no program.
const NO_PROGRAM: &str = "general";

const UNREADABLE: ClientChecks = ClientChecks {
    tls: CheckAnswer::Unreadable,
    chain: CheckAnswer::Unreadable,
    dns_name: CheckAnswer::Unreadable,
    address: CheckAnswer::Unreadable,
};

/// A string of the table, and where it is from.
struct TableString {
    client: &'static Client,
    trust: &'static str,
    form: Form,
}

impl TableString {
    fn place(&self) -> String {
        format!("{} {} ({})", self.client.id, self.form.id, self.trust)
    }
}

/// Renders every form of every client for both kinds of trust, both TLS versions, and names as well
/// as addresses.
fn every_string() -> Vec<TableString> {
    let mut all: Vec<TableString> = Vec::new();
    for trust in [Trust::Public, Trust::Local(PathBuf::from("/data/ca.pem"))] {
        for host in ["db.example.com", "localhost", "127.0.0.1", "::1"] {
            for tls in [TlsMinimum::Tls12, TlsMinimum::Tls13] {
                let endpoint = Endpoint {
                    host: host.to_owned(),
                    port: 4000,
                    user: "abcdefghjkmn.root".to_owned(),
                    database: "test".to_owned(),
                    trust: trust.clone(),
                };
                let wish = RenderOptions {
                    tls,
                    ..RenderOptions::default()
                };
                for client in clients().iter() {
                    // Without a string that requires TLS 1.3 there is nothing to explain.
                    let Ok(rendered) = render(&client.id, &endpoint, wish) else {
                        continue;
                    };
                    all.extend(rendered.forms.into_iter().map(|form| TableString {
                        client,
                        trust: rendered.trust,
                        form,
                    }));
                }
            }
        }
    }
    all.sort_by(|a, b| a.form.text.cmp(&b.form.text));
    all.dedup_by(|a, b| a.form.text == b.form.text && a.client.id == b.client.id);
    all
}

fn answer(is_checked: bool) -> CheckAnswer {
    if is_checked {
        CheckAnswer::Yes
    } else {
        CheckAnswer::No
    }
}

/// Returns the checks that the runs measured. A client that logs in in plain text where TLS is not
/// offered does not always use TLS.
fn measured(client: &Client) -> ClientChecks {
    ClientChecks {
        tls: if client.plain_text {
            CheckAnswer::Depends
        } else {
            CheckAnswer::Yes
        },
        chain: answer(client.verifies.chain),
        dns_name: answer(client.verifies.dns_name),
        address: answer(client.verifies.address),
    }
}

#[test]
fn every_string_of_the_table_gets_the_verdict_that_its_client_runs_measured() {
    let strings = every_string();
    assert!(strings.len() > 300, "{}", strings.len());
    let mut wrong = Vec::new();
    for string in &strings {
        for named in [Some(string.client.id.as_str()), None] {
            let told = explain(
                &string.form.text,
                &ExplainOptions {
                    client: named,
                    ..ExplainOptions::default()
                },
            );
            let wanted = measured(string.client);
            let is_program = string.client.id != NO_PROGRAM;
            let verdict = match &told {
                Ok(told) if told.checks == wanted && is_program => continue,
                // A list of values for any program: nobody knows what that program does with it.
                Ok(told) if told.checks == UNREADABLE && !is_program => continue,
                Err(ExplainError::NotRecognised) if !is_program => continue,
                // Without a client, a string that several clients read differently.
                Ok(told)
                    if named.is_none()
                        && told.checks == UNREADABLE
                        && told.candidates.contains(&string.client.id.as_str()) =>
                {
                    continue;
                }
                Ok(told) => format!("{:?} for {}", told.checks, told.client),
                Err(error) => error.to_string(),
            };
            wrong.push(format!(
                "{}, named {named:?}: {verdict}\n{}\n",
                string.place(),
                string.form.text
            ));
        }
    }
    let count = wrong.len();
    assert!(
        wrong.is_empty(),
        "{count} of {}:\n{}",
        strings.len() * 2,
        wrong.join("\n")
    );
}

/// Parts of warnings that no string of the table deserves.
const FALSE_WARNINGS: [&str; 2] = ["more than one way", "is no option of"];

#[test]
fn no_string_of_the_table_gets_a_false_warning() {
    let mut wrong = Vec::new();
    for string in every_string() {
        let ask = ExplainOptions {
            client: Some(&string.client.id),
            ..ExplainOptions::default()
        };
        let Ok(told) = explain(&string.form.text, &ask) else {
            continue;
        };
        let texts = told.why.iter().map(String::as_str).chain(told.notes);
        let is_false = |text: &str| FALSE_WARNINGS.iter().any(|part| text.contains(part));
        let warnings: Vec<_> = texts.filter(|text| is_false(text)).collect();
        // The file with the certificate of the CA is under a password too.
        let has_store = string.form.text.contains("StorePassword");
        if !warnings.is_empty() || told.holds_password && !has_store {
            let holds = told.holds_password;
            wrong.push(format!("{}: {holds} {warnings:?}\n", string.place()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.concat());
}

#[test]
fn a_password_from_the_environment_is_no_password_in_the_string() {
    for (value, is_literal) in [
        ("os.environ[\"DB_PASSWORD\"]", false),
        ("os.getenv(\"DB_PASSWORD\")", false),
        ("\"hunter2\"", true),
        ("\"$ecret\"", true),
    ] {
        let text = format!("pymysql.connect(host=\"db.example.com\", password={value})");
        let told = explain(&text, &ExplainOptions::default()).unwrap();
        assert_eq!(told.holds_password, is_literal, "{text}");
    }
    for (text, is_literal) in [
        ("DB_HOST=db.example.com\nDB_PASSWORD=${DB_PASSWORD}", false),
        ("DB_HOST=db.example.com\nDB_PASSWORD=hunter2", true),
        (
            "mysql -h db.example.com -u abc.root -p\"$DB_PASSWORD\"",
            false,
        ),
        ("mysql -h db.example.com -u abc.root -phunter2", true),
        (
            "mysql://abc.root:${PASSWORD}@db.example.com:4000/app",
            false,
        ),
        ("mysql://abc.root:hunter2@db.example.com:4000/app", true),
        (
            "connect(\"db.example.com\", \"abc.root\", \"hunter2\", process.env.DB_NAME)",
            true,
        ),
    ] {
        let Ok(told) = explain(text, &ExplainOptions::default()) else {
            continue;
        };
        assert_eq!(told.holds_password, is_literal, "{text}");
    }
}
