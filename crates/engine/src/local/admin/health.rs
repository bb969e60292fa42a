//! Health of a running engine: it is frozen if its extra socket gives no greeting and its process
//! uses no CPU time, both for as long as the patience. A busy engine uses CPU time, an idle one
//! greets at once.

use crate::limits::HEALTH_SLICES;
use std::future::Future;
use std::path::Path;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;

/// Ends when the engine behind `socket` is frozen. `cpu_time` returns the CPU time its process has
/// used so far, in any unit; none while that can't be read, which is no sign of anything.
pub async fn frozen(socket: &Path, cpu_time: impl Fn() -> Option<u64>, patience: Duration) {
    loop {
        // Not more often: each probe shows in the tenant's `Aborted_connects`.
        tokio::time::sleep(patience / 3).await;
        if is_frozen(socket, &cpu_time, patience).await {
            return;
        }
    }
}

/// Time is measured in slices, each of which must be silent by itself: a server that was itself
/// stopped for a minute finds one slice over, not the whole patience.
async fn is_frozen(socket: &Path, cpu_time: impl Fn() -> Option<u64>, patience: Duration) -> bool {
    let slice = patience / HEALTH_SLICES;
    let mut probe = None;
    let mut used = cpu_time();
    let mut silent = 0;
    while silent < HEALTH_SLICES {
        if greets(&mut probe, socket, slice).await {
            return false;
        }
        let now = cpu_time();
        // One slice with CPU time, or without a reading of it, and the count starts again.
        silent = if now.is_some() && now == used {
            silent + 1
        } else {
            0
        };
        used = now;
    }
    true
}

/// Waits one slice for a sign of life. The connection is kept for the next slice: one that waits in
/// the backlog is served when the engine goes on.
async fn greets(probe: &mut Option<UnixStream>, socket: &Path, slice: Duration) -> bool {
    let until = tokio::time::Instant::now() + slice;
    if probe.is_none() {
        *probe = UnixStream::connect(socket).await.ok();
    }
    if let Some(stream) = probe {
        let mut byte = [0];
        // A connection that the engine closes, or an error it sends, is a sign of life too.
        return within(until, stream.read(&mut byte)).await;
    }
    tokio::time::sleep_until(until).await;
    false
}

async fn within(until: tokio::time::Instant, sign: impl Future) -> bool {
    tokio::time::timeout_at(until, sign).await.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::io::Write;
    use std::os::unix::net::UnixListener;

    const PATIENCE: Duration = Duration::from_millis(200);

    #[tokio::test]
    async fn silence_without_work_is_frozen_and_silence_at_work_is_not() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("s");
        let listener = UnixListener::bind(&path).unwrap();
        assert!(
            is_frozen(&path, || Some(7), PATIENCE).await,
            "silent and idle"
        );
        let work = Cell::new(0);
        let busy = || {
            work.set(work.get() + 1);
            Some(work.get())
        };
        let watched = tokio::time::timeout(PATIENCE * 5, is_frozen(&path, busy, PATIENCE)).await;
        assert!(watched.is_err(), "silent and busy");
        let watched = tokio::time::timeout(PATIENCE * 5, is_frozen(&path, || None, PATIENCE)).await;
        assert!(watched.is_err(), "silent, and nothing is known of its work");
        drop(listener);
        assert!(
            is_frozen(&path, || Some(7), PATIENCE).await,
            "nobody listens"
        );
    }

    #[tokio::test]
    async fn a_greeting_is_a_sign_of_life() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("s");
        let listener = UnixListener::bind(&path).unwrap();
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                let _ = stream.write_all(b"hello");
            }
        });
        assert!(!is_frozen(&path, || Some(7), PATIENCE).await);
    }
}
