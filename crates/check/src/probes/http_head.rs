//! Head of a web server's response, over TLS or plain TCP: its request, its status line and the
//! headers that are judged.

use crate::clean::clean;
use crate::limits::WEB_HEAD_MAX;
use std::io::{Read, Write};

/// A response that begins with `HTTP/`.
#[derive(Debug)]
pub(super) struct HttpHead {
    text: String,
}

/// Requests `/` and returns the bytes of the response, up to the end of its head. The method is
/// GET, because small servers know no HEAD.
pub(super) fn request_head(stream: &mut (impl Read + Write), host: &str) -> Vec<u8> {
    let request = format!(
        "GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nUser-Agent: tidegate-check\r\n\r\n"
    );
    let mut bytes = Vec::new();
    if stream
        .write_all(request.as_bytes())
        .and_then(|()| stream.flush())
        .is_ok()
    {
        let mut piece = [0; 1024];
        while bytes.len() < WEB_HEAD_MAX && !bytes.windows(4).any(|w| w == b"\r\n\r\n") {
            match stream.read(&mut piece) {
                Ok(0) | Err(_) => break,
                Ok(n) => bytes.extend(piece.iter().take(n)),
            }
        }
    }
    bytes
}

/// Returns the first line of an answer in any protocol of text.
pub(super) fn first_line(answer: &[u8]) -> String {
    let line = answer.split(|b| *b == b'\n').next().unwrap_or_default();
    String::from_utf8_lossy(line).into_owned()
}

impl HttpHead {
    /// Reads a response. None if it is not one of HTTP.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        bytes.starts_with(b"HTTP/").then(|| Self {
            text: String::from_utf8_lossy(bytes).into_owned(),
        })
    }

    /// Returns the status line, safe to print.
    pub fn status(&self) -> String {
        self.text.lines().next().map(clean).unwrap_or_default()
    }

    /// Returns the value of a header, whose name is given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.text.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    /// Returns the status line and the server's own name.
    pub fn words(&self) -> String {
        match self.header("server") {
            Some(server) => format!("{}, {}", self.status(), clean(server)),
            None => self.status(),
        }
    }
}
