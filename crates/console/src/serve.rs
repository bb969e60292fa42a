//! The API on the control socket. Never on the network: that is another listener's work.

use crate::api::router;
use crate::bounded::{self, ConnectionBounds};
use crate::state::Api;
use crate::{limits, socket};
use std::io;
use std::path::{Path, PathBuf};
use tokio::net::UnixListener;

/// The bound control socket. Dropped, its file is removed.
#[derive(Debug)]
pub struct ControlSocket {
    listener: UnixListener,
    file: Removed,
}

/// Removes the file when dropped.
#[derive(Debug)]
struct Removed(PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl ControlSocket {
    /// Only for the holder of the data directory's lock.
    pub fn bind(data: &Path) -> io::Result<Self> {
        Ok(Self {
            listener: socket::bind(data)?,
            file: Removed(socket::path(data)),
        })
    }

    /// Serves until `stop`; then no new request is taken, and open ones have a moment to end.
    pub async fn serve(self, api: Api, stop: impl Future<Output = ()> + Send + 'static) {
        let bounds = ConnectionBounds {
            connections: limits::CONTROL_CONNECTIONS_MAX,
            life: None,
        };
        bounded::serve_bounded(self.listener, router(api), bounds, stop).await;
        drop(self.file);
    }
}
