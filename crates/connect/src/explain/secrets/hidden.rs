//! A text without the stretches that may be secret, and what was taken out.

use crate::explain::text::{HIDDEN, decoded, is_quote};
use std::ops::Range;

/// A shorter password stands in many a name by chance, and is not told by it.
const CHANCE_MIN: usize = 3;

/// A text without what may be secret.
#[derive(Debug, Default)]
pub struct Hidden {
    pub text: String,
    /// A password is among what was taken out.
    pub password: bool,
    /// The login of an address holds characters that should have been percent-encoded.
    pub unencoded: bool,
    /// More was taken out than the password, since where that ends can't be told.
    pub doubt: bool,
    stretches: Vec<Range<usize>>,
    /// What was taken out, as it stood and percent-decoded.
    taken: Vec<String>,
}

impl Hidden {
    /// Returns a mark behind the stretches so far, for [`Hidden::has_from`].
    pub fn mark(&self) -> usize {
        self.stretches.len()
    }

    /// Whether this is, or holds, a secret by chance: `app:app@host/app`.
    pub fn took(&self, value: &str) -> bool {
        let holds = |secret: &str| secret.len() >= CHANCE_MIN && value.contains(secret);
        self.taken
            .iter()
            .any(|secret| value == secret || holds(secret))
    }

    /// Whether one of the stretches from this one on has a part in this one.
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
        self.stretches.sort_by_key(|stretch| stretch.start);
        let mut at = 0;
        for stretch in &self.stretches {
            if stretch.start >= at {
                self.text
                    .push_str(text.get(at..stretch.start).unwrap_or_default());
                self.text.push(HIDDEN);
            }
            at = at.max(stretch.end);
            let secret = text
                .get(stretch.clone())
                .unwrap_or_default()
                .trim_matches(is_quote);
            if !secret.is_empty() {
                self.taken.extend([secret.to_owned(), decoded(secret)]);
            }
        }
        self.text.push_str(text.get(at..).unwrap_or_default());
    }
}
