//! The leg to the client: a TLS session over TCP, driven without tokio's TLS stream, so that plain
//! bytes pass through the thread's scratch buffers and nothing is held per session.

use crate::limits;
use crate::tls_stream::poll_write_tls;
use rustls::{ProtocolVersion, ServerConnection};
use std::io::{self, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tidegate_wire::slices::{head_mut, tail_mut};
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// rustls cuts plain text into records of at most this.
const RECORD: u64 = 16 * 1024;

pub(crate) struct ClientLeg {
    tcp: TcpStream,
    tls: ServerConnection,
    /// Records sealed under a key that is never renewed (TLS 1.2); stays 0 in TLS 1.3.
    records: u64,
    counts_records: bool,
    /// Bytes sealed since all was written.
    unsent: usize,
    /// The client has said close_notify.
    closed: bool,
    /// The client has closed its side of the connection itself.
    ended: bool,
}

/// What a read from the client brought.
pub(crate) enum Arrived {
    /// This many plain bytes in the scratch buffer (0: only TLS's own messages came).
    Plain(usize),
    /// The client closed its side.
    End,
}

impl ClientLeg {
    pub fn new(tcp: TcpStream, mut tls: ServerConnection) -> Self {
        tls.set_buffer_limit(Some(limits::TLS_OUT_MAX));
        let counts_records = tls.protocol_version() == Some(ProtocolVersion::TLSv1_2);
        Self {
            tcp,
            tls,
            records: 0,
            counts_records,
            unsent: 0,
            closed: false,
            ended: false,
        }
    }

    pub fn records_sealed(&self) -> u64 {
        self.records
    }

    /// Seals plain bytes for the client. They leave with the next flush.
    pub fn seal(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.counts_records {
            self.records += (bytes.len() as u64).div_ceil(RECORD);
        }
        self.unsent += bytes.len();
        self.tls.writer().write_all(bytes)
    }

    /// Writes what is sealed. Pending: the client does not read.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = poll_write_tls(&mut self.tcp, &mut self.tls, cx);
        if matches!(flushed, Poll::Ready(Ok(()))) {
            self.unsent = 0;
        }
        flushed
    }

    /// Bytes that the client has not taken yet, or a little more.
    pub fn unsent(&self) -> usize {
        self.unsent
    }

    /// Plain bytes that arrived together with the login, before the relay began.
    pub fn buffered(&mut self, plain: &mut [u8]) -> io::Result<usize> {
        self.drain(plain, 0)
    }

    /// Reads once from the socket and opens what came.
    pub fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        cipher: &mut [u8],
        plain: &mut [u8],
    ) -> Poll<io::Result<Arrived>> {
        // A read may open slightly more than it brought (a record's first part came earlier): leave
        // room for that.
        let room = cipher.len().saturating_sub(2 * RECORD as usize);
        let mut buf = ReadBuf::new(head_mut(cipher, room).map_err(io::Error::other)?);
        match Pin::new(&mut self.tcp).poll_read(cx, &mut buf) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Err(e)) => return Poll::Ready(Err(e)),
            Poll::Ready(Ok(())) => {}
        }
        if buf.filled().is_empty() {
            self.ended = true;
            return Poll::Ready(Ok(Arrived::End));
        }
        let mut sealed = buf.filled();
        let mut opened = 0;
        while !sealed.is_empty() {
            self.tls.read_tls(&mut sealed)?;
            match self.tls.process_new_packets() {
                Ok(state) => self.closed |= state.peer_has_closed(),
                Err(e) => {
                    // The alert that tells the client why leaves with the last flush.
                    let _ = self.poll_flush(cx);
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, e)));
                }
            }
            opened = self.drain(plain, opened)?;
        }
        if opened == 0 && self.closed {
            return Poll::Ready(Ok(Arrived::End));
        }
        Poll::Ready(Ok(Arrived::Plain(opened)))
    }

    /// Moves opened bytes behind the first `at` of `plain`; gives how many lie there now.
    fn drain(&mut self, plain: &mut [u8], mut at: usize) -> io::Result<usize> {
        loop {
            let room = tail_mut(plain, at).map_err(io::Error::other)?;
            if room.is_empty() {
                return Err(io::Error::other("more plain bytes than a read can bring"));
            }
            match self.tls.reader().read(room) {
                Ok(0) => return Ok(at),
                Ok(n) => at += n,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(at),
                // Closed without close_notify: MySQL clients do so all the time after COM_QUIT.
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(at),
                Err(e) => return Err(e),
            }
        }
    }

    /// Says goodbye: what is sealed, close_notify, write shutdown; then reads and discards for a
    /// while, so that no reset destroys the last error on its way.
    pub async fn close(mut self, linger: Option<Duration>) {
        if linger.is_none() && self.ended && !self.tls.wants_write() {
            // Nothing is left to say, and after a client's own close only a reset would answer our
            // goodbye.
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
