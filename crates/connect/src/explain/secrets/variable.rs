//! Recognises hidden values that are no secret themselves: variables and placeholders.

use crate::explain::keys::SECRET;
use crate::explain::reference::HEADS;
use crate::explain::text::{is_quote, part};
use std::ops::Range;

/// Strings of lists that are no passwords: versions of TLS, encodings, a format.
const HARMLESS: [&str; 5] = ["TLSv1.2", "TLSv1.3", "utf8", "utf-8", "%s\\n"];

/// Maximum number of arguments between a string and the password of a call.
const ARGUMENTS_MAX: usize = 3;

/// Whether a hidden value is a variable, a placeholder, or a version of TLS in a list.
pub fn is_variable(value: &str) -> bool {
    let around = |c: char| is_quote(c) || c.is_whitespace() || ",;+.".contains(c);
    let value = value.trim_matches(around);
    let value = value.strip_prefix("Some(").unwrap_or(value);
    let value = value.trim_start_matches('&').trim_matches(around);
    let name = value.trim_end_matches(|c: char| is_quote(c) || ")}]".contains(c));
    let shell = name
        .strip_prefix('$')
        .map(|name| name.trim_start_matches('{'));
    let is_shell = shell.is_some_and(|name| {
        let of_variable = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        !name.is_empty() && name.chars().all(of_variable)
    });
    let is_one = !value.contains(char::is_whitespace) && !value.contains("://");
    value.is_empty()
        || is_shell
        || is_placeholder(name.trim_start_matches('{').trim_matches(is_quote))
        || HARMLESS.contains(&value)
        || is_file(value)
        || is_one && HEADS.iter().any(|head| value.starts_with(head))
}

/// Whether the string of a list precedes or follows the variable of a password, as a user or a
/// database does in the arguments of a call.
pub fn is_beside_password(text: &str, stretch: &Range<usize>) -> bool {
    let before = part(text, ..stretch.start).trim_end();
    let before = before.strip_suffix(',').unwrap_or_default();
    let before = before.rsplit([',', '\n']).next().unwrap_or_default();
    let after = part(text, stretch.end..).trim_start_matches(is_quote);
    let after = after.trim_start().strip_prefix(',').unwrap_or_default();
    let next = after
        .split([',', '\n'])
        .filter(|value| !value.trim().is_empty());
    [before]
        .into_iter()
        .chain(next.take(ARGUMENTS_MAX))
        .any(|value| {
            let lower = value.to_ascii_lowercase();
            SECRET.iter().any(|word| lower.contains(word)) && is_variable(value)
        })
}

/// Whether this is the path of a certificate.
fn is_file(value: &str) -> bool {
    let of_path = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    let is_certificate = [".pem", ".crt"].iter().any(|end| value.ends_with(end));
    value.starts_with('/') && is_certificate && value.chars().all(of_path)
}

fn is_placeholder(value: &str) -> bool {
    // Further arguments of a call may follow on the same line.
    let own = value.strip_prefix("<your_password>");
    own.is_some_and(|rest| rest.starts_with(is_quote))
        || value.starts_with('<') && value.ends_with('>') && !value.contains('/')
}
