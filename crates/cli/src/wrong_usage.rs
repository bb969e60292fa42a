//! Arguments that can't be read as a command line. `clap` finds them; this file chooses what is
//! said about a wrong verb, and says everything as JSON if JSON was asked for.

use crate::args::{Cli, OutputFormat};
use crate::failure::{Failure, ReportForm, report};
use crate::screen;
use crate::server_options::ServerOptions;
use crate::wrong_verb;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser};
use std::ffi::OsString;
use std::process::ExitCode;

/// Reads the process's arguments. After help or wrong usage, which are printed, returns the exit
/// code.
pub fn read_arguments() -> Result<Cli, ExitCode> {
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    match parse(&words) {
        Ok(cli) => Ok(cli),
        Err(error) => Err(print_error(&error, &words)),
    }
}

/// Reads the words after the program's name.
fn parse(words: &[OsString]) -> Result<Cli, clap::Error> {
    let program = OsString::from("tidegate");
    let mut cli = Cli::try_parse_from(std::iter::once(&program).chain(words))?;
    cli.global.json |= cli.global.output == Some(OutputFormat::Json);
    Ok(cli)
}

fn print_error(error: &clap::Error, words: &[OsString]) -> ExitCode {
    if !error.use_stderr() {
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let json = asks_for_json(words);
    if !json && error.kind() != ErrorKind::InvalidSubcommand {
        let _ = error.print();
        return ExitCode::from(2);
    }
    let form = ReportForm {
        json,
        options: ServerOptions::of_words(words.iter().cloned()),
    };
    let (text, code) = report(&failure_of(error, words).into(), &form);
    screen::say(text.trim_end());
    code
}

/// Returns the failure for an error of `clap`.
fn failure_of(error: &clap::Error, words: &[OsString]) -> Failure {
    let group = group_of(words);
    if error.kind() == ErrorKind::InvalidSubcommand
        && let Some(ContextValue::String(verb)) = error.get(ContextKind::InvalidSubcommand)
    {
        return wrong_verb::failure(&group, verb);
    }
    let help = format!("`{} --help` shows the usage", line_of(&group));
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return Failure::usage("a command is missing", help);
    }
    let text = error.to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let first: Vec<&str> = text
        .lines()
        .map(str::trim)
        // An empty line separates clap's reason from its usage and tips.
        .take_while(|line| !line.is_empty())
        .collect();
    let tip = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("tip: "));
    let hint = match tip {
        Some(tip) => format!("{tip}; {help}"),
        None => help,
    };
    Failure::usage(first.join(" "), hint)
}

/// Returns the command line of a group of commands.
pub fn line_of(group: &[String]) -> String {
    std::iter::once("tidegate")
        .chain(group.iter().map(String::as_str))
        .collect::<Vec<_>>()
        .join(" ")
}

/// Returns the names of the commands that the words begin with, such as `cluster`.
fn group_of(words: &[OsString]) -> Vec<String> {
    let mut command = &Cli::command();
    let mut group = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if let Some(next) = command.find_subcommand(word) {
            group.push(next.get_name().to_owned());
            command = next;
        } else if ["--data", "--config", "--server", "--output", "-o"]
            .iter()
            .any(|option| word == option)
        {
            words.next();
        } else if !word.to_string_lossy().starts_with('-') {
            break;
        }
    }
    group
}

/// Whether words that could not be read ask for JSON.
fn asks_for_json(words: &[OsString]) -> bool {
    let mut before = "";
    for word in words.iter().take_while(|word| *word != "--") {
        let word = word.to_str().unwrap_or_default();
        let is_value = ["-o", "--output", "--format"].contains(&before) && word == "json";
        let is_whole = [
            "--json",
            "-ojson",
            "-o=json",
            "--output=json",
            "--format=json",
        ];
        if is_value || is_whole.contains(&word) {
            return true;
        }
        before = word;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn json_can_be_asked_for_in_every_form() {
        for (line, want) in [
            ("cluster list --json", true),
            ("-o json cluster ls", true),
            ("cluster ls -ojson", true),
            ("cluster ls --output=json", true),
            ("cluster ls -o text", false),
            ("-o table cluster ls", false),
            ("cluster ls", false),
        ] {
            assert_eq!(parse(&words(line)).unwrap().global.json, want, "{line}");
            assert_eq!(
                asks_for_json(&words(&format!("{line} --bogus"))),
                want,
                "{line}"
            );
        }
        assert!(!asks_for_json(&words("sql demo -- --json")));
    }

    #[test]
    fn wrong_usage_names_the_fault_and_the_help_page() {
        for (line, cause, hint) in [
            (
                "cluster show",
                "the following required arguments were not provided: <NAME>",
                "`tidegate cluster show --help` shows the usage",
            ),
            (
                "--data cluster session",
                "a command is missing",
                "`tidegate session --help` shows the usage",
            ),
            (
                "cluster list --bogus",
                "unexpected argument '--bogus' found",
                "`tidegate cluster list --help` shows the usage",
            ),
        ] {
            let failure = failure_of(&parse(&words(line)).unwrap_err(), &words(line));
            assert_eq!(
                (failure.cause.as_str(), failure.hint.as_str()),
                (cause, hint)
            );
            assert!(failure.usage);
        }
    }
}
