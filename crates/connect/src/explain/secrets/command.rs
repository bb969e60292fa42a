//! The passwords of a command line: `-p`, `--password`, assignments before the program, and bare
//! words behind any of them, which may be pieces of a password that was typed with blanks in it.
//! Never trusts the rest of a line in which anything else than options stands.

use super::hidden::Hidden;
use crate::explain::keys::{Role, normal, role};
use crate::explain::words::{self, LONG, SHORT};
use std::ops::Range;

/// Short options that take no value, or one that is never shown.
const FLAGS: &str = "ABCEGNefnqstv";

/// The stretches of a command line that may be secret.
pub fn find(text: &str, out: &mut Hidden) {
    let Some((words, program, _)) = words::program(text) else {
        return;
    };
    let mut arguments = Arguments {
        text,
        out,
        first: None,
        odd: words::split(text).is_none(),
    };
    let (before, after) = words.split_at_checked(program).unwrap_or_default();
    arguments.read(before);
    arguments.read(after.get(1..).unwrap_or_default());
    if let (Some(first), true) = (arguments.first, arguments.odd) {
        out.take(first..text.len());
    }
}

struct Arguments<'a> {
    text: &'a str,
    out: &'a mut Hidden,
    /// Where the first secret begins.
    first: Option<usize>,
    /// Behind it stands what is no option.
    odd: bool,
}

impl Arguments<'_> {
    fn read(&mut self, words: &[Range<usize>]) {
        let mut words = words.iter().cloned().peekable();
        while let Some(at) = words.next() {
            let word = self.text.get(at.clone()).unwrap_or_default();
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
                    if takes_value && value_follows {
                        words.next();
                    }
                    false
                }
                Word::Bare => {
                    if self.first.is_some() {
                        self.hide(at);
                    }
                    false
                }
                // Whatever stands behind it is no option of this program.
                Word::End => {
                    self.out.take(at.start..self.text.len());
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
        self.text.get(range.clone()).unwrap_or_default()
    }

    fn hide(&mut self, stretch: Range<usize>) {
        self.first.get_or_insert(stretch.start);
        self.out.password |= !stretch.is_empty();
        self.out.take(stretch);
    }
}

enum Word {
    /// A password stands behind so many bytes of it, or is the next word.
    Secret(usize),
    Option {
        takes_value: bool,
    },
    Bare,
    /// The shell's own: what follows is another file or program.
    End,
    /// What should not be there.
    Other,
}

impl Word {
    fn of(word: &str) -> Self {
        if ["<", ">", "|", "&&", ";"].contains(&word) {
            return Self::End;
        }
        let name_end = word.find('=').unwrap_or(word.len());
        let name = word.get(..name_end).unwrap_or_default();
        let secret = role(&normal(name)) == Role::Password;
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

/// Without anything that a shell or another form gives a meaning.
fn is_plain(word: &str) -> bool {
    word.starts_with("-p")
        || word
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._/:=,'\"%+~-".contains(c))
}
