//! Stand-in for a CA that works on orders for hours: a proxy in front of Pebble that shows issued
//! orders as "processing", until it is told to show them as they are. It ends with the process of
//! the test.

use crate::pebble::Pebble;
use crate::tls;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, ServerConnection, StreamOwned};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

pub struct SlowCa {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    pebble: u16,
    pebble_ca: PathBuf,
    tls: Arc<rustls::ServerConfig>,
    /// Whether issued orders are shown as "processing".
    works: AtomicBool,
    /// Whether connections are closed without an answer.
    gone: AtomicBool,
    retry_after: Mutex<String>,
    /// Times that an order was shown as "processing".
    asked: AtomicUsize,
}

impl SlowCa {
    /// Starts it, working on every order, with this Retry-After.
    pub fn start(pebble: &Pebble, retry_after: &str) -> Self {
        let shared = Arc::new(Shared {
            pebble: pebble.port(),
            pebble_ca: pebble.directory_ca(),
            tls: pebble.server_config(),
            works: true.into(),
            gone: false.into(),
            retry_after: Mutex::new(retry_after.to_owned()),
            asked: AtomicUsize::new(0),
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            for tcp in listener.incoming().flatten() {
                let shared = Arc::clone(&serving);
                // A client that closes early ends its thread only.
                std::thread::spawn(move || drop(shared.serve(tcp)));
            }
        });
        Self { port, shared }
    }

    pub fn directory(&self) -> String {
        format!("https://localhost:{}/dir", self.port)
    }

    /// Shows orders as they are from now on.
    pub fn finish(&self) {
        self.shared.works.store(false, Ordering::SeqCst);
    }

    /// Closes connections without an answer, or no longer.
    pub fn set_gone(&self, gone: bool) {
        self.shared.gone.store(gone, Ordering::SeqCst);
    }

    pub fn asked(&self) -> usize {
        self.shared.asked.load(Ordering::SeqCst)
    }
}

impl Shared {
    fn serve(&self, tcp: TcpStream) -> std::io::Result<()> {
        if self.gone.load(Ordering::SeqCst) {
            return Ok(());
        }
        let connection =
            ServerConnection::new(Arc::clone(&self.tls)).map_err(std::io::Error::other)?;
        let mut client = StreamOwned::new(connection, tcp);
        let request = read_request(&mut client)?;
        let answer = self.ask_pebble(&request)?;
        client.write_all(&self.changed(&answer))?;
        client.conn.send_close_notify();
        client.flush()
    }

    fn ask_pebble(&self, request: &str) -> std::io::Result<String> {
        let tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, self.pebble))?;
        let name = ServerName::try_from("localhost").expect("a name");
        let config = tls::verified(&self.pebble_ca, tls::BOTH);
        let client = ClientConnection::new(config, name).map_err(std::io::Error::other)?;
        let mut stream = StreamOwned::new(client, tcp);
        // The body of an answer to HTTP/1.0 is never in chunks.
        let request = request.replacen("HTTP/1.1", "HTTP/1.0", 1);
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        match stream.read_to_string(&mut answer) {
            Err(error) if answer.is_empty() => Err(error),
            _ => Ok(answer),
        }
    }

    /// Returns Pebble's answer with its length, and an issued order as one that is worked on.
    fn changed(&self, answer: &str) -> Vec<u8> {
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
        let order = serde_json::from_str::<Value>(body)
            .ok()
            .filter(|json| json["finalize"].is_string() && json["status"] == "valid")
            .filter(|_| self.works.load(Ordering::SeqCst));
        let mut retry = String::new();
        let body = match order {
            Some(mut order) => {
                self.asked.fetch_add(1, Ordering::SeqCst);
                order["status"] = "processing".into();
                order
                    .as_object_mut()
                    .expect("an order")
                    .remove("certificate");
                retry = format!(
                    "Retry-After: {}\r\n",
                    self.retry_after.lock().expect("whole")
                );
                order.to_string()
            }
            None => body.to_owned(),
        };
        let mut lines = head.lines();
        let status = lines
            .next()
            .unwrap_or_default()
            .replacen("HTTP/1.0", "HTTP/1.1", 1);
        let kept: String = lines
            .filter(|line| {
                let line = line.to_lowercase();
                !line.starts_with("content-length:") && !line.starts_with("connection:")
            })
            .filter(|line| retry.is_empty() || !line.to_lowercase().starts_with("retry-after:"))
            .map(|line| format!("{line}\r\n"))
            .collect();
        let length = body.len();
        format!(
            "{status}\r\n{kept}{retry}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )
        .into_bytes()
    }
}

/// Reads a request with its body.
fn read_request(stream: &mut impl Read) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| {
                    line.to_lowercase()
                        .strip_prefix("content-length:")?
                        .trim()
                        .parse()
                        .ok()
                })
                .unwrap_or(0);
            if body.len() >= length {
                return Ok(text);
            }
        }
        let mut part = [0; 4096];
        match stream.read(&mut part)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            read => bytes.extend_from_slice(&part[..read]),
        }
    }
}
