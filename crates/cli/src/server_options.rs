//! Options that a command line in a hint needs to reach the same server: `--data` or `--server`.
//! They are added in one place, so that no hint can lack them.

use crate::args::Global;
use std::ffi::OsString;

/// Beginning of every command line of this program.
const PROGRAM: &str = "tidegate ";
/// Commands that work on this machine only; with `--server` they fail.
const LOCAL_COMMANDS: [&str; 7] = [
    "serve", "up", "service", "trust", "config", "check", "profile",
];

/// The options as they were given.
#[derive(Debug, Clone, Default)]
pub struct ServerOptions {
    data: Option<String>,
    server: Option<String>,
}

impl ServerOptions {
    /// Returns the options of a command line that was read.
    pub fn of(global: &Global) -> Self {
        Self {
            data: global
                .data
                .as_ref()
                .map(|data| absolute(data.as_os_str().to_owned())),
            server: global.server.clone(),
        }
    }

    /// Returns the options in words that could not be read as a command line.
    pub fn of_words(words: impl IntoIterator<Item = OsString>) -> Self {
        let mut options = Self::default();
        let mut words = words.into_iter().take_while(|word| word != "--");
        while let Some(word) = words.next() {
            let text = word.to_string_lossy();
            if word == "--data" {
                options.data = words.next().map(absolute);
            } else if word == "--server" {
                options.server = words.next().map(|name| name.to_string_lossy().into_owned());
            } else if let Some(folder) = text.strip_prefix("--data=") {
                options.data = Some(absolute(folder.into()));
            } else if let Some(name) = text.strip_prefix("--server=") {
                options.server = Some(name.to_owned());
            }
        }
        options
    }

    /// Returns a text with these options in each command line in backticks.
    pub fn add_to(&self, text: &str) -> String {
        let span = |(index, span): (usize, &str)| match index % 2 {
            0 => span.to_owned(),
            _ => self.add_to_command(span),
        };
        let spans: Vec<String> = text.split('`').enumerate().map(span).collect();
        spans.join("`")
    }

    /// Returns a command line of this program with these options. Another text stays as it is.
    pub fn add_to_command(&self, line: &str) -> String {
        let Some(command) = after_sudo(line).strip_prefix(PROGRAM) else {
            return line.to_owned();
        };
        let is_given = |option: &str| command.split_whitespace().any(|word| word == option);
        if ["--data", "--server", "--help"].into_iter().any(is_given) {
            return line.to_owned();
        }
        let verb = command.split_whitespace().next().unwrap_or_default();
        let option = match (&self.server, &self.data) {
            (Some(_), _) if LOCAL_COMMANDS.contains(&verb) => return line.to_owned(),
            (Some(server), _) => format!(" --server {}", shell_word(server)),
            (None, Some(data)) => format!(" --data {}", shell_word(data)),
            (None, None) => return line.to_owned(),
        };
        // What follows `--` or a pipe belongs to another program.
        let end = [" -- ", " | "]
            .iter()
            .filter_map(|mark| line.find(mark))
            .min();
        let (own, rest) = line
            .split_at_checked(end.unwrap_or(line.len()))
            .unwrap_or((line, ""));
        format!("{own}{option}{rest}")
    }
}

/// Returns a command line without `sudo`, or `sudo -u USER`, before it.
fn after_sudo(line: &str) -> &str {
    let Some(rest) = line.strip_prefix("sudo ") else {
        return line;
    };
    let of_user = rest
        .strip_prefix("-u ")
        .and_then(|rest| rest.split_once(' '));
    of_user.map_or(rest, |(_, command)| command)
}

/// Returns a path that is also right in another working directory.
fn absolute(path: OsString) -> String {
    std::path::absolute(&path)
        .unwrap_or_else(|_| path.into())
        .display()
        .to_string()
}

/// Returns the text as one word of a shell command line, quoted if needed.
pub fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(words: &[&str]) -> ServerOptions {
        ServerOptions::of_words(words.iter().map(OsString::from))
    }

    #[test]
    fn a_word_survives_the_shell() {
        for (text, want) in [
            ("/a/b-c", "/a/b-c"),
            ("/a b", "'/a b'"),
            ("it's", "'it'\\''s'"),
            ("", "''"),
        ] {
            assert_eq!(shell_word(text), want);
        }
    }

    #[test]
    fn commands_in_a_hint_get_the_options_and_nothing_else_does() {
        let data = options(&["cluster", "--data", "/d"]);
        for (hint, want) in [
            ("", ""),
            ("run `tidegate up`", "run `tidegate up --data /d`"),
            (
                "`tidegate sql demo -- -t`, or `sudo tidegate trust install`; `DROP USER`",
                "`tidegate sql demo --data /d -- -t`, or `sudo tidegate trust install --data /d`; \
                 `DROP USER`",
            ),
            ("`tidegate up --data /x`", "`tidegate up --data /x`"),
            (
                "`sudo -u '#7' tidegate up`",
                "`sudo -u '#7' tidegate up --data /d`",
            ),
            ("tidegate is `tidegate`", "tidegate is `tidegate`"),
        ] {
            assert_eq!(data.add_to(hint), want);
        }
        let remote = options(&["--server=far"]);
        assert_eq!(
            remote.add_to("`tidegate cluster list`, `tidegate profile list`"),
            "`tidegate cluster list --server far`, `tidegate profile list`"
        );
        let none = options(&["sql", "demo", "--", "--data", "/d"]);
        assert_eq!(none.add_to("`tidegate up`"), "`tidegate up`");
    }
}
