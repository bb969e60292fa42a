//! What a person sees while something works: steps on standard error, a spinner on a terminal and plain lines
//! elsewhere, colours unless NO_COLOR is set. Data never goes through here: that is standard output's.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::{IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often a spinner moves: often enough to look alive.
const TICK: Duration = Duration::from_millis(90);

pub fn colours() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}

/// Paints for one stream: not where it is no terminal or the person wants no colours.
#[derive(Debug, Clone, Copy)]
pub struct Paint {
    on: bool,
}

impl Paint {
    pub fn stdout() -> Self {
        Self { on: std::io::stdout().is_terminal() && colours() }
    }

    pub fn stderr() -> Self {
        Self { on: std::io::stderr().is_terminal() && colours() }
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
        if self.on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// The spinner that is on the screen now: other lines step aside for it.
static SPINNING: Mutex<Option<ProgressBar>> = Mutex::new(None);

fn spinning() -> MutexGuard<'static, Option<ProgressBar>> {
    SPINNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Standard error for lines that may come while a spinner turns.
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

/// One step of something that takes a while.
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
            let template = if colours() { "  {spinner:.cyan} {msg}" } else { "  {spinner} {msg}" };
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar.set_message(text.to_owned());
            bar.enable_steady_tick(TICK);
            *spinning() = Some(bar.clone());
            bar
        });
        Self { text: text.to_owned(), began: Instant::now(), spinner }
    }

    fn clear(&mut self) {
        if let Some(bar) = self.spinner.take() {
            bar.finish_and_clear();
            *spinning() = None;
        }
    }

    /// Ends it well, with what came out of it.
    pub fn done(mut self, result: &str) {
        self.clear();
        let paint = Paint::stderr();
        let took = self.began.elapsed();
        let took =
            if took >= Duration::from_secs(1) { format!("  {:.1} s", took.as_secs_f64()) } else { String::new() };
        let result = if result.is_empty() { String::new() } else { format!(": {result}") };
        say(&format!("  {} {}{result}{}", paint.green("ok"), self.text, paint.dim(&took)));
    }
}

impl Drop for Step {
    /// Left by an error: the spinner goes, the error says the rest.
    fn drop(&mut self) {
        self.clear();
    }
}

/// A line for the person. A closed standard error is no reason to fail.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Data for standard output. A reader that went away (`| head`) is no failure.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// One JSON value on a line of its own.
pub fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    print(&format!("{}\n", serde_json::to_string_pretty(value)?))
}

/// Columns as wide as their widest cell, two blanks between, no blanks at the end.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let head: Vec<String> = head.iter().map(ToString::to_string).collect();
    let mut widths: Vec<usize> = vec![0; head.len()];
    for row in std::iter::once(&head).chain(rows) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = String::new();
    for row in std::iter::once(&head).chain(rows) {
        let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        out.push_str(cells.join("  ").trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_line_up_and_end_without_blanks() {
        let rows = [vec!["a".to_owned(), "1".to_owned()], vec!["long".to_owned(), String::new()]];
        assert_eq!(table(&["NAME", "N"], &rows), "NAME  N\na     1\nlong\n");
    }
}
