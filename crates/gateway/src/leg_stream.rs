//! Stream to an engine during a login: plain, or TLS from some packet on. The relay takes it apart.

use crate::tls_stream::{PolledIo, poll_write_tls};
use rustls::ClientConnection;
use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// COM_QUIT packet, for the engine of a client that sends none there.
pub(crate) const QUIT: [u8; 5] = [1, 0, 0, 0, 1];

pub(crate) struct LegStream {
    stream: UnixStream,
    /// Boxed: it is large, and would enlarge every login.
    tls: Option<Box<ClientConnection>>,
}

impl LegStream {
    pub fn new(stream: UnixStream) -> Self {
        Self { stream, tls: None }
    }

    /// Goes on with a stream that a relay has used.
    pub fn resume(stream: UnixStream, tls: Option<Box<ClientConnection>>) -> Self {
        Self { stream, tls }
    }

    pub fn is_secure(&self) -> bool {
        self.tls.is_some()
    }

    /// Does the TLS handshake. What is written and read from now on is encrypted.
    pub async fn secure(&mut self, mut tls: Box<ClientConnection>) -> io::Result<()> {
        poll_fn(|cx| poll_handshake(&mut self.stream, &mut tls, cx)).await?;
        self.tls = Some(tls);
        Ok(())
    }

    pub async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(tls) = &mut self.tls else {
            return self.stream.write_all(bytes).await;
        };
        tls.writer().write_all(bytes)?;
        poll_fn(|cx| poll_write_tls(&mut self.stream, tls, cx)).await
    }

    /// Reads some bytes; 0 if the engine has closed.
    pub async fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else {
            return self.stream.read(into).await;
        };
        poll_fn(|cx| {
            loop {
                match tls.reader().read(into) {
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                    done => return Poll::Ready(done),
                }
                // At the end of the stream, the reader above returns `Ok(0)` in the next round.
                ready!(poll_read_tls(&mut self.stream, tls, cx))?;
            }
        })
        .await
    }

    /// Whether decrypted bytes wait to be read.
    pub fn has_plain_bytes(&mut self) -> io::Result<bool> {
        let Some(tls) = &mut self.tls else {
            return Ok(false);
        };
        let state = tls.process_new_packets().map_err(invalid)?;
        Ok(state.plaintext_bytes_to_read() > 0)
    }

    pub fn into_parts(self) -> (UnixStream, Option<Box<ClientConnection>>) {
        (self.stream, self.tls)
    }
}

fn poll_handshake(
    stream: &mut UnixStream,
    tls: &mut ClientConnection,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    loop {
        // The end of a TLS 1.3 handshake is written here too: the engine waits for it.
        ready!(poll_write_tls(stream, tls, cx))?;
        if !tls.is_handshaking() {
            return Poll::Ready(Ok(()));
        }
        if ready!(poll_read_tls(stream, tls, cx))? == 0 {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
    }
}

/// Reads once from the socket and decrypts what arrived. Returns the number of bytes read; 0 if the
/// engine has closed.
fn poll_read_tls(
    stream: &mut UnixStream,
    tls: &mut ClientConnection,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let read = match tls.read_tls(&mut PolledIo {
        stream: &mut *stream,
        cx: &mut *cx,
    }) {
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
        read => read?,
    };
    if let Err(e) = tls.process_new_packets() {
        // Sends the alert, which the engine logs.
        let _ = poll_write_tls(stream, tls, cx);
        return Poll::Ready(Err(invalid(e)));
    }
    Poll::Ready(Ok(read))
}

fn invalid(error: rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
