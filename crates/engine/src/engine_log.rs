//! The engine's own log, read for the reason of a failure. Never written here: the engine's standard error is the file.

use crate::folder::Folder;
use crate::limits::REASON_MAX;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

/// The errors an engine logged from here on, or its last words if it named none.
pub fn log_tail(folder: &Folder, start: u64) -> String {
    let mut text = Vec::new();
    let read = File::open(folder.log()).and_then(|mut f| {
        f.seek(SeekFrom::Start(start))?;
        // Much more than is kept: the first errors are the cause, the later ones follow from it.
        f.take(256 << 10).read_to_end(&mut text)
    });
    if let Err(e) = read {
        return format!("its log can't be read: {e}");
    }
    let text = String::from_utf8_lossy(&text);
    let errors: Vec<_> = text.lines().filter(|l| l.contains("[ERROR]")).collect();
    let lines = if errors.is_empty() { text.lines().rev().take(3).collect() } else { errors };
    let mut out = lines.join(" | ");
    if out.is_empty() {
        "it logged nothing".clone_into(&mut out);
    }
    let mut end = out.len().min(REASON_MAX);
    while !out.is_char_boundary(end) {
        end -= 1;
    }
    out.truncate(end);
    format!("{out} (log: {})", folder.log().display())
}
