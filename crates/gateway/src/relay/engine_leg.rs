//! The leg to the engine: its Unix socket, and the bytes it did not take yet.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tidegate_wire::slices::{OutOfBounds, tail};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;

pub(crate) struct EngineLeg {
    stream: UnixStream,
    /// What the engine did not take yet. Holds no memory while empty.
    pending: Vec<u8>,
    sent: usize,
    /// It takes no more, but what it said last (1153, say) may still be there to be read.
    deaf: bool,
}

impl EngineLeg {
    pub fn new(stream: UnixStream) -> Self {
        Self {
            stream,
            pending: Vec::new(),
            sent: 0,
            deaf: false,
        }
    }

    /// Bytes that the engine has not taken yet.
    pub fn unsent(&self) -> usize {
        self.pending.len()
    }

    pub fn is_drained(&self) -> bool {
        self.pending.is_empty()
    }

    /// Whether the engine has closed its ear. Nothing sent now arrives; what it said can still be
    /// read.
    pub fn is_deaf(&self) -> bool {
        self.deaf
    }

    fn turn_deaf(&mut self) {
        self.deaf = true;
        self.pending = Vec::new();
        self.sent = 0;
    }

    /// Sends at once what the engine takes; keeps the rest for `poll_flush`.
    pub fn send(&mut self, cx: &mut Context<'_>, mut bytes: &[u8]) -> Result<(), OutOfBounds> {
        while self.pending.is_empty() && !bytes.is_empty() && !self.deaf {
            match Pin::new(&mut self.stream).poll_write(cx, bytes) {
                Poll::Ready(Ok(n)) => bytes = tail(bytes, n)?,
                Poll::Ready(Err(_)) => self.turn_deaf(),
                Poll::Pending => break,
            }
        }
        if !self.deaf {
            self.pending.extend_from_slice(bytes);
        }
        Ok(())
    }

    /// Whether all has been sent.
    pub fn flush(&mut self, cx: &mut Context<'_>) -> bool {
        while let Some(rest) = self.pending.get(self.sent..).filter(|r| !r.is_empty()) {
            match Pin::new(&mut self.stream).poll_write(cx, rest) {
                Poll::Ready(Ok(n)) => self.sent += n,
                Poll::Ready(Err(_)) => self.turn_deaf(),
                Poll::Pending => return false,
            }
        }
        if self.sent > 0 {
            self.pending = Vec::new();
            self.sent = 0;
        }
        true
    }

    /// Reads once. `Ok(0)`: the engine closed.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buf = ReadBuf::new(into);
        match Pin::new(&mut self.stream).poll_read(cx, &mut buf) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(())) => Poll::Ready(Ok(buf.filled().len())),
            Poll::Ready(Err(e)) => Poll::Ready(Err(e)),
        }
    }
}
