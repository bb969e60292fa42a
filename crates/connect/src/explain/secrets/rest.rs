//! Checks the rest of a line after a secret: if it consists of keys and values of code or of a
//! connection string, the secret's end is certain.

use crate::explain::text::{is_quote, part};

/// State: what may come next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    /// After a value: a separator or a closing bracket.
    Value,
    /// After a separator: a key, a value without a key, or a bracket.
    Separator,
    /// After a word that may be a key: its sign, or whatever may follow a value.
    Word,
    /// After the sign of a key: its value.
    Sign,
}

/// Whether the text consists of keys and values. Keys on the secret's level must have the same
/// sign, if that is known (`=`, `:`, or `>` for `=>`); those inside further brackets may have any.
pub fn is_regular(rest: &str, sign: Option<char>) -> bool {
    let mut rest = rest;
    let mut depth = 0_usize;
    let mut state = After::Value;
    // The quote around a whole connection string may close once.
    let mut outer = true;
    // In `User ID=` the key has two words.
    let mut spaced_keys = false;
    while let Some(c) = rest.chars().next() {
        let next = part(rest, c.len_utf8()..);
        let ended = matches!(state, After::Value | After::Word);
        (state, rest) = match c {
            _ if c.is_whitespace() => (state, next),
            ',' | ';' | '&' => {
                spaced_keys = c == ';';
                (After::Separator, next)
            }
            ')' | ']' | '}' => {
                depth = depth.saturating_sub(1);
                (After::Value, next)
            }
            '{' | '[' | '(' if !ended || c == '(' => {
                depth += 1;
                (After::Separator, next)
            }
            '=' | ':' if state == After::Word && !next.starts_with("//") => {
                let arrow = next.strip_prefix('>');
                if depth == 0 && sign.is_some_and(|sign| sign != arrow.map_or(c, |_| '>')) {
                    return false;
                }
                (After::Sign, arrow.unwrap_or(next))
            }
            // Ruby's symbols: `ssl_mode: :verify_identity`.
            ':' if state == After::Sign => (After::Sign, next),
            _ if is_quote(c) && ended && outer && ends_a_string(next) => {
                outer = false;
                (After::Value, next)
            }
            _ if is_quote(c) && !ended => match string(next, c) {
                Some(after) => (behind(state), after),
                None => return false,
            },
            // In a `;` list a value may have blanks: `TlsVersion=TLS 1.3`.
            _ if of_word(c) && state == After::Value && spaced_keys => (state, word(rest)),
            _ if of_word(c) && (!ended || state == After::Word && spaced_keys) => {
                (behind(state), word(rest))
            }
            _ => return false,
        };
    }
    true
}

fn behind(state: After) -> After {
    if state == After::Sign {
        After::Value
    } else {
        After::Word
    }
}

fn of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_.$/\\%+*~-".contains(c)
}

/// Returns the text after the word that begins here. `PDO::ATTRIBUTE` and `C:\\ca.pem` are one
/// word.
fn word(text: &str) -> &str {
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(of_word);
        match rest.strip_prefix("::") {
            Some(after) if after.starts_with(of_word) => rest = after,
            _ => match rest.strip_prefix(":\\").or_else(|| file_url(text, rest)) {
                Some(after) => rest = after,
                None => return rest,
            },
        }
    }
}

/// Returns the text after `file:`, the beginning of a keystore's address.
fn file_url<'a>(word: &str, after: &'a str) -> Option<&'a str> {
    let name = part(word, ..word.len() - after.len());
    after.strip_prefix(':').filter(|_| name == "file")
}

/// Returns the text after the quoted string that is open here. None if the string contains another
/// quote, or a sign that every connection string has.
fn string(text: &str, quote: char) -> Option<&str> {
    let (inside, after) = text.split_once(quote)?;
    let odd =
        inside.contains(|c: char| is_quote(c) || c == '@' || c == '=') || inside.contains("://");
    (!odd).then_some(after)
}

fn ends_a_string(after: &str) -> bool {
    after.trim_start().is_empty() || after.starts_with([',', ';', ')', ']', '}'])
}
