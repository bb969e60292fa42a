//! Signals: the first SIGTERM or Ctrl-C asks for an ordered stop, a second Ctrl-C exits
//! immediately. SIGHUP asks a service to reload.

use anyhow::{Context, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Exit code of a program that was ended by Ctrl-C: 128 + SIGINT, as in shells.
const EXIT_INTERRUPTED: i32 = 130;

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
    hangup: Signal,
    meaning: Hangup,
}

impl Signals {
    /// Starts to listen. From then on these signals no longer end the process.
    pub fn listen(meaning: Hangup) -> Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).context("listening for SIGINT")?,
            terminate: signal(SignalKind::terminate()).context("listening for SIGTERM")?,
            hangup: signal(SignalKind::hangup()).context("listening for SIGHUP")?,
            meaning,
        })
    }

    /// Waits for the next signal.
    pub async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.interrupt.recv() => Asked::Stop("Ctrl-C"),
            _ = self.terminate.recv() => Asked::Stop("SIGTERM"),
            _ = self.hangup.recv() => match self.meaning {
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
