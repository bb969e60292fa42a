//! Signals: the first SIGTERM or Ctrl-C asks for an ordered stop, a second Ctrl-C exits
//! immediately. SIGHUP asks a service to reload.

use anyhow::{Context, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Exit code of a program that was ended by Ctrl-C: 128 + SIGINT, as in shells.
const EXIT_INTERRUPTED: i32 = 130;

/// Name of the signal that service managers and container runtimes send for a stop.
pub const SIGTERM: &str = "SIGTERM";

/// Meaning of a SIGHUP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hangup {
    /// Stop: the terminal in which this program runs was closed.
    Stops,
    /// Reload: a service manager asks for it.
    Reloads,
}

#[derive(Debug)]
pub enum Asked {
    /// Stop, for the signal of this name.
    Stop(&'static str),
    Reload,
}

#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// `None` if SIGHUP stays ignored.
    hangup: Option<Signal>,
    meaning: Hangup,
}

impl Signals {
    /// Starts to listen. From then on these signals no longer end the process. A SIGHUP that would
    /// stop the server stays ignored if it was ignored at the start (`nohup tidegate up`).
    pub fn listen(meaning: Hangup) -> Result<Self> {
        let hangup = if meaning == Hangup::Stops && ignores_hangup() {
            None
        } else {
            Some(signal(SignalKind::hangup()).context("listening for SIGHUP")?)
        };
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).context("listening for SIGINT")?,
            terminate: signal(SignalKind::terminate()).context("listening for SIGTERM")?,
            hangup,
            meaning,
        })
    }

    /// Waits for the next signal.
    pub async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.interrupt.recv() => Asked::Stop("Ctrl-C"),
            _ = self.terminate.recv() => Asked::Stop(SIGTERM),
            () = next_hangup(&mut self.hangup) => match self.meaning {
                Hangup::Stops => Asked::Stop("SIGHUP"),
                Hangup::Reloads => Asked::Reload,
            },
        }
    }

    /// Waits for a signal that asks for a stop, and returns its name. Ignores reloads: during a
    /// start, the configuration has just been read.
    pub async fn stop(&mut self) -> &'static str {
        loop {
            if let Asked::Stop(by) = self.next().await {
                return by;
            }
        }
    }

    /// Makes the next Ctrl-C exit immediately. The kernel then kills the engines, which die with
    /// their parent.
    pub fn exit_at_the_next(mut self) {
        tokio::spawn(async move {
            let _ = self.interrupt.recv().await;
            crate::screen::say(
                "exited without stopping in order; clusters recover at the next start",
            );
            crate::screen::flush();
            std::process::exit(EXIT_INTERRUPTED);
        });
    }
}

async fn next_hangup(hangup: &mut Option<Signal>) {
    match hangup {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Whether this process ignores SIGHUP, as after `nohup`.
fn ignores_hangup() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| ignored_in(&status))
}

/// Whether SIGHUP (number 1, the lowest bit) is in the mask of ignored signals of
/// /proc/PID/status.
fn ignored_in(status: &str) -> bool {
    status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_of_ignored_signals_is_read() {
        assert!(ignored_in("Name:\tx\nSigIgn:\t0000000000001001\n"));
        assert!(!ignored_in(
            "SigBlk:\t0000000000000001\nSigIgn:\t0000000000001000\n"
        ));
        assert!(!ignored_in(""));
    }
}
