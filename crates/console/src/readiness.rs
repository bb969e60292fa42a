//! State of the server for health checks: whether a load balancer should send new clients here.

use tidegate_control::Control;
use tokio_util::sync::CancellationToken;

/// Readiness of a server. All clones share the same state.
#[derive(Clone)]
pub struct Readiness {
    control: Control,
    opened: CancellationToken,
    draining: CancellationToken,
}

/// Answer of `/readyz`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadyState {
    Ready,
    /// The database's ports do not accept connections yet.
    Starting,
    /// Clusters that were not asleep when the server last stopped are recovered.
    Recovering,
    /// The server stops soon, and still accepts connections.
    Draining,
}

impl ReadyState {
    pub fn word(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Starting => "starting",
            Self::Recovering => "recovering",
            Self::Draining => "draining",
        }
    }
}

impl Readiness {
    pub fn new(control: Control) -> Self {
        Self {
            control,
            opened: CancellationToken::new(),
            draining: CancellationToken::new(),
        }
    }

    /// Records that the database's ports accept connections.
    pub fn set_opened(&self) {
        self.opened.cancel();
    }

    /// Waits until the database's ports accept connections.
    pub async fn wait_opened(&self) {
        self.opened.cancelled().await;
    }

    /// Records that the server is going to stop. There is no way back.
    pub fn set_draining(&self) {
        self.draining.cancel();
    }

    pub fn state(&self) -> ReadyState {
        if self.draining.is_cancelled() {
            ReadyState::Draining
        } else if !self.opened.is_cancelled() {
            ReadyState::Starting
        } else if !self.control.is_recovered() {
            ReadyState::Recovering
        } else {
            ReadyState::Ready
        }
    }
}
