//! Bounded queue in front of a file, a pipe or a terminal, with its own thread that writes. Threads
//! that log never wait: they are the threads that relay, and a stalled reader must not stall them.

use crate::limits::{LOG_QUEUE_BYTES_MAX, LOG_RETRY, WITHHELD_INTERVAL};
use crate::logging::filter::is_within_budget;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tidegate_model::LogBudget;
use tidegate_model::log_budget::UnreportedLines;
use tracing::Metadata;
use tracing_subscriber::fmt::MakeWriter;

/// Queue of log lines. It is cheap to clone, and all clones share one queue.
#[derive(Clone)]
pub struct LogQueue(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Signalled when a line was added.
    filled: Condvar,
    /// Signalled when all lines were written.
    written: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    /// Number of lines dropped for lack of room since the writer last took lines.
    dropped: u64,
    writing: bool,
}

/// Destination of a queue's lines.
pub trait Sink: Send + 'static {
    /// Writes whole lines. It may block.
    fn write_lines(&mut self, lines: &[u8]) -> io::Result<()>;
}

impl<W: Write + Send + 'static> Sink for W {
    fn write_lines(&mut self, mut lines: &[u8]) -> io::Result<()> {
        while !lines.is_empty() {
            match self.write(lines) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => {
                    let (_, rest) = lines
                        .split_at_checked(n)
                        .ok_or(io::ErrorKind::InvalidData)?;
                    lines = rest;
                }
                // Another process that shares the pipe made it non-blocking.
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => std::thread::sleep(LOG_RETRY),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        self.flush()
    }
}

impl LogQueue {
    /// Starts the thread that writes.
    pub fn start(name: &str, sink: impl Sink) -> io::Result<Self> {
        let queue = Self(Arc::default());
        let own = Self(Arc::clone(&queue.0));
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || own.write_forever(sink))?;
        Ok(queue)
    }

    /// Adds a line, or several that belong together. If there is no room, it is dropped and
    /// counted.
    pub fn push(&self, line: &[u8]) {
        let mut state = self.0.lock();
        if state.waiting.len() + line.len() > LOG_QUEUE_BYTES_MAX {
            state.dropped += 1;
            LogBudget::of_process().drop_lines(1);
            return;
        }
        state.waiting.extend_from_slice(line);
        // Unlocked first, so that the writer does not wake up only to wait for the lock.
        drop(state);
        self.0.filled.notify_one();
    }

    /// Waits until all lines are written, but not longer than `patience`.
    pub fn flush(&self, patience: Duration) {
        let end = Instant::now() + patience;
        let mut state = self.0.lock();
        while !state.waiting.is_empty() || state.writing {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state = self
                .0
                .written
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    fn write_forever(self, mut sink: impl Sink) {
        let mut told = Instant::now();
        loop {
            let (lines, dropped) = self.take();
            // Even while lines come in: during a flood the queue may never be empty.
            if told.elapsed() >= WITHHELD_INTERVAL {
                log_withheld();
                told = Instant::now();
            }
            if lines.is_empty() {
                continue;
            }
            if sink.write_lines(&lines).is_err() {
                let lost = lines.iter().filter(|byte| **byte == b'\n').count();
                LogBudget::of_process().drop_lines(lost as u64);
            }
            drop(lines);
            self.0.lock().writing = false;
            self.0.written.notify_all();
            if dropped > 0 {
                // This line goes into this queue too, which has room again.
                tracing::warn!(
                    lines = dropped,
                    "{dropped} log lines were dropped: the log was not read or written in time"
                );
            }
        }
    }

    /// Waits for lines, and returns without any after [`WITHHELD_INTERVAL`], so that withheld lines
    /// are reported even if nothing else is logged.
    fn take(&self) -> (Vec<u8>, u64) {
        let state = self.0.lock();
        let waited = self
            .0
            .filled
            .wait_timeout_while(state, WITHHELD_INTERVAL, |state| state.waiting.is_empty());
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        // Set under the same lock: `flush` must not see an empty queue while lines are being
        // written.
        state.writing = !state.waiting.is_empty();
        (
            std::mem::take(&mut state.waiting),
            std::mem::take(&mut state.dropped),
        )
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A poisoned lock is safe to use: every critical section leaves whole lines.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Logs how many lines the budgets left out since the last call.
fn log_withheld() {
    let UnreportedLines {
        strangers,
        libraries,
        of_clusters,
        clusters,
        largest,
    } = LogBudget::of_process().take_untold();
    if strangers > 0 {
        tracing::info!(
            lines = strangers,
            "{strangers} log lines about connections that proved no password were left out"
        );
    }
    if let Some(largest) = largest {
        tracing::info!(
            lines = of_clusters,
            clusters,
            cluster = %largest,
            "{of_clusters} log lines about logins were left out, most of them of this cluster"
        );
    }
    if libraries > 0 {
        tracing::info!(
            lines = libraries,
            "{libraries} log lines of libraries were left out"
        );
    }
}

/// Writer of a line: the log's format writes each event at once. `None` for a line that the budget
/// leaves out.
pub struct Line<'a>(Option<&'a LogQueue>);

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Some(queue) = self.0 {
            queue.push(line);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogQueue {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(Some(self))
    }

    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> Line<'a> {
        Line(is_within_budget(meta).then_some(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::sync::mpsc;

    #[test]
    fn logging_never_waits_for_a_reader_and_dropped_lines_are_reported() {
        let (reader, writer) = std::io::pipe().unwrap();
        let queue = LogQueue::start("test-log", writer).unwrap();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(queue.clone())
            .finish();
        // Global, because the thread that writes logs the number of dropped lines. No other test of
        // this program sets a global subscriber.
        tracing::subscriber::set_global_default(subscriber).unwrap();
        let before = LogBudget::of_process().dropped();
        let text = "x".repeat(1000);
        // Four times the room, at a pipe that nobody reads: if logging waited, this would not end.
        let pushed = 4 * LOG_QUEUE_BYTES_MAX / 1000;
        (0..pushed).for_each(|i| tracing::info!(i, "{text}"));
        let dropped = LogBudget::of_process().dropped() - before;
        assert!(dropped > pushed as u64 / 2, "{dropped}");
        let (told, heard) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(reader).lines().map_while(Result::ok) {
                let _ = told.send(line);
            }
        });
        let mut lines = 0u64;
        let summary = loop {
            let line = heard.recv_timeout(Duration::from_secs(60)).unwrap();
            if line.contains("log lines were dropped") {
                break line;
            }
            // Other tests may log too.
            lines += u64::from(line.contains(&text));
        };
        assert!(summary.contains(" log lines were dropped"), "{summary}");
        let all = lines + dropped;
        assert!(
            (pushed as u64..pushed as u64 + 100).contains(&all),
            "each line was written or counted: {all}"
        );
        tracing::info!("afterwards");
        while !heard
            .recv_timeout(Duration::from_secs(60))
            .unwrap()
            .contains("afterwards")
        {}
    }

    #[test]
    fn a_flush_waits_for_what_came_before_and_not_for_ever() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let queue = LogQueue::start("test-flush", writer).unwrap();
        queue.push(b"one\n");
        queue.flush(Duration::from_secs(60));
        let mut read = [0; 4];
        io::Read::read_exact(&mut reader, &mut read).unwrap();
        assert_eq!(&read, b"one\n");
        queue.push(&vec![b'x'; 1 << 19]);
        queue.flush(Duration::from_millis(50));
        assert!(
            queue.0.lock().writing,
            "it is stuck, and the flush came back"
        );
    }
}
