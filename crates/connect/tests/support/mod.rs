//! Helper of the tests of explanations.

#![allow(clippy::panic, reason = "a test may panic; that is how it fails")]

use tidegate_connect::{ExplainOptions, Explanation, explain};

/// Explains a string without further options.
pub fn told(text: &str) -> Explanation {
    explain(text, &ExplainOptions::default()).unwrap_or_else(|error| panic!("{error}: {text}"))
}
