//! Connection to the client: a TLS session over TCP. It is driven without tokio's TLS stream, so
//! that plain bytes pass through the buffers of the worker thread and a session needs none.

use super::records::{LegRead, RECORD, drain_plain, open_records, read_room};
use super::reset_watch::ResetWatch;
use crate::compression::ClientCompression;
use crate::limits;
use crate::openssl_names::openssl_facts;
use crate::tls_stream::{ClientParts, poll_write_tls};
use rustls::{ProtocolVersion, ServerConnection};
use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tidegate_wire::slices::head_mut;
use tidegate_wire::tls_status::TlsFacts;
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;
use zeroize::Zeroizing;

/// Connection to the client.
pub(crate) struct ClientLeg {
    tcp: TcpStream,
    tls: ServerConnection,
    /// Records sealed under one key. Counted for TLS 1.2 only: TLS 1.3 renews its keys.
    records: u64,
    counts_records: bool,
    /// Bytes sealed since the buffer was last empty.
    unsent: usize,
    /// Boxed, so that a session without it has no room for it.
    pub compression: Option<Box<ClientCompression>>,
    /// The client has sent close_notify.
    closed: bool,
    /// The client has closed its side of the TCP connection.
    ended: bool,
}

impl ClientLeg {
    pub fn new(parts: ClientParts) -> (Self, Zeroizing<Vec<u8>>) {
        let ClientParts {
            tcp,
            mut tls,
            records,
            ahead,
            compression,
        } = parts;
        tls.set_buffer_limit(Some(limits::TLS_OUT_MAX));
        let counts_records = tls.protocol_version() == Some(ProtocolVersion::TLSv1_2);
        let leg = Self {
            tcp,
            tls,
            records,
            counts_records,
            unsent: 0,
            compression,
            closed: false,
            ended: false,
        };
        (leg, ahead)
    }

    /// Returns the parts with which a login goes on. `ahead`: plain bytes that it reads first.
    pub fn into_parts(self, ahead: Zeroizing<Vec<u8>>) -> ClientParts {
        ClientParts {
            tcp: self.tcp,
            tls: self.tls,
            records: self.records,
            ahead,
            compression: self.compression,
        }
    }

    /// Watches a connection whose client has closed its side.
    pub fn watch_reset(&self) -> io::Result<ResetWatch> {
        ResetWatch::new(&self.tcp)
    }

    /// Returns version and cipher of the client's connection.
    pub fn tls_facts(&self) -> TlsFacts {
        openssl_facts(&self.tls)
    }

    pub fn records_sealed(&self) -> u64 {
        self.records
    }

    /// Compresses plain bytes for the client, if it asked for that, and encrypts them. They leave
    /// with the next flush.
    pub fn seal(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.compression.take() {
            None => self.encrypt(bytes),
            Some(mut compression) => {
                let sealed = compression.pack(bytes, |frames| self.encrypt(frames));
                self.compression = Some(compression);
                sealed
            }
        }
    }

    fn encrypt(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.counts_records {
            self.records += (bytes.len() as u64).div_ceil(RECORD);
        }
        self.unsent += bytes.len();
        self.tls.writer().write_all(bytes)
    }

    /// Returns the bytes that this connection keeps while it waits.
    pub fn held_bytes(&self) -> usize {
        let compression = self.compression.as_ref();
        self.unsent + compression.map_or(0, |c| c.held_bytes())
    }

    /// Whether nothing of the client is left to be decompressed.
    pub fn is_unpacked(&self) -> bool {
        self.compression.as_ref().is_none_or(|c| c.is_empty())
    }

    /// Writes the sealed records. Pending: the client does not read.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = poll_write_tls(&mut self.tcp, &mut self.tls, cx);
        if matches!(flushed, Poll::Ready(Ok(()))) {
            self.unsent = 0;
        }
        flushed
    }

    /// Returns the number of bytes that the client has not read yet, or a little more.
    pub fn unsent(&self) -> usize {
        self.unsent
    }

    /// Takes plain bytes that arrived together with the login, before the relay began.
    pub fn buffered(&mut self, plain: &mut [u8]) -> io::Result<usize> {
        drain_plain(&mut self.tls, plain, 0)
    }

    /// Reads once from the socket and decrypts what arrived.
    pub fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        cipher: &mut [u8],
        plain: &mut [u8],
    ) -> Poll<io::Result<LegRead>> {
        let room = read_room(cipher);
        let mut buf = ReadBuf::new(head_mut(cipher, room).map_err(io::Error::other)?);
        match Pin::new(&mut self.tcp).poll_read(cx, &mut buf) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Err(e)) => return Poll::Ready(Err(e)),
            Poll::Ready(Ok(())) => {}
        }
        if buf.filled().is_empty() {
            self.ended = true;
            return Poll::Ready(Ok(LegRead::End));
        }
        let opened = match open_records(&mut self.tls, buf.filled(), plain) {
            Ok(opened) => opened,
            Err(e) => {
                // Sends the alert that tells the client why.
                let _ = self.poll_flush(cx);
                return Poll::Ready(Err(e));
            }
        };
        self.closed |= opened.closed;
        // close_notify ends the stream, even if the client leaves its TCP connection open.
        if opened.bytes == 0 && self.closed {
            return Poll::Ready(Ok(LegRead::End));
        }
        Poll::Ready(Ok(LegRead::Plain(opened.bytes)))
    }

    /// Sends the sealed records and close_notify, and closes for writing. Then reads and discards
    /// for a while: closing with unread bytes would send a reset, which can destroy the last error
    /// packet before the client reads it.
    pub async fn close(mut self, linger: Option<Duration>) {
        if linger.is_none() && self.ended && !self.tls.wants_write() {
            // The client has closed first and nothing is left to send: close_notify would only be
            // answered by a reset.
            return;
        }
        self.tls.send_close_notify();
        let until = Instant::now() + limits::REFUSAL_WRITE;
        let flushed =
            tokio::time::timeout_at(until, std::future::poll_fn(|cx| self.poll_flush(cx))).await;
        if !matches!(flushed, Ok(Ok(()))) || self.tcp.shutdown().await.is_err() {
            return;
        }
        let Some(linger) = linger else { return };
        let until = Instant::now() + linger;
        let mut discarded = 0;
        while discarded < limits::LINGER_BYTES {
            match tokio::time::timeout_at(until, self.tcp.readable()).await {
                Ok(Ok(())) => {}
                _ => return,
            }
            let read = super::SCRATCH.with_borrow_mut(|s| self.tcp.try_read(&mut s.cipher));
            match read {
                Ok(0) => return,
                Ok(n) => discarded += n,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    }
}
