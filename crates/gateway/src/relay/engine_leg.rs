//! Connection to the engine: its socket, the bytes that it has not accepted yet, and TLS for an
//! account that requires it.

use super::records::{LegRead, RECORD, open_records, read_room};
use crate::leg_stream::LegStream;
use crate::tls_stream::poll_write_tls;
use rustls::{ClientConnection, ProtocolVersion};
use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll};
use tidegate_wire::slices::{OutOfBounds, head_mut, tail};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;

/// Connection to the engine.
pub(crate) struct EngineLeg {
    stream: UnixStream,
    /// Boxed, so that a session without it has no room for it.
    tls: Option<Box<LegTls>>,
    /// Bytes that the engine has not accepted yet. Has no allocation while empty. Over TLS, rustls
    /// keeps them.
    pending: Vec<u8>,
    sent: usize,
    /// Writing has failed. The engine's last packet (an error 1153, say) may still be unread.
    write_failed: bool,
}

/// TLS of a connection to the engine.
struct LegTls {
    session: Box<ClientConnection>,
    /// Bytes sealed since the buffer was last empty.
    unsent: usize,
    /// Records sealed under one key. Counted for TLS 1.2 only: TLS 1.3 renews its keys.
    records: u64,
    counts_records: bool,
}

impl EngineLeg {
    /// `records`: those that were sealed for the engine before.
    pub fn new(stream: UnixStream, tls: Option<Box<ClientConnection>>, records: u64) -> Self {
        let tls = tls.map(|mut session| {
            // The driver sends only what it has just read, and nothing before that has left.
            session.set_buffer_limit(None);
            let counts_records = session.protocol_version() == Some(ProtocolVersion::TLSv1_2);
            Box::new(LegTls {
                session,
                unsent: 0,
                records,
                counts_records,
            })
        });
        Self {
            stream,
            tls,
            pending: Vec::new(),
            sent: 0,
            write_failed: false,
        }
    }

    /// Returns the stream of a drained leg, and the number of records sealed for the engine.
    pub fn into_parts(self) -> (LegStream, u64) {
        let records = self.records_sealed();
        let tls = self.tls.map(|tls| tls.session);
        (LegStream::resume(self.stream, tls), records)
    }

    /// Returns the number of bytes that the engine has not accepted yet, or a little more.
    pub fn unsent(&self) -> usize {
        self.pending.len() + self.tls.as_ref().map_or(0, |tls| tls.unsent)
    }

    pub fn is_drained(&self) -> bool {
        self.unsent() == 0
    }

    /// Returns the records that were sealed for the engine, if their number is limited.
    pub fn records_sealed(&self) -> u64 {
        self.tls.as_ref().map_or(0, |tls| tls.records)
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
        if let Some(tls) = &mut self.tls {
            tls.unsent = 0;
        }
    }

    /// Sends the bytes that the engine accepts at once, and keeps the rest for [`Self::flush`].
    pub fn send(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Result<(), OutOfBounds> {
        if self.write_failed {
            return Ok(());
        }
        match &mut self.tls {
            None => return self.send_plain(cx, bytes),
            Some(tls) => {
                if tls.seal(bytes).is_err() {
                    self.stop_writing();
                }
            }
        }
        self.flush(cx);
        Ok(())
    }

    fn send_plain(&mut self, cx: &mut Context<'_>, mut bytes: &[u8]) -> Result<(), OutOfBounds> {
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
        if let Some(tls) = &mut self.tls {
            // Also without bytes of the client: TLS sends messages by itself.
            let flushed = match self.write_failed {
                true => Poll::Ready(Ok(())),
                false => poll_write_tls(&mut self.stream, &mut tls.session, cx),
            };
            match flushed {
                Poll::Ready(Ok(())) => tls.unsent = 0,
                Poll::Ready(Err(_)) => self.stop_writing(),
                Poll::Pending => return false,
            }
            return true;
        }
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

    /// Reads once into `plain`; `cipher` is the buffer for what arrives over TLS.
    pub fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        cipher: &mut [u8],
        plain: &mut [u8],
    ) -> Poll<io::Result<LegRead>> {
        let Some(tls) = &mut self.tls else {
            return poll_stream(&mut self.stream, cx, plain).map_ok(|n| match n {
                0 => LegRead::End,
                n => LegRead::Plain(n),
            });
        };
        let room = read_room(cipher);
        let cipher = head_mut(cipher, room).map_err(io::Error::other)?;
        let n = match poll_stream(&mut self.stream, cx, cipher) {
            Poll::Ready(Ok(n)) => n,
            Poll::Ready(Err(e)) => return Poll::Ready(Err(e)),
            Poll::Pending => return Poll::Pending,
        };
        let sealed = head_mut(cipher, n).map_err(io::Error::other)?;
        let opened = open_records(&mut tls.session, sealed, plain)?;
        let ended = n == 0 || opened.closed && opened.bytes == 0;
        Poll::Ready(Ok(match ended {
            true => LegRead::End,
            false => LegRead::Plain(opened.bytes),
        }))
    }
}

impl LegTls {
    fn seal(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.counts_records {
            self.records += (bytes.len() as u64).div_ceil(RECORD);
        }
        self.unsent += bytes.len();
        self.session.writer().write_all(bytes)
    }
}

fn poll_stream(
    stream: &mut UnixStream,
    cx: &mut Context<'_>,
    into: &mut [u8],
) -> Poll<io::Result<usize>> {
    let mut buf = ReadBuf::new(into);
    let read = Pin::new(stream).poll_read(cx, &mut buf);
    read.map_ok(|()| buf.filled().len())
}
