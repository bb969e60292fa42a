//! Statements that ask whether the connection is encrypted: `SHOW STATUS LIKE 'Ssl_cipher'` and
//! forms like it. The engine would answer for its connection to the gateway, so they are
//! recognised, and rewritten so that it answers for the client's. All other statements are left
//! alone.

use crate::kill::{Scan, may_begin_with};

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
    comparison: Comparison,
    /// Names or patterns, without their quotes.
    names: Vec<&'a str>,
}

/// Whether this whole statement asks whether the connection is encrypted.
pub fn is_question(statement: &[u8]) -> bool {
    parse(statement).is_some()
}

/// Returns the statement by which an engine answers with these facts. `None` if this is another
/// statement.
pub fn rewrite(statement: &[u8], facts: &TlsFacts) -> Option<Vec<u8>> {
    let question = parse(statement)?;
    let sql = match question.has_wildcard() {
        false => question.plain_answer(facts)?,
        true => question.filtered_answer(facts),
    };
    Some(sql.into_bytes())
}

/// Whether a statement with this beginning may ask once it is complete.
pub(crate) fn may_be_question(beginning: &[u8]) -> bool {
    may_begin_with(beginning, b"SHOW")
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
    let (comparison, names) = if word.eq_ignore_ascii_case(b"LIKE") {
        (Comparison::Like, vec![name(&mut scan)?])
    } else if word.eq_ignore_ascii_case(b"WHERE") {
        condition(&mut scan)?
    } else {
        return None;
    };
    scan.end()?;
    let question = Question {
        global,
        comparison,
        names,
    };
    question.asks().then_some(question)
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

impl Question<'_> {
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

    /// An answer with all variables that the question means.
    fn filtered_answer(&self, facts: &TlsFacts) -> String {
        let names: Vec<String> = self.names.iter().map(|name| format!("'{name}'")).collect();
        let names = names.join(", ");
        let condition = match self.comparison {
            Comparison::Like => format!("LIKE {names}"),
            Comparison::Equal => format!("= {names}"),
            Comparison::In => format!("IN ({names})"),
        };
        let scope = if self.global { "GLOBAL" } else { "SESSION" };
        let TlsFacts { version, cipher } = facts;
        // The names of that table are in capitals; SHOW STATUS sorts by bytes. The limit is above
        // the number of such variables, and keeps a limit of the session from applying.
        format!(
            "SELECT `Variable_name`, `Value` FROM (SELECT CONCAT(LEFT(VARIABLE_NAME, 1), \
             LOWER(SUBSTR(VARIABLE_NAME, 2))) AS `Variable_name`, CASE VARIABLE_NAME WHEN \
             'SSL_CIPHER' THEN '{cipher}' WHEN 'SSL_VERSION' THEN '{version}' ELSE VARIABLE_VALUE \
             END AS `Value` FROM information_schema.{scope}_STATUS) AS s WHERE `Variable_name` \
             {condition} ORDER BY BINARY `Variable_name` LIMIT 100"
        )
    }
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
