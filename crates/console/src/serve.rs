//! The API on the control socket.

use crate::api::router;
use crate::bounded::{self, ConnectionBounds};
use crate::state::Api;
use crate::{limits, socket};
use std::io;
use std::path::{Path, PathBuf};
use tokio::net::UnixListener;

/// Bound control socket. Its file is removed when it is dropped.
#[derive(Debug)]
pub struct ControlSocket {
    listener: UnixListener,
    file: SocketFile,
}

/// File that is removed when this is dropped.
#[derive(Debug)]
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl ControlSocket {
    /// Binds the socket. The caller must hold the lock of the data directory.
    pub fn bind(data: &Path) -> io::Result<Self> {
        Ok(Self {
            listener: socket::bind(data)?,
            file: SocketFile(socket::path(data)),
        })
    }

    /// Serves until `stop`. Then open requests may finish within [`limits::GOODBYE_MAX`].
    pub async fn serve(self, api: Api, stop: impl Future<Output = ()> + Send + 'static) {
        let bounds = ConnectionBounds {
            connections: limits::CONTROL_CONNECTIONS_MAX,
            life: None,
        };
        bounded::serve_bounded(self.listener, router(api), bounds, stop).await;
        drop(self.file);
    }
}
