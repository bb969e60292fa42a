//! Reads addresses: URLs of every scheme, and Go's DSN, by their standards. It does not guess the
//! meaning of characters that should have been encoded.

use super::keys::normal;
use super::pairs;
use super::read_values::{ReadValues, is_plain_user};
use super::text::{decoded, is_quote, part};

/// Beginnings of the address in Go's DSN.
pub const NETS: [&str; 7] = ["@tcp(", "@tcp4(", "@tcp6(", "@unix(", "@tcp/", "@(", "@/"];

/// Position of an address in a text, and its scheme in lower case (`mysql+pymysql`,
/// `jdbc:mariadb`).
pub struct FoundAddress {
    pub scheme: String,
    start: usize,
    after_scheme: usize,
}

/// Finds the first address of a MySQL scheme.
pub fn find(text: &str) -> Option<FoundAddress> {
    let mut from = 0;
    while let Some(at) = text.get(from..)?.find("://").map(|at| at + from) {
        let before = text.get(..at)?;
        let is_scheme = |c: char| c.is_ascii_alphanumeric() || "+:._-".contains(c);
        let start = before.rfind(|c: char| !is_scheme(c)).map_or(0, |i| {
            i + before[i..].chars().next().map_or(1, char::len_utf8)
        });
        let scheme = before.get(start..)?.to_ascii_lowercase();
        let heads = [
            "jdbc:", "r2dbc:", "r2dbcs:", "mysql", "mariadb", "tidb", "ecto", "trilogy",
        ];
        let is_other = ["postgres", "oracle", "sqlserver", "h2", "sqlite", "db2"]
            .iter()
            .any(|name| scheme.contains(name));
        let scheme = heads
            .iter()
            .any(|head| scheme.starts_with(head) && !is_other)
            .then_some(scheme);
        if let Some(scheme) = scheme {
            return Some(FoundAddress {
                start: at - scheme.len(),
                scheme,
                after_scheme: at + 3,
            });
        }
        from = at + 3;
    }
    None
}

/// Reads the address. Returns the text before and after it, which may contain further options.
pub fn read<'a>(
    text: &'a str,
    found: &FoundAddress,
    values: &mut ReadValues,
) -> (&'a str, &'a str) {
    let before = part(text, ..found.start);
    let rest = part(text, found.after_scheme..);
    let quote = before.chars().next_back().filter(|c| is_quote(*c));
    let end = match quote {
        // Inside quotes a URL ends at the closing one: it may contain blanks.
        Some(quote) => rest.find(quote),
        None => rest.find([' ', '\t', '\n']),
    };
    let (address, after) = rest
        .split_at_checked(end.unwrap_or(rest.len()))
        .unwrap_or((rest, ""));
    let (place, query) = address.split_once('?').unwrap_or((address, ""));
    let (authority, path) = place.split_once('/').unwrap_or((place, ""));
    // At the last `@`, as the WHATWG standard says: a password may contain another one.
    let endpoint = match authority.rsplit_once('@') {
        Some((user, endpoint)) => {
            login(user, values);
            endpoint
        }
        None => authority,
    };
    values.authority(endpoint);
    // MariaDB's and ADO's options after `;` are not part of the database's name.
    values.database(&decoded(
        path.split([';', '#', '/']).next().unwrap_or_default(),
    ));
    parameters(
        query,
        if found.scheme.starts_with("jdbc") {
            &['&', ';']
        } else {
            &['&']
        },
        values,
    );
    (
        before,
        quote
            .and_then(|quote| after.strip_prefix(quote))
            .unwrap_or(after),
    )
}

fn login(login: &str, values: &mut ReadValues) {
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    values.user(&decoded(user));
    values.secret(password);
}

/// Reads `a=b&c=d`. A value that is a JSON object is read too.
fn parameters(query: &str, separators: &[char], values: &mut ReadValues) {
    for part in query.split(separators) {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        let value = decoded(value);
        if value.trim_start().starts_with('{') {
            values.option(&normal(key), "object");
            pairs::object(key, &value, values);
        } else if !key.is_empty() {
            values.put(key, &value);
        }
    }
}

/// Whether code puts a value here: `%s`, `${USER}`, `{user}`.
fn is_inserted(word: &str) -> bool {
    word.starts_with(['%', '$', '{'])
        && word
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "%${}_".contains(c))
}

/// Reads Go's `[user[:password]@][net[(addr)]]/dbname[?params]`, in code or alone. Returns false if
/// the text is not one.
pub fn go_dsn(text: &str, values: &mut ReadValues) -> bool {
    // Go's parser uses the last `@` before the address too.
    let found = NETS
        .iter()
        .filter_map(|net| text.rfind(net).map(|at| (at, *net)))
        .max();
    let (before, net, tail) = match found {
        Some((at, net)) => (part(text, ..at), net, part(text, at + net.len()..)),
        None if text.starts_with("tcp(") => ("", "@tcp(", part(text, 4..)),
        None => return false,
    };
    let code_end = before
        .rfind(|c: char| is_quote(c) || c == '=' || c.is_whitespace())
        .map_or(0, |at| at + 1);
    let (code, name) = before.split_at_checked(code_end).unwrap_or(("", before));
    let name = name.strip_prefix("mysql://").unwrap_or(name);
    // An unquoted word of a list is no string of code.
    if code.trim_end().ends_with([',', '(']) {
        return false;
    }
    // `@/` alone does not identify a DSN inside code.
    let short = !net.ends_with('(');
    let user = name.split(':').next().unwrap_or_default();
    if !(is_plain_user(user) || is_inserted(user)) || (short && !code.is_empty()) {
        return false;
    }
    login(name, values);
    let (address, rest) = if short {
        ("", tail)
    } else {
        tail.split_once(')').unwrap_or((tail, ""))
    };
    values.authority(address);
    let rest = rest.strip_prefix('/').unwrap_or(rest);
    let end = rest
        .find(is_quote)
        .or_else(|| rest.find(['\n', ' ']))
        .unwrap_or(rest.len());
    let place = part(rest, ..end);
    let (database, query) = place.split_once('?').unwrap_or((place, ""));
    values.database(database);
    parameters(query, &['&'], values);
    true
}
