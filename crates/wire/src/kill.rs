//! Statements of the form `KILL [HARD|SOFT] [CONNECTION|QUERY] <integer>`: recognised, and
//! rewritten with another number. All other statements are left alone, also other forms of KILL.

use std::ops::Range;

/// KILL statement that names a session by a plain number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kill {
    /// Position of the number in the statement, with its sign.
    pub target_range: Range<usize>,
    /// A negative number of 32 bits, also if it was extended to 64 bits and is written without
    /// sign, is taken for the unsigned number with the same 32 bits.
    pub id: u64,
    /// Whether it is KILL QUERY, which ends the statement and keeps the session.
    pub query: bool,
}

/// Parses a whole statement. `None` if it is not a plain KILL.
pub fn parse(statement: &[u8]) -> Option<Kill> {
    let mut scan = Scan { rest: statement };
    scan.blank()?;
    if !scan.word()?.eq_ignore_ascii_case(b"KILL") {
        return None;
    }
    scan.blank()?;
    let mut query = false;
    if let Some(word) = scan.word() {
        let strength = word.eq_ignore_ascii_case(b"HARD") || word.eq_ignore_ascii_case(b"SOFT");
        let scope = if strength {
            scan.blank()?;
            scan.word()
        } else {
            Some(word)
        };
        if let Some(word) = scope {
            query = word.eq_ignore_ascii_case(b"QUERY");
            if !query && !word.eq_ignore_ascii_case(b"CONNECTION") {
                return None;
            }
        }
        scan.blank()?;
    }
    let start = statement.len() - scan.rest.len();
    let negative = scan.rest.starts_with(b"-");
    scan.eat(b"-");
    let digits = std::str::from_utf8(scan.digits()?).ok()?;
    let target_range = start..statement.len() - scan.rest.len();
    let id = match negative {
        false => without_extension(digits.parse().ok()?),
        true => {
            let negative = 0i64.checked_sub_unsigned(digits.parse().ok()?)?;
            u64::from(i32::try_from(negative).ok()?.cast_unsigned())
        }
    };
    scan.blank()?;
    scan.eat(b";");
    scan.blank()?;
    scan.rest.is_empty().then_some(Kill {
        target_range,
        id,
        query,
    })
}

/// Returns the id with its low 32 bits only, if it is a negative number of 32 bits that a client
/// has extended to 64 bits.
fn without_extension(id: u64) -> u64 {
    const HIGH: u64 = !(i32::MAX as u64);
    match id & HIGH == HIGH {
        true => id & u64::from(u32::MAX),
        false => id,
    }
}

/// Returns the statement with another number. A statement that is not a plain KILL is returned
/// unchanged.
pub fn rewrite(statement: &[u8], new_id: u64) -> Vec<u8> {
    let Some(Range { start, end }) = parse(statement).map(|kill| kill.target_range) else {
        return statement.to_vec();
    };
    match (statement.get(..start), statement.get(end..)) {
        (Some(before), Some(after)) => {
            // In `KILL-5`, only the sign that is replaced is between keyword and number.
            let glued = before.last().is_some_and(u8::is_ascii_alphabetic);
            let blank: &[u8] = if glued { b" " } else { b"" };
            [before, blank, new_id.to_string().as_bytes(), after].concat()
        }
        _ => statement.to_vec(),
    }
}

/// Whether a statement with this beginning may be a plain KILL once it is complete. Most other
/// statements are recognised by their first letter.
pub(crate) fn may_be_kill(beginning: &[u8]) -> bool {
    may_begin_with(beginning, b"KILL")
}

/// Whether a statement with this beginning may have this keyword as its first word.
pub(crate) fn may_begin_with(beginning: &[u8], keyword: &[u8]) -> bool {
    let mut scan = Scan { rest: beginning };
    if scan.blank().is_none() {
        return scan.comment_open();
    }
    let rest = scan.rest;
    let word = rest
        .iter()
        .zip(keyword)
        .take_while(|(a, b)| a.eq_ignore_ascii_case(b))
        .count();
    match (word, rest.get(word)) {
        // The input ends inside the word or right behind it.
        (_, None) => true,
        // The input ends inside the beginning of a comment.
        (0, _) if matches!(rest, b"/" | b"-" | b"--") => true,
        (all, Some(b)) if all == keyword.len() => is_space(*b) || matches!(b, b'/' | b'-' | b'#'),
        _ => false,
    }
}

/// Scanner of a statement.
pub(crate) struct Scan<'a> {
    /// Bytes that are still to be read.
    rest: &'a [u8],
}

impl<'a> Scan<'a> {
    pub fn new(statement: &'a [u8]) -> Self {
        Self { rest: statement }
    }

    /// Takes this keyword and the blank behind it.
    pub fn keyword(&mut self, keyword: &[u8]) -> Option<()> {
        let word = self.word()?;
        word.eq_ignore_ascii_case(keyword).then_some(())?;
        self.blank()
    }

    /// Takes this token if it comes next. Returns whether it did.
    pub fn take_token(&mut self, token: &[u8]) -> bool {
        let before = self.rest.len();
        self.eat(token);
        self.rest.len() < before
    }

    /// Takes the bytes that belong.
    pub fn take_while(&mut self, belongs: fn(&u8) -> bool) -> &'a [u8] {
        let len = self.rest.iter().take_while(|b| belongs(b)).count();
        self.take(len).unwrap_or_default()
    }

    /// Whether one of these bytes comes next.
    pub fn starts_with_any(&self, bytes: &[u8]) -> bool {
        self.rest.first().is_some_and(|b| bytes.contains(b))
    }

    /// Whether nothing is left but the end of the statement.
    pub fn is_at_end(&self) -> bool {
        Scan { rest: self.rest }.end().is_some()
    }

    /// Returns the bytes that are still to be read.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Takes the end of the statement.
    pub fn end(&mut self) -> Option<()> {
        self.blank()?;
        self.eat(b";");
        self.blank()?;
        self.rest.is_empty().then_some(())
    }

    fn eat(&mut self, token: &[u8]) {
        self.rest = self.rest.strip_prefix(token).unwrap_or(self.rest);
    }

    fn skip_spaces(&mut self) {
        while let [space, rest @ ..] = self.rest
            && is_space(*space)
        {
            self.rest = rest;
        }
    }

    /// Skips white space and comments. `None` at an executable comment, and at a block comment
    /// without an end.
    pub fn blank(&mut self) -> Option<()> {
        loop {
            self.skip_spaces();
            let comment = if is_line_comment(self.rest) {
                self.rest
                    .iter()
                    .position(|b| *b == b'\n')
                    .map_or(self.rest.len(), |end| end + 1)
            } else if let Some(body) = self.rest.strip_prefix(b"/*") {
                if is_executable(self.rest) {
                    return None;
                }
                // Opening and closing mark have two bytes each.
                body.windows(2).position(|w| w == b"*/")? + 4
            } else {
                return Some(());
            };
            self.take(comment)?;
        }
    }

    /// Whether [`Self::blank`] has stopped at a block comment that only lacks its end.
    fn comment_open(&self) -> bool {
        self.rest.starts_with(b"/*") && !is_executable(self.rest)
    }

    /// Takes a word of letters, behind which a blank, a comment or the end follows.
    pub fn word(&mut self) -> Option<&'a [u8]> {
        self.run_of(u8::is_ascii_alphabetic)
    }

    /// Takes a number, behind which a blank, a comment or the end follows.
    fn digits(&mut self) -> Option<&'a [u8]> {
        self.run_of(u8::is_ascii_digit)
    }

    fn run_of(&mut self, belongs: fn(&u8) -> bool) -> Option<&'a [u8]> {
        let len = self.rest.iter().take_while(|b| belongs(b)).count();
        // `5x` and `5.5` are expressions to the engine, not ids.
        if len == 0 || self.rest.get(len).is_some_and(|b| is_word(*b)) {
            return None;
        }
        self.take(len)
    }

    pub fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }
}

fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\t'..=b'\r')
}

/// Whether this byte continues a word or a number.
fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'$' | b'.') || b >= 0x80
}

fn is_line_comment(rest: &[u8]) -> bool {
    match rest {
        [b'#', ..] => true,
        [b'-', b'-', then, ..] => is_space(*then) || then.is_ascii_control(),
        _ => false,
    }
}

/// Whether this is `/*! ... */` or `/*M! ... */`, whose content the engine runs.
fn is_executable(rest: &[u8]) -> bool {
    rest.starts_with(b"/*!") || rest.starts_with(b"/*M!")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &[(&str, u64, bool)] = &[
        ("KILL 2147483653", 2_147_483_653, false),
        ("kill 7", 7, false),
        ("KILL QUERY 7", 7, true),
        ("KILL CONNECTION 7", 7, false),
        ("kill /*c*/ query 7", 7, true),
        ("KILL HARD 7", 7, false),
        ("KILL SOFT QUERY 7", 7, true),
        ("KILL HARD CONNECTION 7;", 7, false),
        ("/* ApplicationName=x */ KILL QUERY 7", 7, true),
        ("-- note\nKILL 7", 7, false),
        ("# note\n  KILL\t\n7 ; \n", 7, false),
        ("KILL/**/7", 7, false),
        ("KILL/* a *//* b */QUERY/**/7/**/", 7, true),
        ("KILL 7 -- bye", 7, false),
        ("KILL 007", 7, false),
        ("KILL 18446744073709551615", 4_294_967_295, false),
        ("KILL 18446744071562067985", 2_147_483_665, false),
        (
            "KILL 18446744071562067967",
            18_446_744_071_562_067_967,
            false,
        ),
        ("KILL QUERY -2147483631", 2_147_483_665, true),
        ("KILL -2147483648", 1 << 31, false),
        ("KILL -1;", 4_294_967_295, false),
        ("KILL-7", 4_294_967_289, false),
        ("KILL QUERY/**/-7", 4_294_967_289, true),
    ];

    const OTHER: &[&str] = &[
        "",
        ";",
        "SELECT 1",
        "KILL",
        "KILL QUERY",
        "KILL USER root",
        "KILL QUERY ID 7",
        "KILL TIDB 7",
        "KILL (7)",
        "KILL 7+1",
        "KILL - 7",
        "KILL +7",
        "KILL -2147483649",
        "KILL -4294967295",
        "KILL -18446744073709551615",
        "KILL -7.0",
        "KILL 5-7",
        "KILL 7.0",
        "KILL 7a",
        "KILL 0x7",
        "KILL7",
        "KILLQUERY 7",
        "KILL QUERY7",
        "KILL HARD SOFT 7",
        "KILL QUERY CONNECTION 7",
        "KILL @id",
        "KILL ?",
        "KILL 7; SELECT 1",
        "KILL 7;;",
        "KILL 7 8",
        "/*! KILL 7 */",
        "/*!50000 KILL */ 7",
        "/*M! KILL */ 7",
        "KILL /*! QUERY */ 7",
        "KILL 7 /*! +1 */",
        "KILL /* 7",
        "KILL --7",
        "KILL\u{a0}7",
        "KILL 18446744073709551616",
        "XKILL 7",
        "/KILL 7",
    ];

    #[test]
    fn case_72_plain_forms_are_read() {
        for (text, id, query) in PLAIN {
            let kill = parse(text.as_bytes()).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((kill.id, kill.query), (*id, *query), "{text}");
        }
    }

    #[test]
    fn case_72_other_forms_are_left_alone() {
        for text in OTHER {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
            assert_eq!(rewrite(text.as_bytes(), 1), text.as_bytes());
        }
    }

    #[test]
    fn case_72_only_the_number_is_rewritten() {
        assert_eq!(
            rewrite(b"KILL QUERY-2147483641", 12),
            b"KILL QUERY 12",
            "a number that had only its sign before it"
        );
        assert_eq!(
            rewrite(b"/* 7 */ kill query 2147483655 -- 7", 12),
            b"/* 7 */ kill query 12 -- 7"
        );
        assert_eq!(rewrite(b"KILL -7 -- 7", 12), b"KILL 12 -- 7");
    }

    #[test]
    fn case_72_every_beginning_of_a_plain_form_may_become_a_kill() {
        for (text, ..) in PLAIN {
            for cut in 0..=text.len() {
                assert!(may_be_kill(&text.as_bytes()[..cut]), "{text} cut at {cut}");
            }
        }
    }

    #[test]
    fn other_statements_are_recognised_at_once() {
        let others: &[&[u8]] = &[
            b"S",
            b"COMMIT",
            b"KIND",
            b"KILLER 1",
            b"/*! KILL 1 */",
            b"/* c */ SELECT",
            b"/+ ",
            b"--x",
        ];
        for text in others {
            assert!(!may_be_kill(text), "{}", String::from_utf8_lossy(text));
        }
    }
}
