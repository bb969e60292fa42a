//! Whether what follows a secret on its line leaves no doubt where that ended: it reads without
//! remainder as keys and values of code or of a connection string. Never says what they mean.

use crate::explain::text::is_quote;

/// What may come next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    /// A value: a separator or a closing bracket.
    Value,
    /// A separator: a key, a value without one, or a bracket.
    Separator,
    /// A word that may be a key: what makes it one, or whatever follows a value.
    Word,
    /// The sign behind a key: its value.
    Sign,
}

/// Whether this reads without remainder. The keys beside the secret's own have the same sign behind
/// them, where that is known (`=`, `:`, or `>` for `=>`); those inside further brackets may have
/// any.
pub fn is_regular(rest: &str, sign: Option<char>) -> bool {
    let mut rest = rest;
    let mut depth = 0_usize;
    let mut state = After::Value;
    // The quote that stands round a whole connection string may close once.
    let mut outer = true;
    // In `User ID=` a key has two words.
    let mut spaced_keys = false;
    while let Some(c) = rest.chars().next() {
        let next = rest.get(c.len_utf8()..).unwrap_or_default();
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
            // Ruby's `ssl_mode: :verify_identity`.
            ':' if state == After::Sign => (After::Sign, next),
            _ if is_quote(c) && ended && outer && ends_a_string(next) => {
                outer = false;
                (After::Value, next)
            }
            _ if is_quote(c) && !ended => match string(next, c) {
                Some(after) => (behind(state), after),
                None => return false,
            },
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

/// What follows the word here; `PDO::ATTRIBUTE` is one, and `C:\\ca.pem`.
fn word(text: &str) -> &str {
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(of_word);
        match rest.strip_prefix("::") {
            Some(after) if after.starts_with(of_word) => rest = after,
            _ => match rest.strip_prefix(":\\") {
                Some(after) => rest = after,
                None => return rest,
            },
        }
    }
}

/// What follows the string that is open here, if nothing in it is of another quoting, and none of
/// the signs that no connection string is without.
fn string(text: &str, quote: char) -> Option<&str> {
    let (inside, after) = text.split_once(quote)?;
    let odd =
        inside.contains(|c: char| is_quote(c) || c == '@' || c == '=') || inside.contains("://");
    (!odd).then_some(after)
}

fn ends_a_string(after: &str) -> bool {
    after.trim_start().is_empty() || after.starts_with([',', ';', ')', ']', '}'])
}
