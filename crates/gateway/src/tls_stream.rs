//! TLS session of a client until it relays: the handshake, then a stream of plain bytes.
//!
//! Unlike the stream of tokio-rustls it delays writes until they are needed, which saves system
//! calls: the ticket that ends a TLS 1.3 handshake leaves together with the next packet, and
//! written bytes leave with the flush.

use crate::compression::ClientCompression;
use crate::limits::HANDSHAKE_BYTES_MAX;
use rustls::{ConnectionCommon, ProtocolVersion, ServerConfig, ServerConnection};
use std::io::{self, IoSlice, Read, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tidegate_tls::Turns;
use tidegate_wire::slices::split_at_most;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use zeroize::Zeroizing;

pub(crate) struct TlsStream {
    tcp: TcpStream,
    tls: ServerConnection,
    turns: Turns,
    /// Bytes that were read and wait for a turn to be processed.
    unprocessed: usize,
    /// Bytes that the client has sent in its handshake so far.
    handshake_bytes: usize,
    /// Records sealed under one key before this login.
    records: u64,
    /// Plain bytes that a relay had read before this login, which come first.
    ahead: Zeroizing<Vec<u8>>,
    /// Compression of a client that changes the user.
    compression: Option<Box<ClientCompression>>,
}

/// Connection of a client between a login and a relay.
pub(crate) struct ClientParts {
    pub tcp: TcpStream,
    pub tls: ServerConnection,
    /// Records sealed under one key so far.
    pub records: u64,
    /// Plain bytes that were read and belong to what follows.
    pub ahead: Zeroizing<Vec<u8>>,
    pub compression: Option<Box<ClientCompression>>,
}

impl TlsStream {
    /// Accepts a handshake. All cryptography that the client causes, in the handshake and until the
    /// relay begins, waits for its turn among all unproven connections.
    pub async fn accept(
        tcp: TcpStream,
        config: Arc<ServerConfig>,
        turns: Turns,
    ) -> io::Result<Self> {
        let tls = ServerConnection::new(config).map_err(io::Error::other)?;
        let mut stream = Self {
            tcp,
            tls,
            turns,
            unprocessed: 0,
            handshake_bytes: 0,
            records: 0,
            ahead: Zeroizing::default(),
            compression: None,
        };
        std::future::poll_fn(|cx| stream.poll_handshake(cx)).await?;
        Ok(stream)
    }

    /// Goes on with a connection that a relay has used.
    pub fn resume(parts: ClientParts, turns: Turns) -> Self {
        let ClientParts {
            tcp,
            tls,
            records,
            ahead,
            compression,
        } = parts;
        Self {
            tcp,
            tls,
            turns,
            unprocessed: 0,
            handshake_bytes: 0,
            records,
            ahead,
            compression,
        }
    }

    pub fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    pub fn session(&self) -> &ServerConnection {
        &self.tls
    }

    /// Returns the parts with which the relay goes on. Sealed bytes that were not sent yet leave
    /// with the relay's first flush.
    pub fn into_parts(self) -> ClientParts {
        ClientParts {
            tcp: self.tcp,
            tls: self.tls,
            records: self.records,
            ahead: self.ahead,
            compression: self.compression,
        }
    }

    /// Moves bytes that were read ahead. Returns whether there were any.
    fn take_ahead(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        if self.ahead.is_empty() {
            return false;
        }
        let n = self.ahead.len().min(buf.remaining());
        let (now, _) = split_at_most(&self.ahead, n);
        buf.put_slice(now);
        self.ahead.drain(..n);
        if self.ahead.is_empty() {
            self.ahead = Zeroizing::default();
        }
        true
    }

    fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let is_done = !self.tls.is_handshaking();
            // After a TLS 1.3 handshake only the ticket is left, for which no client waits. TLS 1.2
            // ends with the server's Finished, and the client sends nothing before it.
            if !is_done || self.tls.protocol_version() == Some(ProtocolVersion::TLSv1_2) {
                ready!(poll_write_tls(&mut self.tcp, &mut self.tls, cx))?;
            }
            if is_done {
                return Poll::Ready(Ok(()));
            }
            if ready!(self.poll_read_tls(cx))? == 0 {
                return Poll::Ready(Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "closed during the TLS handshake",
                )));
            }
        }
    }

    /// Reads once from the socket and decrypts what arrived. Returns the number of bytes read; 0 if
    /// the client closed its side.
    fn poll_read_tls(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.unprocessed == 0 {
            if self.handshake_bytes == 0 {
                // Before the first read: rustls allocates a buffer before it finds that nothing has
                // arrived. Later reads release what a large record took.
                ready!(self.tcp.poll_read_ready(cx))?;
            }
            let read = match self.tls.read_tls(&mut PolledIo {
                stream: &mut self.tcp,
                cx,
            }) {
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
                Err(e) => return Poll::Ready(Err(e)),
            };
            if self.tls.is_handshaking() {
                self.handshake_bytes += read;
                if self.handshake_bytes > HANDSHAKE_BYTES_MAX {
                    let error = format!("handshake of more than {HANDSHAKE_BYTES_MAX} bytes");
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, error)));
                }
            }
            if read == 0 {
                // The end of the stream costs no cryptography, so it needs no turn.
                return Poll::Ready(
                    self.tls
                        .process_new_packets()
                        .map(|_| 0)
                        .map_err(io::Error::other),
                );
            }
            self.unprocessed = read;
        }
        let Some(turn) = ready!(self.turns.poll_turn(cx)) else {
            return Poll::Ready(Err(io::Error::other("the server is stopping")));
        };
        let read = std::mem::take(&mut self.unprocessed);
        if let Err(e) = turn.run(|| self.tls.process_new_packets()) {
            // Sends the alert that tells the client why.
            let _ = poll_write_tls(&mut self.tcp, &mut self.tls, cx);
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, e)));
        }
        Poll::Ready(Ok(read))
    }
}

/// Bytes that are decompressed at once during a login.
const PIECE: usize = 2048;

impl TlsStream {
    /// Reads from a client that compresses.
    fn poll_unpacked(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut piece = Zeroizing::new([0; PIECE]);
        if let Some(compression) = &mut self.compression {
            compression.begin_turn();
        }
        loop {
            let unpacked = match &mut self.compression {
                Some(compression) if compression.has_packed() => {
                    let n = compression
                        .unpack_login(&mut piece[..])
                        .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
                    let (plain, _) = split_at_most(&piece[..], n);
                    self.ahead.extend_from_slice(plain);
                    true
                }
                _ => false,
            };
            if self.take_ahead(buf) {
                return Poll::Ready(Ok(()));
            }
            if unpacked {
                // Frames without content may go on without end.
                if self.compression.as_ref().is_some_and(|c| c.ends_turn(cx)) {
                    return Poll::Pending;
                }
                continue;
            }
            match self.tls.reader().read(&mut piece[..]) {
                Ok(0) => return Poll::Ready(Ok(())),
                Ok(n) => {
                    let (packed, _) = split_at_most(&piece[..], n);
                    if let Some(compression) = &mut self.compression {
                        compression.keep(packed);
                    }
                    continue;
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => return Poll::Ready(Err(e)),
            }
            ready!(self.poll_read_tls(cx))?;
        }
    }
}

impl AsyncRead for TlsStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buf.remaining() == 0 || self.take_ahead(buf) {
            return Poll::Ready(Ok(()));
        }
        if self.compression.is_some() {
            return self.poll_unpacked(cx, buf);
        }
        loop {
            match self.tls.reader().read(buf.initialize_unfilled()) {
                Ok(n) => {
                    buf.advance(n);
                    return Poll::Ready(Ok(()));
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => return Poll::Ready(Err(e)),
            }
            // At the end of the stream, the reader above returns `Ok(0)` in the next round.
            ready!(self.poll_read_tls(cx))?;
        }
    }
}

impl AsyncWrite for TlsStream {
    /// Encrypts the bytes; the flush sends them. The buffer of rustls is bounded, and is written
    /// out first when it is full.
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if let Some(compression) = &mut this.compression {
            // A login's packets are short, so they have room.
            compression.pack(bytes, |frames| this.tls.writer().write_all(frames))?;
            return Poll::Ready(Ok(bytes.len()));
        }
        let sealed = this.tls.writer().write(bytes)?;
        if sealed > 0 || bytes.is_empty() {
            return Poll::Ready(Ok(sealed));
        }
        ready!(poll_write_tls(&mut this.tcp, &mut this.tls, cx))?;
        Poll::Ready(this.tls.writer().write(bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        poll_write_tls(&mut this.tcp, &mut this.tls, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        // rustls sends close_notify once, however often this is polled.
        this.tls.send_close_notify();
        ready!(poll_write_tls(&mut this.tcp, &mut this.tls, cx))?;
        Pin::new(&mut this.tcp).poll_shutdown(cx)
    }
}

/// Writes the sealed records, many in one system call. Pending: the client does not read.
pub(crate) fn poll_write_tls<S: AsyncWrite + Unpin, D>(
    stream: &mut S,
    tls: &mut ConnectionCommon<D>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    while tls.wants_write() {
        match tls.write_tls(&mut PolledIo {
            stream: &mut *stream,
            cx: &mut *cx,
        }) {
            Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
            Err(e) => return Poll::Ready(Err(e)),
        }
    }
    Poll::Ready(Ok(()))
}

/// Socket as rustls reads and writes it, without a copy in between.
pub(crate) struct PolledIo<'a, 'c, S> {
    pub stream: &'a mut S,
    pub cx: &'a mut Context<'c>,
}

fn done<T>(poll: Poll<io::Result<T>>) -> io::Result<T> {
    match poll {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

impl<S: AsyncRead + Unpin> Read for PolledIo<'_, '_, S> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut buf = ReadBuf::new(into);
        done(Pin::new(&mut *self.stream).poll_read(self.cx, &mut buf))?;
        Ok(buf.filled().len())
    }
}

impl<S: AsyncWrite + Unpin> Write for PolledIo<'_, '_, S> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        done(Pin::new(&mut *self.stream).poll_write(self.cx, buf))
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        done(Pin::new(&mut *self.stream).poll_write_vectored(self.cx, bufs))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
