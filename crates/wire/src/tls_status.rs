//! Statements that ask whether the connection is encrypted: `SHOW STATUS LIKE 'Ssl_cipher'` and
//! forms like it. The engine would answer for its connection to the gateway, so they are
//! recognised, and rewritten so that it answers for the client's. All other statements are left
//! alone.

use crate::kill::{Scan, may_begin_with};
use crate::status_condition::{self, may_begin_with_version, without_versioned_comments};

/// TLS of the client's connection, in the words of OpenSSL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TlsFacts {
    pub version: &'static str,
    pub cipher: &'static str,
}

/// Bytes of a name or a pattern in such a statement. The longest name has 30.
const NAME_MAX: usize = 64;
/// Names in a list.
const NAMES_MAX: usize = 8;

/// The two variables that are answered.
const CIPHER: &str = "ssl_cipher";
const VERSION: &str = "ssl_version";

/// Comparison of the variable's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Like,
    Equal,
    In,
}

/// Statement that asks.
#[derive(Debug, PartialEq, Eq)]
struct Question<'a> {
    global: bool,
    about: About<'a>,
}

/// Part of a question after `STATUS`.
#[derive(Debug, PartialEq, Eq)]
enum About<'a> {
    Names(Names<'a>),
    /// A condition that is kept as it is.
    Condition(&'a str),
}

/// Names or patterns, without their quotes.
#[derive(Debug, PartialEq, Eq)]
struct Names<'a> {
    comparison: Comparison,
    names: Vec<&'a str>,
}

/// Whether this whole statement asks whether the connection is encrypted.
pub fn is_question(statement: &[u8]) -> bool {
    let opened = without_versioned_comments(statement);
    opened.is_some_and(|statement| parse(&statement).is_some())
}

/// Returns the statement by which an engine answers with these facts. `None` if this is another
/// statement.
pub fn rewrite(statement: &[u8], facts: &TlsFacts) -> Option<Vec<u8>> {
    let statement = without_versioned_comments(statement)?;
    let question = parse(&statement)?;
    let sql = match &question.about {
        About::Names(names) if !names.has_wildcard() => names.plain_answer(facts)?,
        About::Names(names) => {
            // SHOW STATUS has these sorted by bytes.
            let sorted = format!("{} ORDER BY BINARY `Variable_name`", names.condition());
            filtered_answer(question.global, &sorted, facts)
        }
        About::Condition(condition) => {
            filtered_answer(question.global, &format!("({condition})"), facts)
        }
    };
    Some(sql.into_bytes())
}

/// Whether a statement with this beginning may ask once it is complete.
pub(crate) fn may_be_question(beginning: &[u8]) -> bool {
    may_begin_with(beginning, b"SHOW") || may_begin_with_version(beginning)
}

fn parse(statement: &[u8]) -> Option<Question<'_>> {
    let mut scan = Scan::new(statement);
    scan.blank()?;
    scan.keyword(b"SHOW")?;
    let mut word = scan.word()?;
    let global = word.eq_ignore_ascii_case(b"GLOBAL");
    let session = [&b"SESSION"[..], b"LOCAL"]
        .iter()
        .any(|scope| word.eq_ignore_ascii_case(scope));
    if global || session {
        scan.blank()?;
        word = scan.word()?;
    }
    if !word.eq_ignore_ascii_case(b"STATUS") {
        return None;
    }
    scan.blank()?;
    let word = scan.word()?;
    scan.blank()?;
    let about = if word.eq_ignore_ascii_case(b"LIKE") {
        About::Names(pattern(scan)?)
    } else if word.eq_ignore_ascii_case(b"WHERE") {
        match known_names(Scan::new(scan.rest())) {
            Some(names) => About::Names(names),
            None => About::Condition(status_condition::read(scan.rest())?),
        }
    } else {
        return None;
    };
    Some(Question { global, about })
}

/// Reads the pattern after LIKE and the end.
fn pattern(mut scan: Scan<'_>) -> Option<Names<'_>> {
    let names = Names {
        comparison: Comparison::Like,
        names: vec![name(&mut scan)?],
    };
    scan.end()?;
    names.asks().then_some(names)
}

/// Reads a comparison of the name with texts, and the end.
fn known_names(mut scan: Scan<'_>) -> Option<Names<'_>> {
    let (comparison, names) = condition(&mut scan)?;
    scan.end()?;
    let names = Names { comparison, names };
    names.asks().then_some(names)
}

/// Reads `Variable_name LIKE '...'`, `= '...'` or `IN ('...', ...)`.
fn condition<'a>(scan: &mut Scan<'a>) -> Option<(Comparison, Vec<&'a str>)> {
    let quoted = scan.take_token(b"`");
    let column = scan.take(b"Variable_name".len())?;
    if !column.eq_ignore_ascii_case(b"Variable_name") || quoted && !scan.take_token(b"`") {
        return None;
    }
    scan.blank()?;
    if scan.take_token(b"=") {
        scan.blank()?;
        return Some((Comparison::Equal, vec![name(scan)?]));
    }
    let word = scan.word()?;
    scan.blank()?;
    if word.eq_ignore_ascii_case(b"LIKE") {
        return Some((Comparison::Like, vec![name(scan)?]));
    }
    if !word.eq_ignore_ascii_case(b"IN") || !scan.take_token(b"(") {
        return None;
    }
    let mut names = Vec::new();
    while names.len() < NAMES_MAX {
        scan.blank()?;
        names.push(name(scan)?);
        scan.blank()?;
        if scan.take_token(b")") {
            return Some((Comparison::In, names));
        }
        if !scan.take_token(b",") {
            return None;
        }
    }
    None
}

/// Reads a text in quotes that contains nothing but letters, digits and the signs of a pattern.
fn name<'a>(scan: &mut Scan<'a>) -> Option<&'a str> {
    let quote = match scan.take(1)? {
        quote @ (b"'" | b"\"") => quote,
        _ => return None,
    };
    let name = scan.take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'%' | b'\\'));
    let closed = scan.take_token(quote);
    // Two texts side by side are one to the engine.
    let more = scan.starts_with_any(b"'\"");
    // A backslash before the quote escapes it.
    if !closed || more || name.len() > NAME_MAX || name.ends_with(b"\\") {
        return None;
    }
    std::str::from_utf8(name).ok()
}

impl Names<'_> {
    /// Whether the answer contains one of the two variables, and only variables whose names are
    /// known to begin with `Ssl_` (or, for patterns, contain it).
    fn asks(&self) -> bool {
        let known = self.names.iter().all(|name| {
            let stem = match self.comparison {
                Comparison::Like => name.trim_start_matches('%'),
                Comparison::Equal | Comparison::In => name,
            };
            begins_with(stem, "ssl")
                || self.comparison == Comparison::Like && begins_with(stem, "cipher")
        });
        known && (self.includes(CIPHER) || self.includes(VERSION))
    }

    fn includes(&self, variable: &str) -> bool {
        self.names.iter().any(|name| match self.comparison {
            Comparison::Like => is_like(name.as_bytes(), variable.as_bytes()),
            Comparison::Equal | Comparison::In => name.eq_ignore_ascii_case(variable),
        })
    }

    /// Whether the answer may contain other variables.
    fn has_wildcard(&self) -> bool {
        match self.comparison {
            Comparison::Like => self.names.iter().any(|name| name.contains('%')),
            Comparison::Equal | Comparison::In => self.names.iter().any(|name| {
                !name.eq_ignore_ascii_case(CIPHER) && !name.eq_ignore_ascii_case(VERSION)
            }),
        }
    }

    /// An answer that reads no table.
    fn plain_answer(&self, facts: &TlsFacts) -> Option<String> {
        let rows = [
            (CIPHER, "Ssl_cipher", facts.cipher),
            (VERSION, "Ssl_version", facts.version),
        ];
        let rows: Vec<String> = rows
            .into_iter()
            .filter(|(variable, ..)| self.includes(variable))
            .map(|(_, name, value)| {
                format!("SELECT '{name}' AS `Variable_name`, '{value}' AS `Value`")
            })
            .collect();
        (!rows.is_empty()).then(|| format!("{} LIMIT {NAMES_MAX}", rows.join(" UNION ALL ")))
    }

    /// Condition that chooses these names.
    fn condition(&self) -> String {
        let names: Vec<String> = self.names.iter().map(|name| format!("'{name}'")).collect();
        let names = names.join(", ");
        match self.comparison {
            Comparison::Like => format!("`Variable_name` LIKE {names}"),
            Comparison::Equal => format!("`Variable_name` = {names}"),
            Comparison::In => format!("`Variable_name` IN ({names})"),
        }
    }
}

/// An answer with all variables that the condition chooses.
fn filtered_answer(global: bool, condition: &str, facts: &TlsFacts) -> String {
    let scope = if global { "GLOBAL" } else { "SESSION" };
    let TlsFacts { version, cipher } = facts;
    // The names of that table are in capitals, and its rows in the order of SHOW STATUS. The limit
    // is above the number of variables, and keeps a limit of the session from applying.
    format!(
        "SELECT `Variable_name`, `Value` FROM (SELECT IF(LEFT(VARIABLE_NAME, 5) = 'WSREP', \
         LOWER(VARIABLE_NAME), CONCAT(LEFT(VARIABLE_NAME, 1), LOWER(SUBSTR(VARIABLE_NAME, 2)))) \
         AS `Variable_name`, CASE VARIABLE_NAME WHEN 'SSL_CIPHER' THEN '{cipher}' WHEN \
         'SSL_VERSION' THEN '{version}' ELSE VARIABLE_VALUE END AS `Value` FROM \
         information_schema.{scope}_STATUS) AS s WHERE {condition} LIMIT 100000"
    )
}

fn begins_with(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// Matches as SQL LIKE does, with `%`, `_` and escapes by `\`, case-insensitive. It is iterative,
/// and takes at most `pattern x text` steps.
fn is_like(pattern: &[u8], text: &[u8]) -> bool {
    let mut p = 0;
    let mut t = 0;
    let mut star: Option<(usize, usize)> = None;
    while let Some(&c) = text.get(t) {
        let step = match (pattern.get(p), pattern.get(p + 1)) {
            (Some(b'%'), _) => {
                star = Some((p + 1, t));
                p += 1;
                continue;
            }
            (Some(b'_'), _) => Some(1),
            (Some(b'\\'), Some(b)) => b.eq_ignore_ascii_case(&c).then_some(2),
            (Some(b), _) => b.eq_ignore_ascii_case(&c).then_some(1),
            (None, _) => None,
        };
        match (step, star) {
            (Some(step), _) => {
                p += step;
                t += 1;
            }
            // Only the last `%` is remembered: an earlier one could match no more than it does.
            (None, Some((after, from))) => {
                p = after;
                t = from + 1;
                star = Some((after, t));
            }
            (None, None) => return false,
        }
    }
    pattern
        .get(p..)
        .unwrap_or_default()
        .iter()
        .all(|&b| b == b'%')
}

#[cfg(test)]
#[path = "tls_status_tests.rs"]
mod tests;
