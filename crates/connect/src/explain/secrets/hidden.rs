//! A text without the ranges that may be secret, and the hidden values.

use super::variable::{is_beside_password, is_variable};
use crate::explain::text::{HIDDEN, decoded, is_quote, part};
use std::ops::Range;

/// Minimum length of a hidden value that is searched in shown ones. A shorter one is in many names
/// by chance, and does not reveal itself.
const CHANCE_MIN: usize = 3;

/// A text without possible secrets.
#[derive(Debug, Default)]
pub struct Hidden {
    pub text: String,
    /// Whether a password was hidden.
    pub password: bool,
    /// Whether the login of an address contains characters that should have been percent-encoded.
    pub unencoded: bool,
    /// Whether more than the password was hidden, because its end is uncertain.
    pub doubt: bool,
    /// Whether one of the hidden values is neither a variable nor a placeholder.
    pub literal: bool,
    stretches: Vec<Range<usize>>,
    /// Hidden values, unchanged and percent-decoded.
    taken: Vec<String>,
}

impl Hidden {
    /// Returns the number of ranges so far, for [`Hidden::has_from`].
    pub fn mark(&self) -> usize {
        self.stretches.len()
    }

    /// Whether the value is or contains a hidden one by chance: `app:app@host/app`.
    pub fn took(&self, value: &str) -> bool {
        let holds = |secret: &str| secret.len() >= CHANCE_MIN && value.contains(secret);
        self.taken
            .iter()
            .any(|secret| value == secret || holds(secret))
    }

    /// Whether a range since `mark` overlaps with `other`.
    pub fn has_from(&self, mark: usize, other: &Range<usize>) -> bool {
        self.stretches
            .iter()
            .skip(mark)
            .any(|stretch| stretch.start < other.end && other.start < stretch.end)
    }

    pub fn take(&mut self, stretch: Range<usize>) {
        if !stretch.is_empty() {
            self.stretches.push(stretch);
        }
    }

    pub fn cut(&mut self, text: &str) {
        // Ranges that different readings found may overlap.
        self.stretches.sort_by_key(|stretch| stretch.start);
        let mut at = 0;
        for stretch in &self.stretches {
            if stretch.start >= at {
                self.text.push_str(part(text, at..stretch.start));
                self.text.push(HIDDEN);
            }
            at = at.max(stretch.end);
            let secret = part(text, stretch.clone()).trim_matches(is_quote);
            self.literal |= !is_variable(secret) && !is_beside_password(text, stretch);
            if !secret.is_empty() {
                self.taken.extend([secret.to_owned(), decoded(secret)]);
            }
        }
        self.text.push_str(part(text, at..));
    }
}
