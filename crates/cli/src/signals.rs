//! SIGTERM and Ctrl-C: the first asks for an ordered stop, a second one leaves at once. SIGHUP asks
//! a service to reload. It stops and reloads nothing itself.

use anyhow::{Context, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a program that was ended by Ctrl-C gives back, as shells count it.
const EXIT_INTERRUPTED: i32 = 130;

/// What a SIGHUP means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hangup {
    /// The terminal that this program runs in was closed.
    Stops,
    /// A service manager wants it to reload.
    Reloads,
}

#[derive(Debug)]
pub enum Asked {
    /// By this.
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
    /// From here on signals no longer end the process by themselves.
    pub fn listen(meaning: Hangup) -> Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).context("listening for SIGINT")?,
            terminate: signal(SignalKind::terminate()).context("listening for SIGTERM")?,
            hangup: signal(SignalKind::hangup()).context("listening for SIGHUP")?,
            meaning,
        })
    }

    /// The next of them.
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

    /// Ends at the first that asks for a stop, and names it. What a reload would read has just been
    /// read.
    pub async fn stop(&mut self) -> &'static str {
        loop {
            if let Asked::Stop(by) = self.next().await {
                return by;
            }
        }
    }

    /// From now on, the next Ctrl-C leaves at once. The engines then end with us: they are tied to
    /// our life.
    pub fn leave_at_the_next(mut self) {
        tokio::spawn(async move {
            let _ = self.interrupt.recv().await;
            crate::screen::say("left at once; the clusters recover at the next start");
            crate::screen::flush();
            std::process::exit(EXIT_INTERRUPTED);
        });
    }
}
