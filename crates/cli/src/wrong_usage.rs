//! Arguments that can't be read as a command line. `clap` finds them; this file chooses what is
//! said about a wrong verb, and says everything as JSON if JSON was asked for.

use crate::args::{Cli, OutputFormat};
use crate::commands::version;
use crate::failure::{Failure, ReportForm, report};
use crate::limits::CHECK_PAUSE_TEXT;
use crate::option_words::with_single_values;
use crate::screen;
use crate::server_options::ServerOptions;
use crate::{wrong_option, wrong_verb};
use clap::builder::NonEmptyStringValueParser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, CommandFactory, FromArgMatches};
use std::any::TypeId;
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
    let words = with_single_values(words, CHECK_PAUSE_TEXT);
    let matches = grammar()
        .try_get_matches_from(std::iter::once(&program).chain(&words))
        .map_err(|error| wrong_option::with_advice(error, &group_of(&words)))?;
    let mut cli = Cli::from_arg_matches(&matches)?;
    cli.global.json |= cli.global.output == Some(OutputFormat::Json);
    Ok(cli)
}

/// Returns the grammar, in which no text is empty: an empty variable of a shell would otherwise be
/// sent to the server as the name of a cluster, a user or a key.
fn grammar() -> Command {
    without_empty_texts(Cli::command())
}

fn without_empty_texts(command: Command) -> Command {
    command
        .mut_args(|arg| match takes_any_text(&arg) {
            true => arg.value_parser(NonEmptyStringValueParser::new()),
            false => arg,
        })
        .mut_subcommands(without_empty_texts)
}

/// Whether an argument takes any text. What follows `--` belongs to another program.
fn takes_any_text(arg: &Arg) -> bool {
    arg.get_action().takes_values()
        && !arg.is_last_set()
        && arg.get_possible_values().is_empty()
        && arg.get_value_parser().type_id() == TypeId::of::<String>()
}

fn print_error(error: &clap::Error, words: &[OsString]) -> ExitCode {
    let json = asks_for_json(words);
    if json && error.kind() == ErrorKind::DisplayVersion {
        return match version::print(true) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    }
    if !error.use_stderr() {
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
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

    /// Returns a value that the argument accepts.
    fn sample(arg: &Arg) -> String {
        if let Some(value) = arg.get_possible_values().first() {
            return value.get_name().to_owned();
        }
        let name = arg.get_value_names().and_then(|names| names.first());
        let text = match name.map_or("", |name| name.as_str()) {
            "N" | "ID" | "PORT" | "DAYS" | "id" => "60",
            "SECONDS" => "60",
            "TIME" => "5m",
            "SIZE" => "512M",
            "STATE" => "awake",
            "on|off" => "on",
            "NAME=VALUE" => "a=b",
            "ADDR" | "ADDRESS" => "127.0.0.1:4000",
            _ => "x",
        };
        text.to_owned()
    }

    /// Returns the words of a command line in which one argument has this value.
    fn line_with(path: &[String], command: &Command, id: &clap::Id, value: &str) -> Vec<OsString> {
        let mut words: Vec<String> = path.to_vec();
        for arg in command.get_arguments().filter(|arg| !arg.is_last_set()) {
            let is_wanted = arg.get_id() == id;
            let is_needed = arg.is_required_set() || arg.is_positional() && id != "explain";
            if !is_wanted && !is_needed {
                continue;
            }
            let text = if is_wanted {
                value.to_owned()
            } else {
                sample(arg)
            };
            match arg.get_long() {
                Some(long) => words.push(format!("--{long}={text}")),
                None => words.push(text),
            }
        }
        words.into_iter().map(OsString::from).collect()
    }

    fn check_empty_values(path: &[String], command: &Command, checked: &mut usize) {
        for arg in command.get_arguments() {
            if !arg.get_action().takes_values() || arg.is_last_set() {
                continue;
            }
            let right = line_with(path, command, arg.get_id(), &sample(arg));
            let read = parse(&right);
            assert!(read.is_ok(), "{right:?}: {}", read.unwrap_err());
            let wrong = line_with(path, command, arg.get_id(), "");
            let failure = failure_of(&parse(&wrong).unwrap_err(), &wrong);
            let name = match (arg.get_long(), arg.get_value_names()) {
                (Some(long), _) => format!("--{long}"),
                (None, Some([name, ..])) => name.to_string(),
                (None, _) => arg.get_id().to_string().to_uppercase(),
            };
            assert!(failure.is_usage(), "{wrong:?}");
            assert!(
                failure.cause.contains(&name),
                "{wrong:?}: {}",
                failure.cause
            );
            *checked += 1;
        }
        for next in command.get_subcommands() {
            let mut path = path.to_vec();
            path.push(next.get_name().to_owned());
            check_empty_values(&path, next, checked);
        }
    }

    #[test]
    fn an_empty_value_of_any_argument_is_wrong_usage() {
        let mut checked = 0;
        let root = grammar();
        for command in root.get_subcommands() {
            check_empty_values(&[command.get_name().to_owned()], command, &mut checked);
        }
        assert!(checked > 80, "{checked}");
        // Options of all commands, and arguments for another program.
        for option in ["--data=", "--config=", "--server="] {
            assert!(
                parse(&words(&format!("status {option}"))).is_err(),
                "{option}"
            );
        }
        assert!(parse(&words("cluster set x --ip-allow 10.0.0.1,,10.0.0.2")).is_err());
        // A value never swallows the argument after it.
        for line in [
            "cluster set --ip-allow 10.0.0.0/8 demo",
            "cluster set --ip-allow 10.0.0.0/8 ::1 demo",
            "cluster set demo --ip-allow 10.0.0.0/8 ::1",
            "cluster set demo --ip-allow 10.0.0.0/8 --ip-allow ::1,::2",
            "check --watch db.example.com:4000",
        ] {
            assert!(parse(&words(line)).is_ok(), "{line}");
        }
        assert!(parse(&["sql", "x", "--", ""].map(OsString::from)).is_ok());
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
            assert!(failure.is_usage());
        }
    }
}
