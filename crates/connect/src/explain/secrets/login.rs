//! Finds the password of an address, `user:password@host`: from the first colon of the line that
//! may end a user's name to the last `@`. An `@` is the password's end only if no other follows.

use super::hidden::Hidden;
use crate::explain::known_keys::{is_known, is_of_address};
use crate::explain::text::{is_quote, part};
use crate::explain::url::NETS;
use std::ops::Range;

/// Schemes of addresses, without their `+driver`.
const SCHEMES: [&str; 9] = [
    "mysql", "mysql2", "trilogy", "mariadb", "mysqlx", "tidb", "ecto", "http", "https",
];

/// Schemes that precede another scheme.
const OUTER_SCHEMES: [&str; 4] = ["jdbc", "r2dbc", "r2dbcs", "dbi"];

/// First keys of the data sources of PDO and DBI.
pub const SOURCE_KEYS: [&str; 6] = [
    "host=",
    "port=",
    "dbname=",
    "database=",
    "unix_socket=",
    "charset=",
];

/// Names before `::` in code that is used with connection strings.
const CLASSES: [&str; 13] = [
    "PDO",
    "Pdo",
    "Mysql",
    "Mysql2",
    "sqlx",
    "mysql_async",
    "sea_orm",
    "diesel",
    "MySqlPool",
    "MysqlConnection",
    "OptsBuilder",
    "Opts",
    "SslOpts",
];

/// Parameters with the parts of a login.
const LOGIN_KEYS: [&str; 2] = ["user", "password"];

/// Ranges of a login in its line.
struct Login {
    password: Range<usize>,
    /// Range after its `@`, if that may belong to the password.
    doubtful: Range<usize>,
    unencoded: bool,
}

/// Hides the possible password of a login on this line, and returns its range.
pub fn find(text: &str, line: Range<usize>, out: &mut Hidden) -> Option<Range<usize>> {
    let login = text.get(line.clone()).and_then(login)?;
    let password = shift(login.password, line.start);
    out.password = true;
    out.unencoded |= login.unencoded;
    out.doubt |= !login.doubtful.is_empty();
    out.take(password.clone());
    out.take(shift(login.doubtful, line.start));
    // The range includes the `@`, where another reading may begin.
    Some(password.start..password.end + 1)
}

/// Converts a range of a line to one of the text in which the line begins at `start`.
fn shift(range: Range<usize>, start: usize) -> Range<usize> {
    start + range.start..start + range.end
}

fn login(line: &str) -> Option<Login> {
    let Some(last) = line.rfind('@') else {
        return cut_off(line);
    };
    let colon = line
        .match_indices(':')
        .map(|(at, _)| at)
        .take_while(|at| *at < last)
        .find(|at| ends_a_user(line, *at));
    let Some(colon) = colon else {
        return without_colon(line);
    };
    let (head, _) = user_before(line, colon);
    if !head.ends_with("//") {
        return Some(Login {
            password: colon + 1..last,
            doubtful: 0..0,
            unencoded: false,
        });
    }
    if has_login_in_parameters(line, head.len(), last) {
        return None;
    }
    let password = part(line, colon + 1..);
    let authority = password
        .find(['/', '?', '#'])
        .and_then(|end| password.get(..end))
        .unwrap_or(password);
    let unencoded = line
        .get(colon + 1..last)
        .is_some_and(|inside| inside.contains(['@', ':', '/', '?', '#', ' ']));
    // By the standard the login ends at one `@`, by the last one at another, so everything after it
    // is uncertain.
    let twofold = authority
        .rfind('@')
        .is_some_and(|at| colon + 1 + at != last);
    let doubtful = if twofold { last + 1..line.len() } else { 0..0 };
    Some(Login {
        password: colon + 1..last,
        doubtful,
        unencoded,
    })
}

/// Returns the text before the name that ends here, and the name.
fn user_before(line: &str, colon: usize) -> (&str, &str) {
    let before = part(line, ..colon);
    let of_user = |c: char| c.is_ascii_alphanumeric() || "._-%+~$".contains(c);
    before.split_at(before.trim_end_matches(of_user).len())
}

/// Whether a password may begin after this colon. The text before it decides; the text after it
/// only identifies the colons of schemes and keys.
fn ends_a_user(line: &str, colon: usize) -> bool {
    let (head, user) = user_before(line, colon);
    let after = part(line, colon + 1..);
    if head.ends_with("//") {
        return true;
    }
    let is_go = NETS.iter().any(|net| line.contains(net));
    if is_scheme(head, user, after, is_go) {
        return false;
    }
    let spaced = after.is_empty() || after.starts_with([' ', '\t']);
    let lead = head.chars().next_back();
    if user.is_empty() {
        // `":password@`, `${USER}:password@`; not `"key":`, and not ` :symbol`.
        let behind_word = head
            .trim_end_matches(is_quote)
            .ends_with(|c: char| c.is_alphanumeric());
        return lead.is_none_or(|c| is_quote(c) && !behind_word || "})>".contains(c) && !spaced);
    }
    if CLASSES.contains(&user) && after.starts_with(':') {
        return false;
    }
    let keyed = spaced || after.starts_with(['"', '\'', '`', '{', '[']);
    if keyed && is_known(user) && (!is_go || is_of_address(user)) {
        return false;
    }
    // In code and YAML a space follows the colon of a key; but a password may begin with a space
    // too.
    !spaced || lead.is_none_or(|c| c == '=' || is_quote(c))
}

/// Whether this is the colon of a scheme or a data source.
fn is_scheme(head: &str, user: &str, after: &str, is_go: bool) -> bool {
    let word = user
        .split('+')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let of_scheme = |c: char| c.is_ascii_alphanumeric() || "+:._-".contains(c);
    let outer = part(head, head.trim_end_matches(of_scheme).len()..).to_ascii_lowercase();
    if is_go && after.starts_with("//") {
        return false;
    }
    let source = || SOURCE_KEYS.iter().any(|key| after.starts_with(key));
    OUTER_SCHEMES.contains(&word.as_str()) && outer.is_empty()
        || outer
            .split_once(':')
            .is_some_and(|(first, _)| OUTER_SCHEMES.contains(&first))
        || SCHEMES.contains(&word.as_str())
            && outer.is_empty()
            && (after.starts_with("//") || source())
}

/// Whether this is `host:port/database?user=u&password=p@w`: a complete endpoint, followed by both
/// parts of a login, with every `@` in those. No password looks like that.
fn has_login_in_parameters(line: &str, start: usize, last: usize) -> bool {
    let address = part(line, start..);
    let end = address
        .find(|c: char| c.is_whitespace() || is_quote(c))
        .unwrap_or(address.len());
    let (Some((place, query)), true) = (part(address, ..end).split_once('?'), last < start + end)
    else {
        return false;
    };
    let Some((authority, path)) = place.split_once('/') else {
        return false;
    };
    let Some((host, port)) = authority.split_once(':') else {
        return false;
    };
    let pairs: Vec<_> = query
        .split('&')
        .map(|part| part.split_once('=').unwrap_or((part, "@")))
        .collect();
    let has_login = LOGIN_KEYS
        .iter()
        .all(|name| pairs.iter().filter(|(key, _)| key == name).count() == 1);
    // An endpoint follows the `@` of a login, but not one inside a parameter.
    let ends_plainly = |value: &str| value.rsplit('@').next().is_some_and(is_plain_word);
    is_plain_word(host)
        && is_plain_word(path)
        && port.parse::<u16>().is_ok()
        && has_login
        && pairs.iter().all(|(key, value)| {
            is_plain_word(key)
                && (!value.contains('@') || LOGIN_KEYS.contains(key) && ends_plainly(value))
        })
}

/// Finds an address that was cut off inside of its login, so that `user:password` is in the place
/// of host and port.
fn cut_off(line: &str) -> Option<Login> {
    let start = line.find("://")? + 3;
    let address = line.get(start..)?;
    let end = address
        .find(|c: char| c.is_whitespace() || is_quote(c))
        .unwrap_or(address.len());
    let authority_end = address.find(['/', '?', '#']).unwrap_or(end).min(end);
    let authority = address.get(..authority_end)?;
    if authority.starts_with(['[', '(']) || authority.starts_with("address=") {
        return None;
    }
    let odd = |host: &str| host.split_once(':').is_some_and(|(_, port)| !is_port(port));
    let colon = authority.find(':')?;
    authority.split(',').any(odd).then(|| Login {
        password: start + colon + 1..line.len(),
        doubtful: 0..0,
        unencoded: false,
    })
}

fn is_port(port: &str) -> bool {
    port.chars().all(|c| c.is_ascii_digit()) || port.starts_with(['$', '{', '%', '<'])
}

fn is_plain_word(text: &str) -> bool {
    text.chars()
        .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

/// Finds an address whose login has no colon. If its path contains an `@`, the whole address is
/// uncertain.
fn without_colon(line: &str) -> Option<Login> {
    let start = line.find("://")? + 3;
    let address = line.get(start..)?;
    let end = address
        .find(|c: char| c.is_whitespace() || is_quote(c))
        .unwrap_or(address.len());
    let address = address.get(..end)?;
    let authority = address.find(['/', '?', '#']).unwrap_or(address.len());
    if address.get(..authority)?.contains('@') {
        return None;
    }
    let odd = match address.get(authority..)?.split_once('?') {
        Some((path, query)) => {
            path.contains('@')
                || query
                    .split('&')
                    .any(|part| part.contains('@') && !part.contains('='))
        }
        None => address.contains('@'),
    };
    odd.then_some(Login {
        password: start..start + end,
        doubtful: 0..0,
        unencoded: true,
    })
}
