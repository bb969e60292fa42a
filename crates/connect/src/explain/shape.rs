//! Shape of a pasted text: the language or file format that it is written in, and the key that its
//! address belongs to, so that the answer can come in the same form.

use super::text::{is_quote, part};
use crate::quote::{Syntax, literal};

/// Maximum length of a key that the answer repeats.
const KEY_MAX: usize = 64;

/// Shape of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StringShape {
    /// Language of the text; none for code, whose language the client's own form has.
    pub syntax: Option<Syntax>,
    /// Key and place of an address in it.
    key: Option<KeyOfAddress>,
    /// Scheme of the address, such as `mysql+pymysql`.
    pub scheme: Option<String>,
}

/// The key of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
struct KeyOfAddress {
    name: String,
    /// Whether the pair is an item of a YAML list: `- KEY=value`.
    is_item: bool,
}

impl StringShape {
    /// Returns the shape of a text of this form, without its possible secrets.
    pub fn of(text: &str, form: &str) -> Self {
        let line = text
            .lines()
            .find(|line| line.contains("://") || line.contains("@tcp("));
        let scheme = line.and_then(scheme_of);
        if form == "a command line" || form == "an options file" {
            let is_file = form == "an options file";
            return Self {
                syntax: Some(if is_file { Syntax::Ini } else { Syntax::Sh }),
                key: None,
                scheme,
            };
        }
        let key_line = line.and_then(key_of_line);
        let syntax = match &key_line {
            Some((_, syntax)) => Some(*syntax),
            None => of_lines(text, form),
        };
        Self {
            syntax,
            key: key_line.map(|(key, _)| key),
            scheme,
        }
    }

    /// Returns an address as it was pasted, below its key. None if it had no key.
    pub fn wrapped(&self, address: &str) -> Option<String> {
        let KeyOfAddress { name, is_item } = self.key.as_ref()?;
        Some(match self.syntax? {
            _ if *is_item => format!("- {name}={address}"),
            Syntax::Env => format!("{name}={}", literal(Syntax::Env, address)),
            Syntax::Properties => format!("{name}={}", literal(Syntax::Properties, address)),
            Syntax::Yaml => format!("{name}: {}", literal(Syntax::Yaml, address)),
            Syntax::Json => format!("\"{name}\": {}", literal(Syntax::Json, address)),
            _ => return None,
        })
    }
}

/// Returns the scheme of the address on this line.
fn scheme_of(line: &str) -> Option<String> {
    let (before, _) = line.split_once("://")?;
    let of_scheme = |c: char| c.is_ascii_alphanumeric() || "+:._-".contains(c);
    let scheme = part(before, before.trim_end_matches(of_scheme).len()..);
    Some(scheme.to_ascii_lowercase())
}

/// Returns the key that this line gives a value, and the language of the line. None for code.
fn key_of_line(line: &str) -> Option<(KeyOfAddress, Syntax)> {
    let line = line.trim();
    let (item, is_item) = match line.strip_prefix("- ") {
        Some(item) => (item.trim_start(), true),
        None => (line.strip_prefix("export ").unwrap_or(line), false),
    };
    let quoted = item.starts_with('"') || item.starts_with('\'');
    let item = item.trim_start_matches(['{', '"', '\'']);
    let end = item.find(|c: char| !c.is_ascii_alphanumeric() && !"_.-".contains(c))?;
    let (name, after) = item.split_at_checked(end)?;
    let after = after.trim_start_matches(is_quote).trim_start();
    if name.is_empty() || name.len() > KEY_MAX {
        return None;
    }
    let is_variable = name
        .chars()
        .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    let syntax = match after.chars().next()? {
        '=' if is_item => Syntax::Yaml,
        '=' if is_variable => Syntax::Env,
        '=' if name.contains('.') => Syntax::Properties,
        ':' if after.starts_with("://") => return None,
        ':' if quoted => Syntax::Json,
        ':' if !line.contains(['(', '{']) && !line.ends_with(',') => Syntax::Yaml,
        _ => return None,
    };
    let is_item = is_item && after.starts_with('=');
    let name = name.to_owned();
    Some((KeyOfAddress { name, is_item }, syntax))
}

/// Returns the language of a text without an address, by its lines.
fn of_lines(text: &str, form: &str) -> Option<Syntax> {
    let trimmed = text.trim_start();
    if trimmed.starts_with('{') && part(trimmed, 1..).trim_start().starts_with('"') {
        return Some(Syntax::Json);
    }
    if form == "a list of keys and values" || form.ends_with("URL") || form == "a Go DSN" {
        let is_code = text.contains(['(', '\n']);
        return (!is_code).then_some(Syntax::Text);
    }
    let lines: Vec<_> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    if lines.iter().all(|line| is_env_line(line)) {
        Some(Syntax::Env)
    } else if lines.iter().all(|line| is_properties_line(line)) {
        Some(Syntax::Properties)
    } else if lines.iter().all(|line| is_yaml_line(line)) {
        Some(Syntax::Yaml)
    } else {
        None
    }
}

/// Returns the key of a line and the text after it.
fn split_key(line: &str) -> (&str, &str) {
    let of_key = |c: char| c.is_ascii_alphanumeric() || "_.-/!".contains(c);
    let end = line.find(|c: char| !of_key(c)).unwrap_or(line.len());
    line.split_at_checked(end).unwrap_or((line, ""))
}

fn is_env_line(line: &str) -> bool {
    let (key, after) = split_key(line.strip_prefix("export ").unwrap_or(line));
    after.starts_with('=') && !key.is_empty() && !key.contains(['.', '-']) && {
        key.chars().all(|c| !c.is_ascii_lowercase())
    }
}

fn is_properties_line(line: &str) -> bool {
    let (key, after) = split_key(line);
    after.trim_start().starts_with('=') && key.contains('.')
}

fn is_yaml_line(line: &str) -> bool {
    let line = line.trim_start_matches("- ");
    let (key, after) = split_key(line);
    let rest = after.strip_prefix(':');
    !key.is_empty()
        && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        && !line.ends_with([',', '{', '('])
}
