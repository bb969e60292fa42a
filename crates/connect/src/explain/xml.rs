//! Attributes of XML, as Tomcat's context.xml and .NET's web.config have them.

use super::known_keys::is_known;
use super::text::part;
use std::borrow::Cow;

/// Attributes beside the known keys of connection strings.
const ATTRIBUTES: [&str; 14] = [
    "name",
    "key",
    "value",
    "auth",
    "type",
    "factory",
    "providerName",
    "connectionString",
    "driverClassName",
    "driverClass",
    "maxTotal",
    "maxActive",
    "maxIdle",
    "closeMethod",
];

/// Returns a text of XML with each attribute on its own line. Any other text is unchanged, also
/// one whose quotes do not match.
pub fn unfolded(text: &str) -> Cow<'_, str> {
    let is_tag = text.starts_with('<') && text.chars().nth(1).is_some_and(is_tag_start);
    if !is_tag || !text.matches('"').count().is_multiple_of(2) || !text.contains("=\"") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut inside = false;
    for (at, c) in text.char_indices() {
        inside ^= c == '"';
        let after = part(text, at + c.len_utf8()..);
        let is_end = c == '>' || c == '/' && after.starts_with('>');
        if !inside && (is_end || c.is_whitespace() && is_attribute(after)) {
            out.push('\n');
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out.replace("&amp;", "&"))
}

fn is_tag_start(c: char) -> bool {
    c.is_ascii_alphabetic() || "?!".contains(c)
}

/// Whether a known attribute begins here.
fn is_attribute(text: &str) -> bool {
    let Some((name, _)) = text.split_once("=\"") else {
        return false;
    };
    ATTRIBUTES.contains(&name) || name.chars().all(|c| c.is_ascii_alphanumeric()) && is_known(name)
}
