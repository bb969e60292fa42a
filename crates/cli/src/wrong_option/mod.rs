//! Options and values that do not exist here. `clap` would suggest an option that only has similar
//! letters, or the wrong option as a value after `--`, which then fails in another way.

mod known_options;

use crate::args::Cli;
use crate::config::nearest::nearest;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory};
use known_options::{KNOWN_OPTIONS, KNOWN_VALUES};

/// Advice for a number below zero, which `clap` takes for an option.
const NEGATIVE: &str = "no option takes a number below zero";

/// Returns the error with advice that helps. `group`: the names of the command.
pub fn with_advice(mut error: clap::Error, group: &[String]) -> clap::Error {
    let advice = match error.kind() {
        ErrorKind::UnknownArgument => {
            let Some(option) = text_of(&error, ContextKind::InvalidArg) else {
                return error;
            };
            let advice = option_advice(group, &option);
            // An option of the client is right after `--`.
            let is_kept = advice.is_none() && is_near(&error, &option);
            if is_kept || !option.starts_with('-') {
                return error;
            }
            error.remove(ContextKind::SuggestedArg);
            // Its usage contains the option that `clap` suggested.
            if let Some(usage) = usage_of(group) {
                error.insert(ContextKind::Usage, ContextValue::StyledStr(usage));
            }
            advice
        }
        ErrorKind::InvalidValue => {
            let Some(advice) = value_advice(&error) else {
                return error;
            };
            error.remove(ContextKind::SuggestedValue);
            Some(advice)
        }
        _ => return error,
    };
    error.remove(ContextKind::Suggested);
    if let Some(advice) = advice {
        let advice = ContextValue::StyledStrs(vec![StyledStr::from(advice)]);
        error.insert(ContextKind::Suggested, advice);
    }
    error
}

fn text_of(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    }
}

/// Whether the option that `clap` suggests is a likely typing error.
fn is_near(error: &clap::Error, option: &str) -> bool {
    let Some(suggested) = text_of(error, ContextKind::SuggestedArg) else {
        return false;
    };
    nearest(option, std::iter::once(suggested.as_str())).is_some()
}

/// Returns the advice for an option that the command does not have.
fn option_advice(group: &[String], option: &str) -> Option<String> {
    let name = option.split('=').next().unwrap_or_default();
    let digits = name.strip_prefix('-')?;
    if digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return Some(NEGATIVE.to_owned());
    }
    let line = group.join(" ");
    let found = KNOWN_OPTIONS.iter().find(|known| {
        let mut commands = known.commands.split(',');
        let is_of_command = known.commands.is_empty() || commands.any(|command| command == line);
        is_of_command && known.options.split_whitespace().any(|o| o == name)
    });
    found.map(|known| known.advice.to_owned())
}

/// Returns the advice for a value that an argument does not take.
fn value_advice(error: &clap::Error) -> Option<String> {
    let argument = text_of(error, ContextKind::InvalidArg)?;
    let value = text_of(error, ContextKind::InvalidValue)?;
    let found = KNOWN_VALUES.iter().find(|known| {
        let mut values = known.values.split_whitespace();
        known.argument == argument && values.any(|v| v.eq_ignore_ascii_case(&value))
    });
    found.map(|known| known.advice.to_owned())
}

/// Returns the usage line of a command.
fn usage_of(group: &[String]) -> Option<StyledStr> {
    let mut root = Cli::command();
    root.build();
    Some(find(&mut root, group)?.render_usage())
}

fn find<'a>(root: &'a mut Command, group: &[String]) -> Option<&'a mut Command> {
    let mut command = root;
    for name in group {
        command = command.find_subcommand_mut(name)?;
    }
    Some(command)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn said(line: &str) -> String {
        let words = format!("tidegate {line}");
        let error = Cli::try_parse_from(words.split(' ')).unwrap_err();
        let group: Vec<String> = line
            .split(' ')
            .take(
                if line.starts_with(['c', 'u'])
                    && !line.starts_with("co")
                    && !line.starts_with("up")
                {
                    2
                } else {
                    1
                },
            )
            .map(str::to_owned)
            .collect();
        with_advice(error, &group).to_string()
    }

    use clap::Parser;

    #[test]
    fn an_option_of_another_program_gets_the_one_of_this_program() {
        for (line, want) in [
            ("sql demo -u root", "--user USER"),
            ("sql demo -p", "--password-file FILE"),
            ("sql demo -c x", "-e SQL"),
            ("sql demo -N", "`tidegate sql NAME -- --batch`"),
            ("logs --tail 5", "`-n N`"),
            ("logs --tail=5", "`-n N`"),
            ("logs -F", "`-f`"),
            ("logs -n -1", "below zero"),
            ("cluster set x --sleep-after -5s", "below zero"),
            ("cluster set x --protect on", "`--deletion-protection on`"),
            ("cluster delete x --force", "`--yes`"),
            ("user create d n --readonly", "`--role read-only`"),
            ("connect d --driver go", "`--with CLIENT`"),
            ("completion tcsh", "can't use any"),
            ("connect d --tls 1.1", "TLS 1.2"),
            ("up --port 5000", "`--listen ADDRESS:PORT`"),
            ("up --host x", "`--listen ADDRESS:PORT`"),
        ] {
            let text = said(line);
            let tips: Vec<_> = text.lines().filter(|l| l.contains("tip: ")).collect();
            assert_eq!(tips.len(), 1, "{line}: {text}");
            assert!(text.contains(want), "{line}: {text}");
        }
        // No advice is better than a wrong one, and a typing error is still found.
        let text = said("cluster set x --bogus");
        assert!(!text.contains("tip: "), "{text}");
        assert!(
            text.contains("Usage: tidegate cluster set [OPTIONS] <NAME>"),
            "{text}"
        );
        let text = said("cluster set x --memory-mx 1G");
        assert!(text.contains("'--memory-max'"), "{text}");
    }

    /// Names of the options that a command has.
    fn options_of(line: &str) -> BTreeSet<String> {
        let mut root = Cli::command();
        root.build();
        let group: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let command = find(&mut root, &group).unwrap();
        let mut names = BTreeSet::new();
        for arg in command.get_arguments() {
            let longs = arg.get_long_and_visible_aliases().unwrap_or_default();
            names.extend(longs.iter().map(|long| format!("--{long}")));
            let shorts = arg.get_short_and_visible_aliases().unwrap_or_default();
            names.extend(shorts.iter().map(|short| format!("-{short}")));
        }
        names
    }

    #[test]
    fn the_advice_names_options_that_exist_for_options_that_do_not() {
        for known in KNOWN_OPTIONS {
            for line in known.commands.split(',') {
                let names = options_of(line);
                if !line.is_empty() {
                    for option in known.options.split_whitespace() {
                        assert!(!names.contains(option), "{line} {option} exists");
                    }
                }
                for span in known.advice.split('`').skip(1).step_by(2) {
                    let (line, span) = match span.strip_prefix("tidegate ") {
                        Some(rest) => {
                            let is_verb =
                                |w: &&str| w.starts_with(|c: char| c.is_ascii_lowercase());
                            let verbs: Vec<_> = rest.split(' ').take_while(is_verb).collect();
                            (verbs.join(" "), rest.split(" -- ").next().unwrap())
                        }
                        None => (line.to_owned(), span),
                    };
                    let names = options_of(&line);
                    for word in span.split(' ').filter(|w| w.starts_with('-') && *w != "--") {
                        assert!(names.contains(word), "{line}: {word}: {}", known.advice);
                    }
                }
            }
        }
    }
}
