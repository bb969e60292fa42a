//! Finds the command line of mysql, mariadb, mycli or a related program in a text: the text itself,
//! or a line of a script, a workflow or a unit, also behind `docker run` and `sh -c`.

use super::text::{is_quote, part};
use super::words::{blanks, split};
use std::ops::Range;

/// Known programs, and the client whose options they have.
const PROGRAMS: &[(&str, &str)] = &[
    ("mysql", "mysql"),
    ("mysqldump", "mysql"),
    ("mysqladmin", "mysql"),
    ("mysqlimport", "mysql"),
    ("mysqlshow", "mysql"),
    ("mysqlcheck", "mysql"),
    ("mysqlslap", "mysql"),
    ("mysqlpump", "mysql"),
    ("mysqlsh", "mysql"),
    ("mariadb", "mariadb"),
    ("mariadb-dump", "mariadb"),
    ("mariadb-admin", "mariadb"),
    ("mariadb-import", "mariadb"),
    ("mariadb-show", "mariadb"),
    ("mariadb-check", "mariadb"),
    ("mycli", "mycli"),
];

/// Words that may precede a program: of a shell, and of the files that contain command lines.
const BEFORE: [&str; 28] = [
    "$",
    "#",
    ">",
    "-",
    "|",
    ">-",
    "|-",
    "&&",
    "!",
    "if",
    "while",
    "until",
    "do",
    "then",
    "sudo",
    "exec",
    "env",
    "export",
    "time",
    "nohup",
    "run:",
    "command:",
    "script:",
    "RUN",
    "CMD",
    "ExecStart=",
    "ExecStartPre=",
    "@daily",
];

/// Keys whose value is a command line, in workflows and compose files.
const KEYS: [&str; 3] = ["run:", "command:", "script:"];

/// Programs that start another one, which is one of their arguments.
const WRAPPERS: [&str; 14] = [
    "docker",
    "docker-compose",
    "podman",
    "nerdctl",
    "kubectl",
    "oc",
    "ssh",
    "sh",
    "bash",
    "watch",
    "timeout",
    "xargs",
    "nsenter",
    "flatpak",
];

/// Depth of `sh -c "sh -c ..."` that is followed.
const DEPTH_MAX: usize = 3;

/// A command line in a text.
pub struct CommandLine {
    /// Range of the text that belongs to it.
    pub range: Range<usize>,
    pub words: Vec<Range<usize>>,
    /// Index of the program in the words.
    pub program: usize,
    /// The client whose options the program has.
    pub client: &'static str,
}

/// Finds the first command line of a text: the whole text if it begins with one, otherwise a line.
pub fn find(text: &str) -> Option<CommandLine> {
    in_range(text, 0..text.len(), DEPTH_MAX).or_else(|| {
        let mut lines = lines(text);
        lines.find_map(|line| in_range(text, line, DEPTH_MAX))
    })
}

/// Returns the lines of a text. One that ends in a backslash continues in the next.
pub fn lines(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    let ends = text
        .match_indices('\n')
        .map(|(at, _)| at)
        .filter(|at| !text.get(..*at).is_some_and(|t| t.ends_with('\\')));
    ends.chain([text.len()]).map(move |end| {
        let line = start..end;
        start = end + 1;
        line
    })
}

/// Finds the program of this range, which begins with it or with words that may precede it.
fn in_range(text: &str, range: Range<usize>, depth: usize) -> Option<CommandLine> {
    let line = part(text, range.clone());
    // With an unclosed quote the shell's rules don't apply, so blanks separate the words.
    let words = split(line).unwrap_or_else(|| blanks(line));
    let words: Vec<_> = words
        .into_iter()
        .map(|word| range.start + word.start..range.start + word.end)
        .collect();
    let is_line = !line.contains('\n');
    let is_key = |word: &Range<usize>| is_line && KEYS.contains(&part(text, word.clone()));
    // In a file whose line breaks were lost, the command begins behind its key.
    let start = words.iter().position(is_key).unwrap_or(0);
    let first = start
        + words
            .get(start..)?
            .iter()
            .position(|word| !is_before_program(part(text, word.clone())))?;
    let name = base_name(part(text, words.get(first)?.clone()));
    if let Some(client) = client_of(name) {
        return Some(CommandLine {
            range,
            words,
            program: first,
            client,
        });
    }
    if !WRAPPERS.contains(&name) {
        return None;
    }
    behind_wrapper(text, range, words, first, depth)
}

/// Finds the program among the arguments of one that starts it.
fn behind_wrapper(
    text: &str,
    range: Range<usize>,
    words: Vec<Range<usize>>,
    first: usize,
    depth: usize,
) -> Option<CommandLine> {
    let shown: Vec<&str> = words.iter().map(|word| part(text, word.clone())).collect();
    for at in first + 1..shown.len() {
        let word = word_at(&shown, at);
        let before = word_at(&shown, at - 1);
        let quoted = word.starts_with(is_quote);
        // `sh -c 'mysql ...'`. Inside, a backslash would move the words.
        if quoted && !word.contains('\\') && depth > 0 {
            let inside = words.get(at).map(|range| range.start + 1..range.end - 1)?;
            let inner = in_range(text, inside, depth - 1);
            if inner.is_some() {
                return inner;
            }
        }
        let Some(client) = client_of(base_name(word)) else {
            continue;
        };
        // In `docker exec mysql mysql -u root` the first one is a container.
        let is_name = client_of(base_name(word_at(&shown, at + 1))).is_some() || takes_name(before);
        if is_name {
            continue;
        }
        let is_mariadb = shown
            .iter()
            .take(at)
            .skip(first)
            .any(|word| word.contains("mariadb"));
        return Some(CommandLine {
            range,
            program: at,
            client: if is_mariadb { "mariadb" } else { client },
            words,
        });
    }
    None
}

fn word_at<'a>(words: &[&'a str], at: usize) -> &'a str {
    words.get(at).copied().unwrap_or_default()
}

/// Whether a wrapper's option takes a name, which may be that of a program.
fn takes_name(option: &str) -> bool {
    [
        "--name",
        "--network",
        "--link",
        "--hostname",
        "--user",
        "--workdir",
    ]
    .contains(&option)
}

fn client_of(name: &str) -> Option<&'static str> {
    let (_, client) = PROGRAMS.iter().find(|(program, _)| *program == name)?;
    Some(client)
}

fn base_name(word: &str) -> &str {
    let word = word.strip_prefix("ExecStart=").unwrap_or(word);
    word.rsplit('/').next().unwrap_or_default()
}

/// Whether the word may precede the program: `$`, `sudo`, `run:`, `MYSQL_PWD=x`, or a field of
/// crontab.
fn is_before_program(word: &str) -> bool {
    BEFORE.contains(&word) || is_assignment(word) || is_time(word)
}

/// Whether this is a field of crontab.
fn is_time(word: &str) -> bool {
    word.chars()
        .all(|c| c.is_ascii_digit() || "*/,-".contains(c))
}

/// Whether this sets a variable of the environment.
pub fn is_assignment(word: &str) -> bool {
    let Some((name, _)) = word.split_once('=') else {
        return false;
    };
    !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_uppercase() || c == '_' || c.is_ascii_digit())
}
