//! Finds the values of secret keys, and strings after a comma, as code passes user and password to
//! a function. Such a value is hidden completely, whatever it contains.

use super::hidden::Hidden;
use super::rest;
use super::variable::is_variable;
use crate::explain::calls::PUTTERS;
use crate::explain::keys::{KeyRole, SECRET, normal, role};
use crate::explain::known_keys::is_known;
use crate::explain::text::{is_quote, part};
use std::ops::Range;

/// Maximum number of such values in a line. After the last one, the rest of the line is hidden.
const VALUES_MAX: usize = 64;

/// Finds the ranges of a line that may be secret.
pub fn find(text: &str, line: Range<usize>, out: &mut Hidden) {
    let mut at = line.start;
    for count in 0.. {
        let keyed = behind_secret_key(text, at..line.end);
        let Some(start) = keyed
            .into_iter()
            .chain(string_of_a_list(text, at..line.end))
            .min()
        else {
            break;
        };
        out.password |= start < line.end;
        let value = part(text, start..line.end);
        let all_of_line = is_of_line(text, &line, start);
        let Some(end) = value_end(value, sign_before(text, start))
            .filter(|_| count < VALUES_MAX && !all_of_line)
        else {
            out.doubt |= !all_of_line && value.contains(['=', ':']) && !is_variable(value);
            out.take(start..line.end);
            break;
        };
        out.take(start..start + end);
        let empty = || value.chars().next().map_or(1, char::len_utf8);
        at = start + if end > 0 { end } else { empty() };
    }
}

/// Returns the start of the first value in this range whose key is secret.
fn behind_secret_key(text: &str, range: Range<usize>) -> Option<usize> {
    let lower = text.get(range.clone())?.to_ascii_lowercase();
    let mut from = 0;
    loop {
        let rest = lower.get(from..)?;
        let word = SECRET.iter().filter_map(|word| rest.find(word)).min()?;
        let rest = rest.get(word..)?;
        let after =
            rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "_.-$".contains(c));
        let sign = after
            .strip_prefix(is_quote)
            .unwrap_or(after)
            .trim_start_matches([']', ' ', '\t']);
        let value = sign.trim_start_matches(['=', ':', '>', '(']);
        let before = part(&lower, ..from + word);
        let is_placeholder = sign.starts_with('>')
            && value.len() + 1 == sign.len()
            && is_in_angle_brackets(before)
            && !text.contains("</");
        if value.len() < sign.len() && !is_placeholder {
            return Some(range.end - value.trim_start_matches([' ', '\t']).len());
        }
        from = lower.len() - after.len();
    }
}

/// Whether the name that ends here began after a `<`: `<your_password>` is a placeholder, unless
/// the text is XML.
fn is_in_angle_brackets(before: &str) -> bool {
    before
        .trim_end_matches(|c: char| c.is_ascii_alphanumeric() || "_.- ".contains(c))
        .ends_with('<')
}

/// Returns the start of the first string in this range that follows a comma and is not a key.
fn string_of_a_list(text: &str, range: Range<usize>) -> Option<usize> {
    let mut from = range.start;
    loop {
        let at = from + text.get(from..range.end)?.find(is_quote)?;
        let before = text.get(..at)?.trim_end();
        from = at + 1;
        let Some(before) = before.strip_suffix(',') else {
            continue;
        };
        // The form of Go's sql.Open("mysql", DSN).
        if ["\"mysql\"", "'mysql'", "`mysql`"]
            .iter()
            .any(|driver| before.ends_with(driver))
        {
            continue;
        }
        if is_of_a_putter(before) {
            continue;
        }
        let quote = text.get(at..)?.chars().next()?;
        let Some((key, after)) = text.get(from..range.end)?.split_once(quote) else {
            return Some(at);
        };
        // A string that looks like a key is one if its name is known or other keys precede it;
        // otherwise it may be the beginning of a password.
        let named = is_named(key) && after.trim_start().starts_with([':', '=']);
        // `NAME` is Django's key of the database.
        if !named || !(is_known(key) || key == "NAME" || ends_in_a_pair(before)) {
            return Some(at);
        }
        from += key.len() + 1;
    }
}

/// Whether this is `setProperty("key"`, with a key whose value is not secret.
fn is_of_a_putter(before: &str) -> bool {
    let Some(quote) = before.chars().next_back().filter(|c| is_quote(*c)) else {
        return false;
    };
    let inside = part(before, ..before.len() - 1);
    let Some((call, key)) = inside.rsplit_once(quote) else {
        return false;
    };
    let Some(call) = call.trim_end().strip_suffix('(') else {
        return false;
    };
    let of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let name = part(call, call.trim_end_matches(of_name).len()..);
    PUTTERS.contains(&name) && role(&normal(key)) != KeyRole::Password
}

fn is_named(key: &str) -> bool {
    !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Whether the last item of a list is a key with its value.
fn ends_in_a_pair(before: &str) -> bool {
    let item = before
        .rsplit([',', '{', '[', '('])
        .next()
        .unwrap_or_default()
        .trim_start();
    let key = item.strip_prefix(is_quote).unwrap_or(item);
    let after = key.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
    let closed = after.strip_prefix(is_quote);
    let signed = closed.unwrap_or(after).trim_start().starts_with([':', '=']);
    signed
        && is_named(part(key, ..key.len() - after.len()))
        && item.starts_with(is_quote) == closed.is_some()
}

/// Whether the value that begins here is the line's only one, as in `.env` files and YAML. It may
/// contain anything.
fn is_of_line(text: &str, line: &Range<usize>, start: usize) -> bool {
    let key = part(text, line.start..start).trim_start_matches("export ");
    let key = key.trim_end().trim_end_matches([':', '=']);
    let bare = !part(text, start..).starts_with(|c: char| is_quote(c) || c == '{');
    bare && text.contains('\n')
        && !key.contains([':', '=', ',', ';', '&', '?', '(', '{', '"', '\''])
}

/// Returns where the value ends, if the rest of its line makes that certain.
fn value_end(value: &str, sign: Option<char>) -> Option<usize> {
    let first = value.chars().next()?;
    let end = match first {
        '{' => value.find('}')?,
        _ if is_quote(first) => 1 + closing(value.get(1..)?, first)?,
        _ => bare_end(value),
    };
    // An unquoted value with signs of keys may be a connection string itself.
    let bare = !is_quote(first) && first != '{';
    if bare && value.get(..end)?.trim_end_matches('=').contains(['=', ':']) {
        return None;
    }
    let after = if bare { end } else { end + 1 };
    rest::is_regular(value.get(after..)?, sign).then_some(after)
}

/// Returns the sign between the key and the value that begins here: `=`, `:`, or `>` for an arrow.
fn sign_before(text: &str, start: usize) -> Option<char> {
    text.get(..start)?
        .trim_end()
        .chars()
        .next_back()
        .filter(|c| "=:>".contains(*c))
}

/// Returns where a quoted text ends.
fn closing(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(at, c)| {
        let closes = c == quote && !escaped;
        escaped = c == '\\' && !escaped;
        closes.then_some(at)
    })
}

/// Returns where an unquoted value ends. `os.environ["NAME"]` and `getenv("NAME")` are one value.
fn bare_end(value: &str) -> usize {
    let end = value
        .find(|c: char| ",;&)}]".contains(c) || c.is_whitespace() || is_quote(c))
        .unwrap_or(value.len());
    lookup_end(value, end).unwrap_or(end)
}

fn lookup_end(value: &str, at: usize) -> Option<usize> {
    let close = match value.get(..at)?.chars().next_back()? {
        '(' => ')',
        '[' => ']',
        _ => return None,
    };
    let quoted = value.get(at..)?;
    let quote = quoted.chars().next().filter(|c| is_quote(*c))?;
    let (name, after) = quoted.get(1..)?.split_once(quote)?;
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    (plain && after.starts_with(close)).then_some(at + name.len() + 3)
}
