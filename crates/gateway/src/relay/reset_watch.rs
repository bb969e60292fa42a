//! Watch for the reset of a connection whose client has closed its side. Reading tells nothing more
//! then, and the socket is always writable.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// Watch of one connection. Its task ends with it.
pub(crate) struct ResetWatch(JoinHandle<()>);

impl ResetWatch {
    /// Registers a second descriptor of the socket, whose errors are waited for: a reset, or a
    /// client that answers no keepalive.
    pub fn new(tcp: &TcpStream) -> io::Result<Self> {
        let fd: OwnedFd = tcp.as_fd().try_clone_to_owned()?;
        let watched = TcpStream::from_std(fd.into())?;
        Ok(Self(tokio::spawn(async move {
            // An error of the registration ends the session too.
            let _ = watched.ready(Interest::ERROR).await;
        })))
    }

    /// Ready when the connection has failed.
    pub fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx).map(drop)
    }
}

impl Drop for ResetWatch {
    fn drop(&mut self) {
        self.0.abort();
    }
}
