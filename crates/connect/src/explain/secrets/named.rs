//! Finds the values of names that are secret, as Kubernetes and task definitions write them: a key
//! `name` with the variable's name, then a key `value`.

use super::hidden::Hidden;
use crate::explain::keys::SECRET;
use crate::explain::text::{is_quote, part};
use std::ops::Range;

/// Hides the value of each key `value` on this line, if the text before it, or the previous line,
/// names something secret.
pub fn find(text: &str, previous: Range<usize>, line: Range<usize>, out: &mut Hidden) {
    let here = part(text, line.clone());
    let mut names = part(text, previous).to_ascii_lowercase();
    let mut from = 0;
    let keys = here.match_indices("value").map(|(at, _)| at);
    for key in keys.filter(|at| is_key(here, *at)) {
        names.push_str(&part(here, from..key).to_ascii_lowercase());
        if SECRET.iter().any(|word| names.contains(word)) {
            let after = part(here, key + "value".len()..);
            let skipped = |c: char| is_quote(c) || c.is_whitespace() || c == ':' || c == '=';
            let value = after.trim_start_matches(skipped);
            out.password |= !value.is_empty();
            out.take(line.end - value.len()..line.end);
            return;
        }
        names.clear();
        from = key;
    }
}

/// Whether the word `value` at this position is a key.
fn is_key(line: &str, at: usize) -> bool {
    let before = part(line, ..at).trim_end_matches(is_quote);
    let after = part(line, at + "value".len()..).trim_start_matches(is_quote);
    let starts =
        before.ends_with(|c: char| c.is_whitespace() || "{,-".contains(c)) || before.is_empty();
    starts && after.trim_start().starts_with([':', '='])
}
