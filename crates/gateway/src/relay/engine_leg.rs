//! Connection to the engine: its socket, and the bytes that it has not accepted yet.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tidegate_wire::slices::{OutOfBounds, tail};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;

/// Connection to the engine.
pub(crate) struct EngineLeg {
    stream: UnixStream,
    /// Bytes that the engine has not accepted yet. Has no allocation while empty.
    pending: Vec<u8>,
    sent: usize,
    /// Writing has failed. The engine's last packet (an error 1153, say) may still be unread.
    write_failed: bool,
}

impl EngineLeg {
    pub fn new(stream: UnixStream) -> Self {
        Self {
            stream,
            pending: Vec::new(),
            sent: 0,
            write_failed: false,
        }
    }

    /// Returns the number of bytes that the engine has not accepted yet.
    pub fn unsent(&self) -> usize {
        self.pending.len()
    }

    pub fn is_drained(&self) -> bool {
        self.pending.is_empty()
    }

    /// Whether writing has failed. Bytes sent from now on are dropped; the engine's answers can
    /// still be read.
    pub fn write_failed(&self) -> bool {
        self.write_failed
    }

    fn stop_writing(&mut self) {
        self.write_failed = true;
        self.pending = Vec::new();
        self.sent = 0;
    }

    /// Sends the bytes that the engine accepts at once, and keeps the rest for [`Self::flush`].
    pub fn send(&mut self, cx: &mut Context<'_>, mut bytes: &[u8]) -> Result<(), OutOfBounds> {
        // Never past kept bytes: they come first in the stream.
        while self.pending.is_empty() && !bytes.is_empty() && !self.write_failed {
            match Pin::new(&mut self.stream).poll_write(cx, bytes) {
                Poll::Ready(Ok(n)) => bytes = tail(bytes, n)?,
                Poll::Ready(Err(_)) => self.stop_writing(),
                Poll::Pending => break,
            }
        }
        if !self.write_failed {
            self.pending.extend_from_slice(bytes);
        }
        Ok(())
    }

    /// Sends kept bytes. Returns whether all have been sent.
    pub fn flush(&mut self, cx: &mut Context<'_>) -> bool {
        while let Some(rest) = self.pending.get(self.sent..).filter(|r| !r.is_empty()) {
            match Pin::new(&mut self.stream).poll_write(cx, rest) {
                Poll::Ready(Ok(n)) => self.sent += n,
                Poll::Ready(Err(_)) => self.stop_writing(),
                Poll::Pending => return false,
            }
        }
        if self.sent > 0 {
            self.pending = Vec::new();
            self.sent = 0;
        }
        true
    }

    /// Reads once. `Ok(0)`: the engine has closed.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buf = ReadBuf::new(into);
        match Pin::new(&mut self.stream).poll_read(cx, &mut buf) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(())) => Poll::Ready(Ok(buf.filled().len())),
            Poll::Ready(Err(e)) => Poll::Ready(Err(e)),
        }
    }
}
