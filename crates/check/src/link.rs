//! A TCP connection with a deadline and a bound on the bytes read; and the visitor, which opens and
//! counts connections.

use crate::limits::{CONNECT_MAX, CONNECTION_BYTES_MAX};
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Number of the server's first bytes that are kept as evidence.
const FIRST_BYTES: usize = 16;

/// Opens the connections of one check.
#[derive(Debug, Default)]
pub(crate) struct CheckConnector {
    opened: AtomicUsize,
}

impl CheckConnector {
    pub fn opened(&self) -> usize {
        self.opened.load(Ordering::Relaxed)
    }

    /// Counts a connection that was opened elsewhere.
    pub fn count(&self) {
        self.opened.fetch_add(1, Ordering::Relaxed);
    }

    pub fn open(&self, address: SocketAddr, lifetime: Duration) -> io::Result<Link> {
        self.count();
        // Before connecting, because the time to the first row includes it.
        let began = Instant::now();
        let stream = TcpStream::connect_timeout(&address, CONNECT_MAX.min(lifetime))?;
        // The probes that send byte by byte need a segment for each byte.
        stream.set_nodelay(true)?;
        Ok(Link {
            stream,
            began,
            deadline: began + lifetime,
            left: CONNECTION_BYTES_MAX,
            first: Vec::new(),
        })
    }
}

#[derive(Debug)]
pub(crate) struct Link {
    stream: TcpStream,
    pub began: Instant,
    deadline: Instant,
    left: usize,
    first: Vec<u8>,
}

impl Link {
    /// Sets a new deadline, from now on.
    pub fn end_in(&mut self, lifetime: Duration) {
        self.deadline = Instant::now() + lifetime;
    }

    /// Forgets the first bytes. The next ones are kept instead.
    pub fn mark(&mut self) {
        self.first.clear();
    }

    /// Returns the first bytes since the mark.
    pub fn first(&self) -> &[u8] {
        &self.first
    }

    fn time_left(&self) -> io::Result<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            Err(io::ErrorKind::TimedOut.into())
        } else {
            Ok(left)
        }
    }

    /// Reads up to `max` bytes. Returns what came before the end or an error.
    pub fn gather(&mut self, max: usize) -> (Vec<u8>, End) {
        let mut all = Vec::new();
        let limit = u64::try_from(max).unwrap_or(u64::MAX);
        match Read::by_ref(self).take(limit).read_to_end(&mut all) {
            Err(error) => (all, End::of(&error)),
            Ok(_) if all.len() < max => (all, End::Closed),
            Ok(_) => (all, End::Full),
        }
    }
}

/// How reading ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Closed,
    Reset,
    /// Nothing came within the time.
    Silent,
    /// All requested bytes came.
    Full,
}

impl End {
    pub fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Self::Silent,
            io::ErrorKind::UnexpectedEof => Self::Closed,
            _ => Self::Reset,
        }
    }

    pub fn words(self) -> &'static str {
        match self {
            Self::Closed => "the connection was closed",
            Self::Reset => "the connection was reset",
            Self::Silent => "nothing came in time",
            Self::Full => "it went on",
        }
    }
}

impl Read for Link {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::Error::other(format!(
                "more than {CONNECTION_BYTES_MAX} bytes came"
            )));
        }
        let room = buffer.len().min(self.left);
        // Set again for each read: a socket's timeout restarts with every byte, the deadline does
        // not.
        self.stream.set_read_timeout(Some(self.time_left()?))?;
        let buffer = buffer.get_mut(..room).unwrap_or_default();
        let n = loop {
            match self.stream.read(buffer) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                // The name of a socket's timeout error differs between systems.
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                other => break other?,
            }
        };
        self.left -= n;
        let more = FIRST_BYTES.saturating_sub(self.first.len()).min(n);
        self.first.extend(buffer.iter().take(more));
        Ok(n)
    }
}

impl Write for Link {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(self.time_left()?))?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // Closes the connection in order. It does not matter if it is already closed.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}
