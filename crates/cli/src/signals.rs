//! SIGTERM and Ctrl-C: the first asks for an ordered stop, a second one leaves at once. It stops nothing itself.

use anyhow::{Context, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a program that was ended by Ctrl-C gives back, as shells count it.
const EXIT_INTERRUPTED: i32 = 130;

#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// From here on signals no longer end the process by themselves.
    pub fn listen() -> Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).context("listening for SIGINT")?,
            terminate: signal(SignalKind::terminate()).context("listening for SIGTERM")?,
        })
    }

    /// Ends at the first of them, and names it.
    pub async fn stop(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "Ctrl-C",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }

    /// From now on, the next Ctrl-C leaves at once. The engines then end with us: they are tied to our life.
    pub fn leave_at_the_next(mut self) {
        tokio::spawn(async move {
            let _ = self.interrupt.recv().await;
            crate::screen::say("left at once; the clusters recover at the next start");
            std::process::exit(EXIT_INTERRUPTED);
        });
    }
}
