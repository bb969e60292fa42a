//! Reads keys and values: arguments, objects and arrays of any language, `.env` lines, YAML,
//! properties, and the `;` forms of ADO.NET, ODBC, PDO and DBI. Code is not parsed: text without a
//! key is ignored.

use super::calls;
use super::keys::normal;
use super::read_values::ReadValues;
use super::text::{is_quote, part};

/// Reads keys and values in code or lines, at any depth. The members of an object are keys too.
pub fn read(text: &str, values: &mut ReadValues) {
    // In code an unquoted value is a variable's name and not its value.
    let code = text.contains(['(', '{']);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let (key, after) = if is_quote(c) {
            quoted(rest)
        } else {
            word(rest)
        };
        if let Some(arguments) = after.strip_prefix('(')
            && !is_quote(c)
            && !key.is_empty()
        {
            rest = calls::read(key, arguments, values);
            continue;
        }
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

/// Reads a parameter whose value is an object.
pub fn object(key: &str, value: &str, values: &mut ReadValues) {
    values.option(&normal(key), "object");
    read(value, values);
}

/// Reads the value of a key, and returns the text after it.
fn take<'a>(key: &str, value: &'a str, code: bool, values: &mut ReadValues) -> &'a str {
    // `PDO::ATTR`, `Pdo\Mysql::ATTR`, `spring.datasource.password`: the last part is the key.
    let key = key.rsplit([':', '\\', '.']).next().unwrap_or_default();
    let Some(first) = value.chars().next() else {
        return value;
    };
    if first == '{' || first == '[' {
        values.option(&normal(key), "object");
        return part(value, 1..);
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
    let names = ["name", "db", "server", "datasource"].contains(&key_name.as_str())
        || ["host", "port", "user", "username", "database"]
            .iter()
            .any(|word| key_name.ends_with(word));
    // In code a bare word here is a variable's name; a number is the port itself.
    if !(code && names && text.parse::<u16>().is_err()) {
        put(key, text, values);
    }
    // `pool = createPool({...})`: the arguments of a call are read too.
    if text.contains('(') {
        value.split_once('(').map_or(rest, |(_, inside)| inside)
    } else {
        rest
    }
}

pub fn put(key: &str, value: &str, values: &mut ReadValues) {
    // Django's key of the database.
    if key == "NAME" {
        values.database(value)
    } else {
        values.put(key, value)
    }
}

/// Returns the text of the quoted string that begins here, and the text after it.
pub fn quoted(text: &str) -> (&str, &str) {
    let mut chars = text.char_indices();
    let Some((_, quote)) = chars.next() else {
        return ("", "");
    };
    let mut escaped = false;
    for (at, c) in chars {
        if c == quote && !escaped {
            return (part(text, 1..at), part(text, at + 1..));
        }
        escaped = c == '\\' && !escaped;
    }
    (part(text, 1..), "")
}

/// Returns the name that begins here, and the text after it.
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

/// Returns the text after `=`, `:` or `=>`, on the same line.
fn behind_separator(text: &str) -> Option<&str> {
    let text = text.trim_start_matches([' ', '\t', ']']);
    let rest = text
        .strip_prefix("=>")
        .or_else(|| text.strip_prefix('='))
        .or_else(|| text.strip_prefix(':'))?;
    (!rest.starts_with(['=', ':'])).then(|| rest.trim_start_matches([' ', '\t']))
}

/// Returns where an unquoted value ends: at a comma, the line's end, or a bracket that it did not
/// open.
pub fn bare_end(text: &str) -> usize {
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

/// Reads `Server=h;Port=4000;SslMode=VerifyFull`. Values may be in quotes or braces.
pub fn semicolons(text: &str, values: &mut ReadValues) {
    let mut closing = None;
    let mut start = 0;
    for (at, c) in text.char_indices() {
        match closing {
            Some(end) if c == end => closing = None,
            Some(_) => {}
            None if c == ';' => {
                one(part(text, start..at), values);
                start = at + 1;
            }
            // A value is quoted only if it begins with a quote.
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
    one(part(text, start..), values);
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
