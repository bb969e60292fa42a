//! Finds the passwords of a command line: `-p`, `--password`, assignments before the program, and
//! words after any of them, which may be parts of a password with spaces. If anything but options
//! follows a password, the rest of the line is hidden.

use super::hidden::Hidden;
use crate::explain::command_line::CommandLine;
use crate::explain::keys::{KeyRole, normal, role};
use crate::explain::text::part;
use crate::explain::words::{self, LONG, SHORT};
use std::ops::Range;

/// Short options without a value, or whose value is never shown.
const FLAGS: &str = "ABCEGNefinqrstvwST";

/// Finds the ranges of a command line that may be secret.
pub fn find(text: &str, line: &CommandLine, out: &mut Hidden) {
    let mut arguments = Arguments {
        text,
        end: line.range.end,
        out,
        first: None,
        is_asked: false,
        option_since: false,
        odd: words::split(part(text, line.range.clone())).is_none(),
    };
    let (before, after) = line
        .words
        .split_at_checked(line.program)
        .unwrap_or_default();
    arguments.read(before);
    if let [_program, after @ ..] = after {
        arguments.read(after);
    }
    if let (Some(first), true) = (arguments.first, arguments.odd) {
        out.take(first..line.range.end);
    }
}

struct Arguments<'a> {
    text: &'a str,
    /// End of the command line.
    end: usize,
    out: &'a mut Hidden,
    /// Start of the first secret.
    first: Option<usize>,
    /// Whether a password option without a value precedes.
    is_asked: bool,
    /// Whether an option follows the last secret. A bare word before it may belong to the secret.
    option_since: bool,
    /// Whether something other than options follows it.
    odd: bool,
}

impl Arguments<'_> {
    fn read(&mut self, words: &[Range<usize>]) {
        let mut words = words.iter().cloned().peekable();
        while let Some(at) = words.next() {
            let word = part(self.text, at.clone());
            let word_is = Word::of(word);
            self.odd |= self.first.is_some() && !is_plain(word) && !matches!(word_is, Word::End);
            let value_follows = words
                .peek()
                .is_some_and(|next| !self.at(next).starts_with('-'));
            let takes_next = match word_is {
                Word::Secret(skip) => {
                    self.hide(at.start + skip..at.end);
                    skip == word.len() && value_follows
                }
                Word::Option { takes_value } => {
                    self.option_since = true;
                    if takes_value && value_follows {
                        words.next();
                    }
                    false
                }
                Word::Bare => {
                    if self.first.is_some() && !self.option_since {
                        self.hide(at);
                    }
                    false
                }
                // The words after it belong to another file or program.
                Word::End => {
                    self.out.take(at.start..self.end);
                    return;
                }
                // A password that begins with ` -- ` or ` - `, without quotes around it.
                Word::Other if self.is_asked => {
                    self.out.take(at.start..self.end);
                    return;
                }
                Word::Other => {
                    self.odd |= self.first.is_some();
                    false
                }
            };
            if takes_next && let Some(value) = words.next() {
                self.hide(value);
            }
        }
    }

    fn at(&self, range: &Range<usize>) -> &str {
        part(self.text, range.clone())
    }

    fn hide(&mut self, stretch: Range<usize>) {
        // A bare `-p` has no password.
        if stretch.is_empty() {
            self.is_asked = true;
            return;
        }
        self.option_since = false;
        self.first.get_or_insert(stretch.start);
        self.out.password = true;
        self.out.take(stretch);
    }
}

enum Word {
    /// A password begins after so many bytes of the word, or is the next word.
    Secret(usize),
    Option {
        takes_value: bool,
    },
    Bare,
    /// An operator of the shell: another file or program follows.
    End,
    /// Anything else.
    Other,
}

impl Word {
    fn of(word: &str) -> Self {
        if words::is_operator(word) {
            return Self::End;
        }
        let name_end = word.find('=').unwrap_or(word.len());
        let name = part(word, ..name_end);
        let secret = role(&normal(name)) == KeyRole::Password;
        let value_at = if name_end < word.len() {
            name_end + 1
        } else {
            word.len()
        };
        let Some(short) = word.strip_prefix('-') else {
            let is_secret = secret && value_at < word.len();
            return if is_secret {
                Self::Secret(value_at)
            } else {
                Self::Bare
            };
        };
        if let Some(long) = name.strip_prefix("--") {
            let named = !long.is_empty()
                && long
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c));
            return match (named, secret) {
                (_, true) => Self::Secret(value_at),
                (true, false) => Self::Option {
                    takes_value: value_at == word.len() && LONG.contains(&normal(long).as_str()),
                },
                (false, false) => Self::Other,
            };
        }
        match short.chars().next() {
            Some('p') => Self::Secret(2),
            Some(letter) if SHORT.iter().any(|(short, _)| *short == letter) => Self::Option {
                takes_value: short.len() == 1,
            },
            Some(letter) if FLAGS.contains(letter) => Self::Option { takes_value: false },
            _ => Self::Other,
        }
    }
}

/// Whether the word has only characters without a meaning in a shell or another form.
fn is_plain(word: &str) -> bool {
    word.starts_with("-p")
        || word
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._/:=,'\"%+~-".contains(c))
}
