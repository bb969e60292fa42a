//! Output for people and scripts. Steps and messages go to standard error, with a spinner on a
//! terminal; results go to standard output. Colours are used on terminals, unless NO_COLOR is set.

use crate::limits::LOG_FLUSH_MAX;
use crate::logging::queue::LogQueue;
use crate::standard_output::NotedOutput;
use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tidegate_model::escape::{escape, printable, printable_json, printable_lines};

/// Interval between two frames of a spinner.
const TICK: Duration = Duration::from_millis(90);

pub fn colours() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}

/// All codes that `Paint` writes after an ESC.
const PAINT_CODES: [&str; 4] = ["[0m", "[1m", "[2m", "[32m"];

/// Colours for a stream; none if it is not a terminal or NO_COLOR is set.
#[derive(Debug, Clone, Copy)]
pub struct Paint {
    on: bool,
}

impl Paint {
    pub fn stdout() -> Self {
        Self {
            on: std::io::stdout().is_terminal() && colours(),
        }
    }

    pub fn stderr() -> Self {
        Self {
            on: std::io::stderr().is_terminal() && colours(),
        }
    }

    #[cfg(test)]
    pub fn none() -> Self {
        Self { on: false }
    }

    pub fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    pub fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    pub fn green(self, text: &str) -> String {
        self.with("32", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.on {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// Spinner that is on the screen now. Other lines must suspend it.
static SPINNING: Mutex<Option<ProgressBar>> = Mutex::new(None);

fn spinning() -> MutexGuard<'static, Option<ProgressBar>> {
    SPINNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Standard error for lines that may be written while a spinner is shown.
#[derive(Debug, Clone, Copy)]
pub struct BesideSpinner;

impl Write for BesideSpinner {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let bar = spinning().clone();
        match bar {
            Some(bar) => bar.suspend(|| std::io::stderr().write(bytes)),
            None => std::io::stderr().write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

/// Step of something that takes a while.
#[derive(Debug)]
pub struct Step {
    text: String,
    began: Instant,
    spinner: Option<ProgressBar>,
}

impl Step {
    pub fn begin(text: &str) -> Self {
        let spinner = (std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new_spinner();
            let template = if colours() {
                "  {spinner:.cyan} {msg}"
            } else {
                "  {spinner} {msg}"
            };
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar.set_message(printable(text).into_owned());
            bar.enable_steady_tick(TICK);
            *spinning() = Some(bar.clone());
            bar
        });
        Self {
            text: text.to_owned(),
            began: Instant::now(),
            spinner,
        }
    }

    fn clear(&mut self) {
        if let Some(bar) = self.spinner.take() {
            bar.finish_and_clear();
            *spinning() = None;
        }
    }

    /// Ends the step with success and its result.
    pub fn done(mut self, result: &str) {
        self.clear();
        let paint = Paint::stderr();
        let took = self.began.elapsed();
        let took = if took >= Duration::from_secs(1) {
            format!("  {:.1} s", took.as_secs_f64())
        } else {
            String::new()
        };
        let result = if result.is_empty() {
            String::new()
        } else {
            format!(": {}", printable(result))
        };
        say(&format!(
            "  {} {}{result}{}",
            paint.green("ok"),
            self.text,
            paint.dim(&took)
        ));
    }
}

impl Drop for Step {
    /// Removes the spinner of a step that an error ended.
    fn drop(&mut self) {
        self.clear();
    }
}

/// Prints a line for people on standard error. A closed standard error is not an error.
pub fn say(line: &str) {
    let line = format!("{}\n", readable(line, Paint::stderr()));
    match QUEUES.get() {
        Some((stderr, stdout)) => {
            // Both streams may be one file or terminal, which has the lines in this order.
            stdout.flush(LOG_FLUSH_MAX);
            stderr.push(line.as_bytes());
        }
        None => {
            let _ = std::io::stderr().lock().write_all(line.as_bytes());
        }
    }
}

/// Queues of standard error and standard output of a server, so that no thread that prints waits
/// for a terminal or a pipe.
static QUEUES: OnceLock<(LogQueue, LogQueue)> = OnceLock::new();

/// Returns these queues. After the first call, everything that is printed goes through them.
pub fn queue() -> std::io::Result<&'static (LogQueue, LogQueue)> {
    if QUEUES.get().is_none() {
        let stderr = LogQueue::start("standard-error", BesideSpinner)?;
        let _ = QUEUES.set((stderr, LogQueue::start("standard-output", NotedOutput)?));
    }
    QUEUES
        .get()
        .ok_or_else(|| std::io::Error::other("no queue for the output"))
}

/// Waits until everything printed is written, for at most [`LOG_FLUSH_MAX`].
pub fn flush() {
    if let Some((stderr, stdout)) = QUEUES.get() {
        stdout.flush(LOG_FLUSH_MAX);
        stderr.flush(LOG_FLUSH_MAX);
    }
}

/// Prints text for people on standard output.
pub fn print(text: &str) -> anyhow::Result<()> {
    print_raw(&readable(text, Paint::stdout()))
}

/// Escapes control characters, except line feeds, tabs and the codes of `paint`. Callers escape
/// text from elsewhere with `printable` first, which escapes line feeds too; this is a second line
/// of defence.
fn readable(text: &str, paint: Paint) -> String {
    let is_kept = |c: char| matches!(c, '\n' | '\t');
    let mut parts = text.split('\x1b');
    let mut out = escape(parts.next().unwrap_or_default(), is_kept).into_owned();
    for part in parts {
        let ours = paint.on && PAINT_CODES.iter().any(|code| part.starts_with(code));
        out.push_str(if ours { "\x1b" } else { "\\x1b" });
        out.push_str(&escape(part, is_kept));
    }
    out
}

/// Prints data on standard output as it is. A reader that has closed the pipe (`| head`) is not an
/// error.
pub fn print_raw(text: &str) -> anyhow::Result<()> {
    if let Some((stderr, stdout)) = QUEUES.get() {
        stderr.flush(LOG_FLUSH_MAX);
        stdout.push(text.as_bytes());
        return Ok(());
    }
    let mut out = NotedOutput;
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("standard output can't be written"),
    }
}

/// Prints a JSON value. Control characters are written as escapes of JSON.
pub fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(value)?;
    print_raw(&format!("{}\n", printable_json(&text)))
}

/// Returns a table whose columns are as wide as their widest cell, with two spaces between them.
/// Cells are escaped.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<_>> = rows
        .iter()
        .map(|row| {
            row.iter()
                .map(|cell| printable(cell).into_owned())
                .collect()
        })
        .collect();
    let rows = rows.as_slice();
    let head: Vec<String> = head.iter().map(ToString::to_string).collect();
    let mut widths: Vec<usize> = vec![0; head.len()];
    for row in std::iter::once(&head).chain(rows) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = String::new();
    for row in std::iter::once(&head).chain(rows) {
        let cells: Vec<_> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        out.push_str(cells.join("  ").trim_end());
        out.push('\n');
    }
    out
}

/// Prints a list: as JSON, or as a table, or as a sentence if it is empty.
pub fn print_list<T: serde::Serialize>(
    json: bool,
    items: &[T],
    empty: &str,
    head: &[&str],
    row: impl Fn(&T) -> Vec<String>,
) -> anyhow::Result<()> {
    if json {
        return print_json(&items);
    }
    if items.is_empty() {
        say(empty);
        return Ok(());
    }
    let rows: Vec<_> = items.iter().map(row).collect();
    print(&table(head, &rows))
}

/// Returns a line for each value. Further lines of a value, such as an engine's log, are indented
/// below it.
pub fn labelled(rows: &[(&str, String)]) -> String {
    rows.iter()
        .map(|(label, value)| format!("{label:<9}  {}\n", printable_lines(value, 11)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_line_up_and_end_without_blanks() {
        let rows = [
            vec!["a".to_owned(), "1".to_owned()],
            vec!["long".to_owned(), String::new()],
        ];
        assert_eq!(table(&["NAME", "N"], &rows), "NAME  N\na     1\nlong\n");
    }

    #[test]
    fn a_cell_stays_in_its_row() {
        let rows = [vec!["a\x1b]0;x\x07\nroot".to_owned(), "1".to_owned()]];
        assert_eq!(
            table(&["USER", "N"], &rows),
            "USER                 N\na\\x1b]0;x\\x07\\nroot  1\n"
        );
    }

    #[test]
    fn only_our_colour_codes_reach_the_screen() {
        let painted = Paint { on: true };
        let text = format!(
            "{}\n{}",
            painted.bold("x"),
            "\x1b[31mred\x1b]0;t\x07\u{202e}"
        );
        assert_eq!(
            readable(&text, painted),
            "\x1b[1mx\x1b[0m\n\\x1b[31mred\\x1b]0;t\\x07\\u{202e}"
        );
        assert_eq!(
            readable("\x1b[1mx", Paint::none()),
            "\\x1b[1mx",
            "no colours, no codes"
        );
    }

    #[test]
    fn further_lines_of_a_value_stay_behind_its_label() {
        let rows = [
            (
                "failure",
                "[ERROR] \x1b]0;x\x07\nstate      awake".to_owned(),
            ),
            ("state", "failed".to_owned()),
        ];
        let want =
            "failure    [ERROR] \\x1b]0;x\\x07\n           state      awake\nstate      failed\n";
        assert_eq!(labelled(&rows), want);
    }
}
