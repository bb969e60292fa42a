//! Reads the forms that are one address: URLs of every scheme, and Go's DSN. Never takes for a host what may be a
//! piece of a password: where it can't be told, nothing is taken.

use super::pairs;
use super::seen::{Seen, decoded, is_plain_user, leads_to_secret};

/// The quotes that code puts round an address.
const QUOTES: [char; 3] = ['"', '\'', '`'];

/// Where the address begins in Go's DSN.
const NETS: [&str; 6] = ["@tcp(", "@tcp4(", "@tcp6(", "@unix(", "@tcp/", "@/"];

/// Where an address stands in a text, and its scheme (`mysql+pymysql`, `jdbc:mariadb`), in lower case.
pub(super) struct Found {
    pub scheme: String,
    start: usize,
    after_scheme: usize,
}

/// The first address of a MySQL kind in this text.
pub(super) fn find(text: &str) -> Option<Found> {
    let mut from = 0;
    while let Some(at) = text.get(from..)?.find("://").map(|at| at + from) {
        let before = text.get(..at)?;
        let is_scheme = |c: char| c.is_ascii_alphanumeric() || "+:._-".contains(c);
        let start = before
            .rfind(|c: char| !is_scheme(c))
            .map_or(0, |i| i + before[i..].chars().next().map_or(1, char::len_utf8));
        let scheme = before.get(start..)?.to_ascii_lowercase();
        let heads = ["jdbc:", "r2dbc:", "r2dbcs:", "mysql", "mariadb", "tidb"];
        let scheme = heads.iter().any(|head| scheme.starts_with(head)).then_some(scheme);
        if let Some(scheme) = scheme.filter(|_| !leads_to_secret(before)) {
            return Some(Found { start: at - scheme.len(), scheme, after_scheme: at + 3 });
        }
        from = at + 3;
    }
    None
}

/// Reads the address; what stands before and behind it is given back, for the options that code sets beside it.
pub(super) fn read<'a>(text: &'a str, found: &Found, seen: &mut Seen) -> (&'a str, &'a str) {
    let before = text.get(..found.start).unwrap_or_default();
    let rest = text.get(found.after_scheme..).unwrap_or_default();
    let quote = before.chars().next_back().filter(|c| QUOTES.contains(c));
    let mut end = rest.find('\n').unwrap_or(rest.len());
    if let Some(quote) = quote {
        end = rest.find(quote).unwrap_or(end);
    } else if let Some(space) = rest.get(..end).and_then(|line| line.find([' ', '\t'])) {
        // A space inside a password is wrong in any URL, and yet there are such.
        let later_at = rest.get(space..end).is_some_and(|tail| tail.contains('@'));
        end = if later_at { end } else { space };
    }
    let (address, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
    authority_and_query(address, &found.scheme, seen);
    if after.contains('@') && !address.contains('@') {
        seen.withhold();
    }
    (before, quote.and_then(|quote| after.strip_prefix(quote)).unwrap_or(after))
}

fn authority_and_query(address: &str, scheme: &str, seen: &mut Seen) {
    // Connector/J's key-value form, address=(host=h)(password=p): only what follows it is read.
    if address.starts_with('(') || address.starts_with("address=(") {
        let (endpoint, query) = address.rsplit_once('?').unwrap_or((address, ""));
        seen.secret(endpoint);
        return parameters(query, &['&'], seen);
    }
    let authority_end = address.find(['/', '?', '#']).unwrap_or(address.len());
    let last_at = address.rfind('@');
    let inside = address.get(..authority_end).and_then(|authority| authority.rfind('@'));
    let regular = last_at == inside || later_ats_are_values(address, authority_end);
    let at = if regular { inside } else { last_at };
    let Some(at) = at else { return host_path_query(address, scheme, seen) };
    let (login, tail) = (address.get(..at).unwrap_or_default(), address.get(at + 1..).unwrap_or_default());
    if login.matches('@').count() > 0 || !regular {
        seen.broken = true;
    }
    match login.split_once(':') {
        Some((user, password)) => {
            seen.user(&decoded(user));
            seen.secret(password);
        }
        None if regular => seen.user(&decoded(login)),
        None => seen.secret(login),
    }
    host_path_query(tail, scheme, seen);
}

/// Whether each `@` behind the authority stands in the value of a parameter that may have one.
fn later_ats_are_values(address: &str, authority_end: usize) -> bool {
    let behind = address.get(authority_end..).unwrap_or_default();
    let Some((path, query)) = behind.split_once('?') else { return false };
    let known = |key: &str| ["user", "username", "password", "email"].contains(&key.to_ascii_lowercase().as_str());
    !path.contains('@')
        && query
            .split('&')
            .filter(|part| part.contains('@'))
            .all(|part| part.split_once('=').is_some_and(|(key, _)| known(key)))
}

fn host_path_query(tail: &str, scheme: &str, seen: &mut Seen) {
    let (place, query) = tail.split_once('?').unwrap_or((tail, ""));
    let (authority, path) = place.split_once('/').unwrap_or((place, ""));
    seen.authority(authority);
    // MariaDB's and ADO's habit of `;` behind the name is not ours to judge, only not to show.
    let database = path.split([';', '#', '/']).next().unwrap_or_default();
    if !database.is_empty() {
        seen.database(&decoded(database));
    }
    parameters(query, if scheme.starts_with("jdbc") { &['&', ';'] } else { &['&'] }, seen);
}

/// `a=b&c=d`; a value that is an object in JSON is taken apart.
fn parameters(query: &str, separators: &[char], seen: &mut Seen) {
    for part in query.split(separators) {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        let value = decoded(value);
        if value.trim_start().starts_with('{') {
            seen.option(&super::seen::normal(key), "object");
            pairs::object(key, &value, seen);
        } else if !key.is_empty() {
            seen.put(key, &value);
        }
    }
}

/// Whether what looks like an address may stand inside a password: because the text looks like several forms at
/// once, or because bare strings, as one gives a password to a function, come before it.
pub(super) fn is_ambiguous(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let count = |piece: &str| lower.matches(piece).count();
    let sources = count("mysql:") - count("mysql://") + count("dbi:mariadb:");
    let urls = count("://") - count("https://") - count("http://");
    let forms = urls + NETS.iter().filter(|net| net.ends_with('(')).map(|net| count(net)).sum::<usize>() + sources;
    let address = ["://", "mysql:", "dbi:"].iter().filter_map(|head| lower.find(head)).min().unwrap_or(0);
    forms > 1 || lower.get(..address).is_some_and(|before| has_bare_strings(before) || has_login(before))
}

/// A quote, a comma, a quote.
fn has_bare_strings(before: &str) -> bool {
    before
        .split(',')
        .zip(before.split(',').skip(1))
        .any(|(left, right)| left.trim_end().ends_with(QUOTES) && right.trim_start().starts_with(QUOTES))
}

/// A colon with something right behind it, as between user and password; code and YAML put a space there.
fn has_login(before: &str) -> bool {
    let mut rest = before.split(':').skip(1);
    rest.any(|behind| !behind.is_empty() && !behind.starts_with([' ', '=', '\n']))
}

/// Go's `[user[:password]@][net[(addr)]]/dbname[?params]`, where the password may hold anything. False where the
/// text is none.
pub(super) fn go_dsn(text: &str, seen: &mut Seen) -> bool {
    // Its own parser goes by the last `@` before the address, too.
    let found = NETS.iter().filter_map(|net| text.rfind(net).map(|at| (at, *net))).max();
    let (login, tail) = match found {
        Some((at, net)) => (text.get(..at).unwrap_or_default(), text.get(at + net.len()..).unwrap_or_default()),
        None if text.starts_with("tcp(") => ("", text.get(4..).unwrap_or_default()),
        None => return false,
    };
    // In code it stands in quotes. A colon before the quote may be the login's own: then the quote is the password's.
    let opened = QUOTES.iter().filter_map(|q| opening(text, login.len(), *q)).max();
    let code = |at: &usize| login.get(..*at).is_some_and(|code| !code.replace(" := ", "").contains(':'));
    let from = opened.filter(code).map_or(0, |at| at + 1);
    let (code, login) = login.split_at_checked(from).unwrap_or(("", login));
    // `@/` alone is too little to know it by in the midst of code, where it may be a password's.
    let short = found.is_some_and(|(_, net)| !net.ends_with('('));
    let user = login.split(':').next().unwrap_or_default();
    let strings = code.replace("\"mysql\",", "").matches(QUOTES).count();
    // Lines and words are of YAML or of keys and values.
    let words = login.contains('\n') || (short && (login.contains(' ') || leads_to_secret(login)));
    if words || leads_to_secret(code) || strings > 1 || (short && !code.is_empty()) || !is_plain_user(user) {
        return false;
    }
    match login.split_once(':') {
        Some((user, password)) => {
            seen.user(user);
            seen.secret(password);
        }
        None => seen.user(login),
    }
    let (address, rest) = match found {
        Some((_, net)) if !net.ends_with('(') => ("", tail),
        _ => tail.split_once(')').unwrap_or((tail, "")),
    };
    seen.authority(address);
    let rest = rest.strip_prefix('/').unwrap_or(rest);
    let end = rest.find(QUOTES).or_else(|| rest.find(['\n', ' '])).unwrap_or(rest.len());
    let (database, query) =
        rest.get(..end).unwrap_or_default().split_once('?').unwrap_or((rest.get(..end).unwrap_or_default(), ""));
    if !database.is_empty() {
        seen.database(database);
    }
    parameters(query, &['&'], seen);
    true
}

/// Where the quote was opened that is open at `until`.
fn opening(text: &str, until: usize, quote: char) -> Option<usize> {
    let mut open = None;
    for (at, _) in text.get(..until)?.match_indices(quote) {
        open = if open.is_some() { None } else { Some(at) };
    }
    open
}
