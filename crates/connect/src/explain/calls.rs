//! Reads calls that set a value: `setProperty("key", "value")`, `.sslMode(SslMode.VERIFY_FULL)`,
//! `mysql_options(mysql, MYSQL_OPT_SSL_CA, "file")`.

use super::keys::{KeyRole, normal, role};
use super::known_keys::is_known;
use super::pairs::{bare_end, put, quoted};
use super::read_values::ReadValues;
use super::text::{is_quote, part};

/// Calls whose first argument is a key and whose second one is its value.
pub const PUTTERS: [&str; 11] = [
    "put",
    "set",
    "setProperty",
    "property",
    "addProperty",
    "addDataSourceProperty",
    "option",
    "options",
    "setOption",
    "config",
    "define",
];

/// Calls whose second argument is a key and whose third one is its value.
const C_SETTERS: [&str; 3] = ["mysql_options", "mysql_optionsv", "mysqli_options"];

/// Functions around a value: `Some("x")`, `Path::new("x")`.
const WRAPPERS: [&str; 5] = ["Some(", "Path::new(", "String::from(", "str(", "new File("];

/// Reads the arguments of a call and returns the text from which reading goes on. The arguments of
/// another call are read by the caller.
pub fn read<'a>(name: &str, arguments: &'a str, values: &mut ReadValues) -> &'a str {
    let name = name.rsplit(['.', ':']).next().unwrap_or_default();
    if PUTTERS.contains(&name) {
        return pair(arguments, values).unwrap_or(arguments);
    }
    if C_SETTERS.contains(&name) {
        let third = arguments
            .split_once(',')
            .and_then(|(_, key)| pair(key, values));
        return third.unwrap_or(arguments);
    }
    if name.ends_with("ssl_set") {
        // The CA is the third file; the function's first argument is the connection.
        let at = if name.starts_with("mysqli") { 3 } else { 2 };
        let file = arguments
            .split([',', ')'])
            .nth(at)
            .unwrap_or_default()
            .trim();
        if !file.is_empty() && !file.eq_ignore_ascii_case("null") {
            values.option("sslca", file.trim_matches(is_quote));
        }
        return arguments;
    }
    let key = ["set", "with_", "with"]
        .iter()
        .find_map(|verb| name.strip_prefix(verb))
        .unwrap_or(name);
    if !is_known(key) || arguments.trim_start().starts_with([')', '{']) {
        return arguments;
    }
    let (value, is_bare) = value_of(arguments);
    let is_option = role(&normal(key)) == KeyRole::Option;
    // A bare word in the place of a host or user is a variable's name; a number is the port itself.
    if is_option || !is_bare || value.parse::<u16>().is_ok() {
        put(key, value, values);
    }
    arguments
}

/// Reads a key and a value, and returns the text after them. None if this is not a pair.
fn pair<'a>(text: &'a str, values: &mut ReadValues) -> Option<&'a str> {
    let text = text.trim_start();
    let (key, after) = if text.starts_with(is_quote) {
        quoted(text)
    } else {
        let end = text.find(|c: char| !c.is_ascii_alphanumeric() && !"_.:$\\".contains(c))?;
        text.split_at_checked(end)?
    };
    let value = after.trim_start().strip_prefix(',')?;
    let key = key.rsplit([':', '\\', '.']).next()?;
    if key.is_empty() {
        return None;
    }
    let (text, _) = value_of(value);
    put(key, text, values);
    // The value may be an address or a call, so it is read again by itself.
    Some(value)
}

/// Returns the first argument, and whether it is not a quoted string.
fn value_of(arguments: &str) -> (&str, bool) {
    let mut rest = arguments.trim_start();
    while let Some(inside) = WRAPPERS.iter().find_map(|open| rest.strip_prefix(open)) {
        rest = inside;
    }
    rest = rest.trim_start_matches('&');
    if rest.starts_with(is_quote) {
        (quoted(rest).0, false)
    } else {
        (part(rest, ..bare_end(rest)).trim(), true)
    }
}
