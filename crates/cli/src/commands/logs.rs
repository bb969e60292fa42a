//! `tidegate logs`: the server's log file, or the log of a cluster's engine. Reads files of this
//! machine, so it works while no server runs.

use crate::args::LogsArgs;
use crate::context::{Context, block_on};
use crate::failure::Failure;
use crate::limits::{LOG_FOLLOW_PAUSE, LOG_SHOWN_LINE_MAX, LOG_SHOWN_MAX};
use crate::logging::server_log;
use anyhow::{Context as _, Result};
use serde_json::Value;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use tidegate_control::engine_log;
use tidegate_model::escape::{escape, printable_json};

pub fn run(context: &Context, args: &LogsArgs) -> Result<()> {
    let path = match &args.cluster {
        Some(name) => cluster_log(context, name)?,
        None => server_log(&context.data),
    };
    let mut log = match LogReader::open(&path) {
        Ok(log) => log,
        Err(error) => return Err(unreadable(args, &path, error).into()),
    };
    let mut lines = log.last_lines(args.lines).context("reading the log")?;
    loop {
        for line in &lines {
            let shown = shown_line(line, context.global.json);
            match io::stdout().write_all(shown.as_bytes()) {
                // The reader has closed the pipe (`| head`).
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
                written => written?,
            }
        }
        io::stdout().flush()?;
        if !args.follow {
            return Ok(());
        }
        std::thread::sleep(LOG_FOLLOW_PAUSE);
        lines = log.next_lines().context("reading the log")?;
    }
}

fn cluster_log(context: &Context, name: &str) -> Result<PathBuf> {
    let found = block_on(engine_log(&context.data, name))?;
    let path = found.map_err(|error| {
        let cause = format!(
            "can't read the list of clusters in {}",
            context.data.display()
        );
        let hint = "name the server's data directory with --data DIR, and run it as the user that \
                    the server runs as";
        Failure::new(cause, hint).caused_by(error)
    })?;
    Ok(path.ok_or_else(|| {
        Failure::not_found(
            format!("there is no cluster {name:?}"),
            "`tidegate cluster list` lists the clusters",
        )
    })?)
}

/// Returns the failure for a log that can't be opened.
fn unreadable(args: &LogsArgs, path: &Path, error: io::Error) -> Failure {
    if error.kind() != ErrorKind::NotFound {
        let hint = "run it as the user that the server runs as";
        return Failure::new(format!("can't read {}", path.display()), hint).caused_by(error);
    }
    match &args.cluster {
        Some(name) => Failure::not_found(
            format!("{name} has no log yet: its engine has never started"),
            format!("`tidegate cluster wake {name}` starts it"),
        ),
        None => Failure::not_found(
            format!("there is no log file {}", path.display()),
            "only `tidegate up` writes one; `tidegate serve` logs on standard error, which \
             `journalctl -u tidegate` shows for the systemd service",
        ),
    }
}

/// Log file that is read from its end on, also after a rotation.
struct LogReader {
    path: PathBuf,
    file: File,
    position: u64,
    /// Beginning of a line whose end is not written yet.
    pending: Vec<u8>,
}

impl LogReader {
    fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            file: File::open(path)?,
            position: 0,
            pending: Vec::new(),
        })
    }

    /// Returns the last lines, at most [`LOG_SHOWN_MAX`] bytes of them.
    fn last_lines(&mut self, count: usize) -> io::Result<Vec<Vec<u8>>> {
        let length = self.file.metadata()?.len();
        self.position = length.saturating_sub(LOG_SHOWN_MAX);
        let cut = self.position > 0;
        let mut lines = self.read_lines()?;
        let first = usize::from(cut).max(lines.len().saturating_sub(count));
        lines.drain(..first.min(lines.len()));
        Ok(lines)
    }

    /// Returns the lines that were written since.
    fn next_lines(&mut self) -> io::Result<Vec<Vec<u8>>> {
        let mut lines = self.read_lines()?;
        let opened = self.file.metadata()?;
        let is_rotated = match std::fs::metadata(&self.path) {
            Ok(named) => named.ino() != opened.ino() || named.dev() != opened.dev(),
            // The moment between the two steps of a rotation.
            Err(_) => false,
        };
        if is_rotated {
            self.file = File::open(&self.path)?;
            self.position = 0;
            lines.append(&mut self.read_lines()?);
        }
        Ok(lines)
    }

    /// Reads whole lines from the position on, at most [`LOG_SHOWN_MAX`] bytes.
    fn read_lines(&mut self) -> io::Result<Vec<Vec<u8>>> {
        // An engine's log is emptied when it is rotated.
        if self.file.metadata()?.len() < self.position {
            self.position = 0;
        }
        self.file.seek(SeekFrom::Start(self.position))?;
        let mut text = std::mem::take(&mut self.pending);
        let read = (&self.file).take(LOG_SHOWN_MAX).read_to_end(&mut text)?;
        self.position += read as u64;
        let mut lines: Vec<Vec<u8>> = text.split(|byte| *byte == b'\n').map(Vec::from).collect();
        let rest = lines.pop().unwrap_or_default();
        if rest.len() > LOG_SHOWN_LINE_MAX {
            lines.push(rest);
        } else {
            self.pending = rest;
        }
        Ok(lines)
    }
}

/// Returns a line for the screen. No text of a log controls the terminal.
fn shown_line(line: &[u8], json: bool) -> String {
    let text = String::from_utf8_lossy(line);
    let parsed = serde_json::from_str::<Value>(&text).ok();
    if json {
        let value = parsed.unwrap_or_else(|| serde_json::json!({ "line": text }));
        return format!("{}\n", printable_json(&value.to_string()));
    }
    let readable = parsed.as_ref().and_then(readable_line);
    let text = readable.as_deref().unwrap_or(&text);
    format!("{}\n", escape(text, |c| c == '\t'))
}

/// Returns a line of the server's JSON log as people read it: time, level, message, fields.
fn readable_line(line: &Value) -> Option<String> {
    let time = line.get("timestamp")?.as_str()?;
    let level = line.get("level")?.as_str()?;
    let fields = line.get("fields")?.as_object()?;
    let message = fields.get("message").and_then(Value::as_str);
    let mut out = format!("{time} {level:>5} {}", message.unwrap_or_default());
    for (name, value) in fields.iter().filter(|(name, _)| *name != "message") {
        match value.as_str() {
            Some(text) => out.push_str(&format!(" {name}={text}")),
            None => out.push_str(&format!(" {name}={value}")),
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::OpenOptions;

    fn texts(lines: Vec<Vec<u8>>) -> Vec<String> {
        let text = |line: Vec<u8>| String::from_utf8(line).unwrap();
        lines.into_iter().map(text).collect()
    }

    #[test]
    fn lines_are_followed_over_both_kinds_of_rotation() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log");
        std::fs::write(&path, "one\ntwo\nthr").unwrap();
        let mut log = LogReader::open(&path).unwrap();
        assert_eq!(texts(log.last_lines(1).unwrap()), ["two"]);
        let mut writer = OpenOptions::new().append(true).open(&path).unwrap();
        writer.write_all(b"ee\nfour\n").unwrap();
        assert_eq!(texts(log.next_lines().unwrap()), ["three", "four"]);
        // The server renames its file.
        writer.write_all(b"five\n").unwrap();
        std::fs::rename(&path, dir.path().join("a.log.1")).unwrap();
        assert_eq!(texts(log.next_lines().unwrap()), ["five"]);
        std::fs::write(&path, "six\n").unwrap();
        assert_eq!(texts(log.next_lines().unwrap()), ["six"]);
        // The server empties an engine's file.
        std::fs::write(&path, "").unwrap();
        assert_eq!(texts(log.next_lines().unwrap()), [""; 0]);
        std::fs::write(&path, "7\n").unwrap();
        assert_eq!(texts(log.next_lines().unwrap()), ["7"]);
    }

    #[test]
    fn a_line_never_controls_the_terminal() {
        assert_eq!(
            shown_line(b"a\x1b[2J\tb\xff", false),
            "a\\x1b[2J\tb\u{fffd}\n"
        );
        let line = br#"{"timestamp":"T","level":"INFO","fields":{"message":"x","by":"\u001b["},"target":"t"}"#;
        assert_eq!(shown_line(line, false), "T  INFO x by=\\x1b[\n");
        assert_eq!(shown_line(b"a\x1b", true), "{\"line\":\"a\\u001b\"}\n");
    }
}
