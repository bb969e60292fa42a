//! Conditions of `SHOW STATUS WHERE ...`: which of them may ask whether the connection is
//! encrypted, and can be put behind the WHERE of another statement as they are. Only a closed list
//! of words and signs is accepted: no subquery and no function of a tenant.

use crate::kill::Scan;

/// Words of a condition: the two columns, operators, and functions without side effects.
const WORDS: [&str; 21] = [
    "variable_name",
    "value",
    "and",
    "or",
    "xor",
    "not",
    "in",
    "like",
    "rlike",
    "regexp",
    "between",
    "is",
    "null",
    "true",
    "false",
    "binary",
    "lower",
    "lcase",
    "upper",
    "ucase",
    "trim",
];

/// Signs of a condition. `?` is a parameter of a prepared statement.
const SIGNS: &[u8] = b"=<>!(),&|?";

/// Parts of a condition; real ones have up to ten.
const PARTS_MAX: usize = 64;

/// Returns the condition that the rest of a statement is, without its end, if it may ask: it names
/// a variable of TLS, or has a parameter, whose value is not known yet.
pub fn read(statement: &[u8]) -> Option<&str> {
    let mut scan = Scan::new(statement);
    let mut asks = false;
    // A comment behind the last part would hide what follows the condition.
    let mut end = 0;
    for _ in 0..PARTS_MAX {
        scan.blank()?;
        if scan.is_at_end() {
            let text = std::str::from_utf8(statement.get(..end)?).ok()?;
            return asks.then_some(text);
        }
        asks |= read_part(&mut scan)?;
        end = statement.len() - scan.rest().len();
    }
    None
}

/// Reads a word, a sign, a number or a text. Returns whether it may ask.
fn read_part(scan: &mut Scan<'_>) -> Option<bool> {
    if scan.starts_with_any(b"'\"") {
        let text = read_text(scan)?.to_ascii_lowercase();
        return Some(text.contains("ssl") || text.contains("cipher"));
    }
    if scan.starts_with_any(SIGNS) {
        return Some(scan.take(1)? == b"?");
    }
    let quoted = scan.take_token(b"`");
    let word = scan.take_while(|b| b.is_ascii_alphanumeric() || *b == b'_');
    let word = std::str::from_utf8(word).ok()?.to_ascii_lowercase();
    let is_number = !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
    let is_known = WORDS.contains(&word.as_str()) || is_number && !quoted;
    if !is_known || quoted && !scan.take_token(b"`") {
        return None;
    }
    Some(false)
}

/// Reads a text in quotes without anything that needs an escape but the signs of a pattern.
fn read_text<'a>(scan: &mut Scan<'a>) -> Option<&'a str> {
    let quote = scan.take(1)?;
    let belongs = |b: &u8| b.is_ascii_alphanumeric() || b"_%\\^$.*+-|() ".contains(b);
    let text = scan.take_while(belongs);
    // A backslash before the quote escapes it.
    let is_closed = scan.take_token(quote) && !text.ends_with(b"\\");
    is_closed.then(|| std::str::from_utf8(text).ok()).flatten()
}

/// Returns a statement with the contents of its versioned comments, which every engine runs: those
/// without a version, and those for versions before all supported engines. `None` if it has others.
pub fn without_versioned_comments(statement: &[u8]) -> Option<Vec<u8>> {
    let mut out = statement.to_vec();
    let mut quote: Option<u8> = None;
    let mut is_inside = false;
    let mut at = 0;
    while let Some(&byte) = statement.get(at) {
        let rest = statement.get(at..).unwrap_or_default();
        let taken = match quote {
            Some(mark) => {
                if byte == b'\\' {
                    at += 2;
                    continue;
                }
                quote = Some(mark).filter(|mark| *mark != byte);
                0
            }
            None if matches!(byte, b'\'' | b'"' | b'`') => {
                quote = Some(byte);
                0
            }
            None if is_inside && rest.starts_with(b"*/") => {
                is_inside = false;
                2
            }
            None if rest.starts_with(b"/*!") || rest.starts_with(b"/*M!") => {
                if is_inside {
                    return None;
                }
                is_inside = true;
                opening_len(rest)?
            }
            // Their text is no SQL, so a quote in it begins nothing.
            None if rest.starts_with(b"/*") => {
                let end = rest.windows(2).skip(2).position(|pair| pair == b"*/")?;
                at += end + 4;
                continue;
            }
            None => 0,
        };
        for blank in out.iter_mut().skip(at).take(taken) {
            *blank = b' ';
        }
        at += taken.max(1);
    }
    (!is_inside).then_some(out)
}

/// Versions below this one, of MySQL and MariaDB, run in every engine. MariaDB does not run
/// comments for MySQL's versions from 5.7 on.
const MYSQL_VERSION_END: u32 = 50_700;
const MARIADB_VERSION_END: u32 = 100_000;

/// Length of the opening of a versioned comment. `None` if not every engine runs its content.
fn opening_len(rest: &[u8]) -> Option<usize> {
    let (mark, end) = match rest.starts_with(b"/*M!") {
        true => (4, MARIADB_VERSION_END),
        false => (3, MYSQL_VERSION_END),
    };
    let digits = rest.iter().skip(mark).take_while(|b| b.is_ascii_digit());
    let digits = digits.count();
    if digits == 0 {
        return Some(mark);
    }
    let text = std::str::from_utf8(rest.get(mark..mark + digits)?).ok()?;
    let version: u32 = text.parse().ok().filter(|_| digits == 5)?;
    (version < end).then_some(mark + digits)
}

/// Whether a statement with this beginning may begin with a versioned comment.
pub fn may_begin_with_version(beginning: &[u8]) -> bool {
    let start = beginning
        .iter()
        .position(|b| !b.is_ascii_whitespace())
        .unwrap_or(beginning.len());
    let rest = beginning.get(start..).unwrap_or_default();
    ["/*!", "/*M!"].iter().any(|mark| {
        let mark = mark.as_bytes();
        rest.starts_with(mark) || mark.starts_with(rest)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versioned_comments_that_every_engine_runs_are_opened() {
        for (statement, want) in [
            ("SHOW /*!50002 GLOBAL */ STATUS", Some("SHOW GLOBAL STATUS")),
            ("/*!40101 SHOW STATUS */", Some("SHOW STATUS")),
            ("/*! SHOW*/ STATUS", Some("SHOW STATUS")),
            ("/*M!50500 SHOW */ STATUS", Some("SHOW STATUS")),
            ("SHOW /* it's */ STATUS", Some("SHOW /* it's */ STATUS")),
            ("SELECT '/*!40101 a */'", Some("SELECT '/*!40101 a */'")),
            (
                "SELECT '\\'/*!40101 a */'",
                Some("SELECT '\\'/*!40101 a */'"),
            ),
            ("/*!50701 SHOW */ STATUS", None),
            ("/*!100100 SHOW */ STATUS", None),
            ("/*M!100100 SHOW */ STATUS", None),
            ("/*!40101 SHOW", None),
            ("/*!40101 a /*!40101 b */ */", None),
        ] {
            let opened = without_versioned_comments(statement.as_bytes());
            let words = opened.map(|text| {
                let text = String::from_utf8(text).unwrap();
                text.split_whitespace().collect::<Vec<_>>().join(" ")
            });
            assert_eq!(words.as_deref(), want, "{statement}");
        }
    }
}
