//! Reads the forms that are keys and values: arguments, objects and arrays of any language, `.env`
//! lines, YAML, properties, and the `;` forms of ADO.NET, ODBC, PDO and DBI. Never understands
//! code: what follows no key is nothing.

use super::keys::normal;
use super::read_values::ReadValues;
use super::text::is_quote;

/// Keys and values in code or in lines, at any depth. An object counts as its key's value; its
/// members are keys too.
pub fn read(text: &str, values: &mut ReadValues) {
    // In code a bare value is a name, not the thing it stands for.
    let code = text.contains(['(', '{']);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let (key, after) = if is_quote(c) {
            quoted(rest)
        } else {
            word(rest)
        };
        let Some(value) = behind_separator(after) else {
            let step = rest.len() - after.len();
            rest = rest.get(step.max(c.len_utf8())..).unwrap_or_default();
            continue;
        };
        rest = if key.is_empty() {
            value
        } else {
            take(key, value, code, values)
        };
    }
}

/// A parameter whose value is an object.
pub fn object(key: &str, value: &str, values: &mut ReadValues) {
    values.option(&normal(key), "object");
    read(value, values);
}

/// Gives a key the value that stands here, and goes on behind it.
fn take<'a>(key: &str, value: &'a str, code: bool, values: &mut ReadValues) -> &'a str {
    // `PDO::ATTR`, `Pdo\Mysql::ATTR`, `spring.datasource.password`: the last part says what it is.
    let key = key.rsplit([':', '\\', '.']).next().unwrap_or_default();
    let Some(first) = value.chars().next() else {
        return value;
    };
    if first == '{' || first == '[' {
        values.option(&normal(key), "object");
        return value.get(1..).unwrap_or_default();
    }
    if is_quote(first) {
        let (text, rest) = quoted(value);
        put(key, text, values);
        return rest;
    }
    let (text, rest) = value
        .split_at_checked(bare_end(value))
        .unwrap_or((value, ""));
    let text = text.trim().trim_start_matches(':');
    if ["dict(", "array("]
        .iter()
        .any(|open| text.starts_with(open))
    {
        values.option(&normal(key), "object");
        return value.split_once('(').map_or(rest, |(_, inside)| inside);
    }
    let key_name = normal(key);
    let names = ["name", "db", "server"].contains(&key_name.as_str())
        || ["host", "port", "user", "username", "database"]
            .iter()
            .any(|word| key_name.ends_with(word));
    if !(code && names && text.parse::<u16>().is_err()) {
        put(key, text, values);
    }
    // `pool = createPool({...})`: what a call is given is read, too.
    if text.contains('(') {
        value.split_once('(').map_or(rest, |(_, inside)| inside)
    } else {
        rest
    }
}

fn put(key: &str, value: &str, values: &mut ReadValues) {
    // Django's.
    if key == "NAME" {
        values.database(value)
    } else {
        values.put(key, value)
    }
}

/// What stands between the quote here and its other half, and what follows.
fn quoted(text: &str) -> (&str, &str) {
    let mut chars = text.char_indices();
    let Some((_, quote)) = chars.next() else {
        return ("", "");
    };
    let mut escaped = false;
    for (at, c) in chars {
        if c == quote && !escaped {
            return (
                text.get(1..at).unwrap_or_default(),
                text.get(at + 1..).unwrap_or_default(),
            );
        }
        escaped = c == '\\' && !escaped;
    }
    (text.get(1..).unwrap_or_default(), "")
}

/// The name that stands here, and what follows.
fn word(text: &str) -> (&str, &str) {
    let mut end = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let colons = c == ':' && chars.next_if(|(_, next)| *next == ':').is_some();
        if !colons && !c.is_ascii_alphanumeric() && !"_.-\\$@".contains(c) {
            break;
        }
        end = at + if colons { 2 } else { c.len_utf8() };
    }
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// What follows `=`, `:` or `=>`, on the same line.
fn behind_separator(text: &str) -> Option<&str> {
    let text = text.trim_start_matches([' ', '\t', ']']);
    let rest = text
        .strip_prefix("=>")
        .or_else(|| text.strip_prefix('='))
        .or_else(|| text.strip_prefix(':'))?;
    (!rest.starts_with(['=', ':'])).then(|| rest.trim_start_matches([' ', '\t']))
}

/// Where a bare value ends: at a comma, a line's end, or a bracket that it did not open.
fn bare_end(text: &str) -> usize {
    let mut depth = 0usize;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' | '}' | ']' if depth == 0 => return at,
            ')' => depth -= 1,
            ',' | ';' if depth == 0 => return at,
            '\n' => return at,
            _ => {}
        }
    }
    text.len()
}

/// `Server=h;Port=4000;SslMode=VerifyFull`: values may stand in quotes or braces.
pub fn semicolons(text: &str, values: &mut ReadValues) {
    let mut closing = None;
    let mut start = 0;
    for (at, c) in text.char_indices() {
        match closing {
            Some(end) if c == end => closing = None,
            Some(_) => {}
            None if c == ';' => {
                one(text.get(start..at).unwrap_or_default(), values);
                start = at + 1;
            }
            // Only a value that begins with one is quoted.
            None if text
                .get(start..at)
                .is_some_and(|before| before.trim_end().ends_with('=')) =>
            {
                closing = match c {
                    '"' | '\'' => Some(c),
                    '{' => Some('}'),
                    _ => None,
                };
            }
            None => {}
        }
    }
    one(text.get(start..).unwrap_or_default(), values);
}

fn one(part: &str, values: &mut ReadValues) {
    let Some((key, value)) = part.split_once('=') else {
        return;
    };
    let value = value.trim();
    let inside = [('"', '"'), ('\'', '\''), ('{', '}')]
        .iter()
        .find_map(|(open, close)| value.strip_prefix(*open)?.strip_suffix(*close));
    put(key.trim(), inside.unwrap_or(value), values);
}
