//! Log of an engine: read for the reason of a failure, and rotated by size. The engine's standard
//! error is the file itself: a tenant that floods it costs the server no thread, and its engine
//! never waits for the server.

use crate::limits::{LOG_LOOK, LOG_MAX, LOGS_KEPT, REASON_MAX};
use crate::local::folder::Folder;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

/// Returns the errors that an engine logged from this offset on, or its last lines if there is
/// none.
pub fn log_tail(folder: &Folder, start: u64) -> String {
    let mut text = Vec::new();
    let read = File::open(folder.log()).and_then(|mut f| {
        // Rotated since: all that is left is later than the start.
        let start = if f.metadata()?.len() < start {
            0
        } else {
            start
        };
        f.seek(SeekFrom::Start(start))?;
        // Much more than is kept: the first errors are the cause, the later ones follow from it.
        f.take(256 << 10).read_to_end(&mut text)
    });
    if let Err(e) = read {
        return format!("its log can't be read: {e}");
    }
    let text = String::from_utf8_lossy(&text);
    let errors: Vec<_> = text.lines().filter(|l| l.contains("[ERROR]")).collect();
    let lines = if errors.is_empty() {
        text.lines().rev().take(3).collect()
    } else {
        errors
    };
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

/// Rotates the log of a running engine for as long as it is polled.
pub async fn watch(folder: Folder) {
    let mut failed = false;
    loop {
        tokio::time::sleep(LOG_LOOK).await;
        let folder = folder.clone();
        let rotated = tokio::task::spawn_blocking(move || rotate(&folder)).await;
        // Logged once per run, since it is tried every second.
        if let Ok(Err(error)) = rotated
            && !std::mem::replace(&mut failed, true)
        {
            tracing::warn!(%error, "an engine's log can't be rotated");
        }
    }
}

/// Copies the end of a log that has grown too large, and empties it. The engine goes on at its
/// start: it writes with O_APPEND, and a renamed file would go on growing. Lines written between
/// the copy and the emptying are lost.
pub fn rotate(folder: &Folder) -> io::Result<()> {
    let path = folder.log();
    let length = match fs::metadata(&path) {
        Ok(metadata) => metadata.len(),
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e),
    };
    if length <= LOG_MAX {
        return Ok(());
    }
    let log = OpenOptions::new().read(true).write(true).open(&path)?;
    let kept = keep_end(folder, &log, length);
    // Even if the copy failed, for example on a full disk: space is worth more than these lines.
    log.set_len(0)?;
    kept
}

fn keep_end(folder: &Folder, mut log: &File, length: u64) -> io::Result<()> {
    let _ = fs::remove_file(numbered(folder, LOGS_KEPT));
    for number in (1..LOGS_KEPT).rev() {
        match fs::rename(numbered(folder, number), numbered(folder, number + 1)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    // Only the end: a tenant can write far more than this between two checks.
    log.seek(SeekFrom::Start(length.saturating_sub(LOG_MAX)))?;
    let mut copy = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(numbered(folder, 1))?;
    io::copy(&mut log.take(LOG_MAX), &mut copy).map(drop)
}

fn numbered(folder: &Folder, number: u32) -> PathBuf {
    folder.root().join(format!("engine.log.{number}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_flood_costs_four_files_and_the_engine_writes_on() {
        let temp = tempfile::tempdir().unwrap();
        let folder = Folder::new(temp.path().to_owned(), None);
        let (mut engine, start) = folder.open_log().unwrap();
        let flood = vec![b'x'; 3 << 20];
        for round in 0..8u32 {
            for _ in 0..5 {
                engine.write_all(&flood).unwrap();
            }
            writeln!(engine, "\n[ERROR] end of round {round}").unwrap();
            rotate(&folder).unwrap();
            assert_eq!(fs::metadata(folder.log()).unwrap().len(), 0);
        }
        writeln!(engine, "[ERROR] the last word").unwrap();
        let log = fs::metadata(folder.log()).unwrap();
        assert!(
            log.len() < 100 && log.blocks() <= 8,
            "at its start again, and no hole before it"
        );
        assert!(log_tail(&folder, start + (20 << 20)).starts_with("[ERROR] the last word"));
        let all: u64 = fs::read_dir(temp.path())
            .unwrap()
            .map(|e| e.unwrap().metadata().unwrap().len())
            .sum();
        assert!(all <= u64::from(LOGS_KEPT) * LOG_MAX + log.len(), "{all}");
        let mut newest = String::new();
        File::open(numbered(&folder, 1))
            .unwrap()
            .read_to_string(&mut newest)
            .unwrap();
        assert!(
            newest.ends_with("[ERROR] end of round 7\n"),
            "its end is what is kept"
        );
    }

    #[test]
    fn a_log_whose_copy_fails_is_emptied_all_the_same() {
        let temp = tempfile::tempdir().unwrap();
        let folder = Folder::new(temp.path().to_owned(), None);
        let (mut engine, _) = folder.open_log().unwrap();
        engine.write_all(&vec![b'x'; 11 << 20]).unwrap();
        fs::create_dir_all(numbered(&folder, 2).join("in the way")).unwrap();
        fs::create_dir_all(numbered(&folder, 3).join("in the way")).unwrap();
        fs::write(numbered(&folder, 1), "").unwrap();
        assert!(rotate(&folder).is_err());
        assert_eq!(fs::metadata(folder.log()).unwrap().len(), 0);
    }
}
