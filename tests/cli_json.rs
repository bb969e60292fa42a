//! All commands with --json: lists are arrays, seconds are integers, times are ISO 8601 in UTC, a
//! field has one type, and errors are JSON on standard error.

#![allow(
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;
use tidegate_e2e::{Options, Server};

/// Result of a command with --json in this test.
enum Outcome {
    /// Exit code 0 and JSON on standard output.
    Answers,
    /// Like `Answers`, with a list, which is `[]` if it is empty.
    Lists,
    /// This exit code, and JSON with this code on standard error.
    Fails(i32, &'static str),
    /// JSON on standard output, whatever the exit code, which says what was found.
    Reports,
}
use Outcome::{Answers, Fails, Lists, Reports};

/// Commands that this test does not run, with the reason.
const NOT_RUN: [(&str, &str); 10] = [
    ("serve", "the server that all others talk to"),
    (
        "up",
        "a second server; its object is that of `cluster create`",
    ),
    ("completion", "prints a script"),
    ("sql", "the output is the client's"),
    ("service install", "changes the machine"),
    ("service remove", "changes the machine"),
    ("trust install", "changes the machine"),
    ("trust remove", "changes the machine"),
    ("trust renew", "replaces the CA that the others use"),
    (
        "config check",
        "its result depends on the machine; tested in crates/cli/tests/usage.rs",
    ),
];

/// Command lines in their order, with the command that each is about. PORT and CA are replaced.
fn command_lines() -> Vec<(&'static str, &'static str, Outcome)> {
    vec![
        ("cluster list", "", Lists),
        ("session list", "", Lists),
        ("key list", "", Lists),
        ("profile list", "", Lists),
        ("status", "", Answers),
        ("cluster engines", "", Lists),
        ("cluster create", "one", Answers),
        ("cluster create", "one", Fails(1, "exists")),
        ("cluster create", "Bad_Name", Fails(2, "bad_name")),
        ("cluster list", "", Lists),
        ("cluster show", "one", Answers),
        ("cluster show", "nosuch", Fails(1, "not_found")),
        ("cluster set", "one --sleep-after 90s", Answers),
        ("cluster set", "one", Fails(2, "usage")),
        (
            "cluster set",
            "one --connections-max 0",
            Fails(2, "bad_limits"),
        ),
        (
            "cluster set",
            "one --param wait_timeout=x",
            Fails(2, "invalid"),
        ),
        ("cluster set", "one --param nosuch=1", Fails(2, "invalid")),
        (
            "cluster set",
            "one --param sql_mode=NOSUCH",
            Fails(2, "bad_parameters"),
        ),
        ("cluster set", "one --ip-allow nosuch", Fails(2, "invalid")),
        (
            "cluster create",
            "two --engine nosuch",
            Fails(2, "bad_parameters"),
        ),
        ("logs", "nosuch", Fails(1, "not_found")),
        ("cluster rename", "one other", Answers),
        ("cluster rename", "nosuch one", Fails(1, "not_found")),
        ("cluster rename", "other one", Answers),
        ("cluster wake", "one", Answers),
        ("cluster show", "one", Answers),
        ("cluster sleep", "one", Answers),
        ("cluster password", "one", Answers),
        ("database create", "one app", Answers),
        ("database create", "one app", Fails(1, "exists")),
        ("database create", "one mysql", Fails(2, "bad_name")),
        ("database list", "one", Lists),
        ("user create", "one reader --role read-only -D app", Answers),
        ("user create", "one writer --role read-write", Answers),
        (
            "user create",
            "one boss --role admin -D app",
            Fails(2, "invalid"),
        ),
        ("user create", "one root --role admin", Fails(2, "bad_name")),
        ("user list", "one", Lists),
        ("user list", "nosuch", Fails(1, "not_found")),
        ("user password", "one reader", Answers),
        ("user password", "one nosuch", Fails(1, "not_found")),
        ("user delete", "one writer --yes", Answers),
        ("user delete", "one writer --yes", Fails(1, "not_found")),
        ("user delete", "one writer", Fails(2, "usage")),
        ("database delete", "one app", Fails(2, "usage")),
        ("database delete", "one app --yes", Answers),
        ("session list", "--cluster one", Lists),
        ("session list", "--cluster nosuch", Fails(1, "not_found")),
        ("session kill", "7", Fails(1, "not_found")),
        ("connect", "one", Answers),
        ("connect", "one --with pymysql", Answers),
        ("connect", "--list", Answers),
        ("connect", "one --with nosuch", Fails(2, "unknown_client")),
        ("connect", "one --os nosuch", Fails(2, "unknown_platform")),
        ("connect", "nosuch", Fails(1, "not_found")),
        ("key create", "one --scope read --days 2", Answers),
        ("key create", "two --scope all", Answers),
        (
            "key create",
            "three --scope nonsense",
            Fails(2, "bad_scope"),
        ),
        ("key list", "", Lists),
        ("key revoke", "one --yes", Answers),
        ("key revoke", "nosuch --yes", Fails(1, "not_found")),
        ("key revoke", "nosuch", Fails(2, "usage")),
        ("key rotate-master", "", Answers),
        ("version", "", Answers),
        ("open", "", Answers),
        ("operator link", "", Answers),
        ("cert status", "", Answers),
        ("cert renew", "", Fails(1, "no_acme")),
        ("cert import", "/nowhere /nowhere", Fails(2, "usage")),
        ("cert check", "", Fails(1, "no_acme")),
        ("trust status", "", Answers),
        ("profile add", "one http://nonsense", Fails(2, "usage")),
        ("profile remove", "nosuch", Fails(1, "not_found")),
        ("config show", "", Answers),
        ("check", "127.0.0.1:PORT --ca CA", Reports),
        ("cluster delete", "one", Fails(2, "usage")),
        ("cluster delete", "one --yes", Answers),
        ("cluster list", "", Lists),
        ("cluster list", "--state nosuch", Fails(2, "usage")),
    ]
}

/// Returns the commands that `docs/commands.md` describes and that have no commands below them.
fn documented_commands() -> Vec<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/commands.md");
    let page = std::fs::read_to_string(page).unwrap();
    let titles: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("## `tidegate ")?.strip_suffix('`'))
        .collect();
    let is_leaf = |title: &&&str| !titles.iter().any(|t| t.starts_with(&format!("{title} ")));
    titles
        .iter()
        .filter(is_leaf)
        .map(ToString::to_string)
        .collect()
}

fn is_time(text: &str) -> bool {
    let shape: String = text
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    shape == "0000-00-00T00:00:00Z"
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "fraction",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}

/// Types of the fields seen so far, by noun (the first word of the command) and name of the field.
#[derive(Default)]
struct FieldTypes(BTreeMap<(String, String), (&'static str, String)>);

impl FieldTypes {
    fn check(&mut self, line: &str, value: &Value) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.check(line, item)),
            Value::Object(fields) => {
                for (name, value) in fields {
                    self.check_field(line, name, value);
                    self.check(line, value);
                }
            }
            _ => {}
        }
    }

    fn check_field(&mut self, line: &str, name: &str, value: &Value) {
        let found = type_name(value);
        if name.ends_with("_seconds") || name.ends_with("_bytes") {
            assert!(
                ["integer", "null"].contains(&found),
                "{line}: {name}: {value}"
            );
        }
        assert!(
            !name.ends_with("_unix"),
            "{line}: {name}: write it as an ISO time"
        );
        let times = ["at", "not_before", "not_after", "next_attempt"];
        if times.contains(&name) || name.ends_with("_at") {
            let is_right = value.is_null() || value.as_str().is_some_and(is_time);
            assert!(is_right, "{line}: {name}: {value}");
        }
        // The kinds of engines are not clusters, though the command is below `cluster`.
        let noun = line.replace("cluster engines", "engines");
        let noun = noun.split(' ').next().unwrap().to_owned();
        // The value of a configuration key has the type of the key.
        if (noun.as_str(), name) == ("config", "value") {
            return;
        }
        let seen = self.0.entry((noun, name.to_owned()));
        let (before, first_line) = seen.or_insert((found, line.to_owned()));
        let types = [*before, found];
        let is_one = types[0] == types[1] || (types.contains(&"null") && !types.contains(&"list"));
        assert!(
            is_one,
            "{name} is {before} in {first_line:?}, but {found} in {line:?}"
        );
        if *before == "null" {
            *before = found;
        }
    }
}

fn read_json(line: &str, bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes)
        .unwrap_or_else(|e| panic!("{line}: {e}: {}", String::from_utf8_lossy(bytes)))
}

/// Checks the error, which is the last line of standard error.
fn check_error(line: &str, out: &Output) -> String {
    assert!(matches!(out.status.code(), Some(1 | 2)), "{line}: {out:?}");
    let text = String::from_utf8_lossy(&out.stderr);
    let last = text.lines().last().unwrap_or_default();
    let error = read_json(line, last.as_bytes());
    for name in ["code", "message", "hint"] {
        assert!(error[name].is_string(), "{line}: {error}");
    }
    assert!(error["causes"].is_array(), "{line}: {error}");
    let hint = error["hint"].as_str().unwrap();
    for command in hint.split('`').skip(1).step_by(2) {
        let needs_data = command.starts_with("tidegate ") && !command.ends_with("--help");
        assert!(
            !needs_data || command.contains(" --data /"),
            "{line}: {hint}"
        );
    }
    let is_word = |c: char| c.is_ascii_lowercase() || c == '_';
    let code = error["code"].as_str().unwrap();
    assert!(code.chars().all(is_word), "{line}: {error}");
    code.to_owned()
}

#[test]
fn every_command_answers_in_json_with_one_type_per_field() {
    let server = Server::with(Options::with_console());
    let home = tempfile::tempdir().unwrap();
    let ca = server.data().join("ca.pem").display().to_string();
    let port = server.port.to_string();
    let mut field_types = FieldTypes::default();
    for (command, arguments, outcome) in command_lines() {
        let arguments = arguments.replace("PORT", &port);
        let mut words: Vec<&str> = command.split(' ').collect();
        words.extend(arguments.split_whitespace().map(|word| match word {
            "CA" => ca.as_str(),
            word => word,
        }));
        let line = words.join(" ");
        let out = server
            .command(&words)
            .args(["-o", "json"])
            .env("HOME", home.path())
            .env_remove("XDG_CONFIG_HOME")
            .output()
            .unwrap();
        if let Fails(exit_code, code) = outcome {
            assert!(out.stdout.is_empty(), "{line}: {out:?}");
            let found = (out.status.code(), check_error(&line, &out));
            assert_eq!(found, (Some(exit_code), code.to_owned()), "{line}: {out:?}");
            continue;
        }
        let answer = read_json(&line, &out.stdout);
        field_types.check(&line, &answer);
        match outcome {
            Reports if !out.status.success() => drop(check_error(&line, &out)),
            Lists => assert!(
                answer.is_array() && out.status.success(),
                "{line}: {answer}"
            ),
            _ => assert!(
                answer.is_object() && out.status.success(),
                "{line}: {out:?}"
            ),
        }
    }
}

#[test]
fn every_documented_command_is_tested_with_json_or_has_a_reason() {
    let commands = documented_commands();
    assert!(commands.len() > 30, "{commands:?}");
    for command in &commands {
        let is_run = command_lines().iter().any(|(name, ..)| name == command);
        let has_reason = NOT_RUN.iter().any(|(name, _)| name == command);
        assert!(
            is_run != has_reason,
            "{command}: run it here, or give the reason"
        );
    }
    for (name, _) in NOT_RUN {
        assert!(commands.iter().any(|command| command == name), "{name}");
    }
}
