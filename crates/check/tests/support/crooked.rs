//! Test servers with one fault that no installable server has any more: a hand-written greeting and
//! real TLS by rustls. They accept no login and stop when dropped.

use super::certificates::Served;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ResolvesServerCert;
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, ServerConnection, SupportedProtocolVersion};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Timeout of a connection whose client has left.
const PATIENCE: Duration = Duration::from_secs(20);

/// Behaviour of one connection.
pub type Serve = Arc<dyn Fn(TcpStream) + Send + Sync>;

pub struct Crooked {
    pub port: u16,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Crooked {
    pub fn start(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let serve: Serve = Arc::new(serve);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let serve = serve.clone();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                std::thread::spawn(move || serve(stream));
            }
        });
        Self {
            port,
            stop,
            thread: Some(thread),
        }
    }

    /// Sends these bytes and then nothing.
    pub fn saying(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self::start(move |mut stream| {
            let _ = stream.write_all(&bytes);
            let _ = stream.read_to_end(&mut Vec::new());
        })
    }

    /// A correct gateway with this TLS: refuses clear text, runs the handshake, and stays open.
    pub fn with_tls(config: Arc<ServerConfig>) -> Self {
        Self::start(move |stream| {
            let _ = upright(stream, || config.clone());
        })
    }

    /// Correct up to the login, whose answer depends on the user. The client's next packet gets
    /// error 1045.
    pub fn judging(
        config: Arc<ServerConfig>,
        answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        Self::start(move |mut stream| {
            let _ = stream.write_all(&greeting("8.0.36", true));
            if packet(&mut stream).is_ok_and(|first| first.len() == 32) {
                let mut tls = ServerConnection::new(config.clone()).unwrap();
                let _ = logins(&mut rustls::Stream::new(&mut tls, &mut stream), &answer);
            }
        })
    }

    /// As `Upright`, with a new TLS configuration for every connection.
    pub fn with_each_tls(config: impl Fn() -> Arc<ServerConfig> + Send + Sync + 'static) -> Self {
        Self::start(move |stream| {
            let _ = upright(stream, &config);
        })
    }
}

impl Drop for Crooked {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the listener, so that it sees the request to stop.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

pub fn frame(sequence: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_le_bytes();
    [&length[..3], &[sequence], payload].concat()
}

/// Writes a greeting of protocol 10. `tls` sets CLIENT_SSL.
pub fn greeting(version: &str, tls: bool) -> Vec<u8> {
    let capabilities: u32 = 0x0008_a201 | if tls { 0x800 } else { 0 };
    let [a, b, c, d] = capabilities.to_le_bytes();
    let mut out = vec![10];
    out.extend(version.bytes());
    out.extend([0, 1, 0, 0, 0]);
    out.extend(b"saltsalt\0");
    out.extend([a, b, 45, 2, 0, c, d, 21]);
    out.extend([0; 10]);
    out.extend(b"saltsaltsalt\0caching_sha2_password\0");
    frame(0, &out)
}

pub fn error(sequence: u8, code: u16, text: &str) -> Vec<u8> {
    let mut payload = vec![0xff];
    payload.extend(code.to_le_bytes());
    payload.extend(format!("#HY000{text}").bytes());
    frame(sequence, &payload)
}

pub const OK: &[u8] = &[0, 0, 0, 2, 0, 0, 0];

/// Reads one packet.
pub fn packet(stream: &mut impl Read) -> std::io::Result<Vec<u8>> {
    let mut header = [0; 4];
    stream.read_exact(&mut header)?;
    let mut payload = vec![0; usize::from(u16::from_le_bytes([header[0], header[1]]))];
    stream.read_exact(&mut payload)?;
    Ok(payload)
}

pub fn has_tls_bit(payload: &[u8]) -> bool {
    payload.get(1).is_some_and(|b| b & 8 != 0)
}

fn upright<F: Fn() -> Arc<ServerConfig>>(mut stream: TcpStream, config: F) -> std::io::Result<()> {
    stream.write_all(&greeting("8.0.36", true))?;
    let first = packet(&mut stream)?;
    if !has_tls_bit(&first) || first.len() != 32 {
        return stream.write_all(&error(2, 3159, "insecure transport"));
    }
    shake(stream, config())
}

fn logins(
    stream: &mut (impl Read + Write),
    answer: &dyn Fn(&str) -> Vec<u8>,
) -> std::io::Result<()> {
    let login = packet(stream)?;
    // The user's name follows the login's head, up to a NUL.
    let user = login
        .get(32..)
        .and_then(|rest| rest.split(|b| *b == 0).next())
        .unwrap_or_default();
    stream.write_all(&answer(&String::from_utf8_lossy(user)))?;
    packet(stream)?;
    stream.write_all(&error(5, 1045, "Access denied"))
}

/// Runs the handshake and then sends nothing.
pub fn shake(mut stream: TcpStream, config: Arc<ServerConfig>) -> std::io::Result<()> {
    let mut tls = ServerConnection::new(config).unwrap();
    let ended = loop {
        match tls.complete_io(&mut stream) {
            Ok((0, 0)) => break Ok(()),
            Ok(_) => {}
            Err(error) => break Err(error),
        }
    };
    // Sends the alert, if there is one.
    while tls.wants_write() {
        tls.write_tls(&mut stream)?;
    }
    ended
}

pub fn certified(served: &Served) -> Arc<CertifiedKey> {
    let chain = served
        .chain
        .iter()
        .map(|pem| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap())
        .collect();
    let key = PrivateKeyDer::from_pem_slice(served.key.as_bytes()).unwrap();
    Arc::new(CertifiedKey::new(
        chain,
        aws_lc_rs::sign::any_supported_type(&key).unwrap(),
    ))
}

/// A resolver with one certificate for every client.
#[derive(Debug)]
pub struct Always(pub Arc<CertifiedKey>);

impl ResolvesServerCert for Always {
    fn resolve(&self, _hello: rustls::server::ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

pub fn config(
    resolver: Arc<dyn ResolvesServerCert>,
    versions: &[&'static SupportedProtocolVersion],
) -> ServerConfig {
    ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(resolver)
}

pub fn ordinary(served: &Served) -> ServerConfig {
    config(Arc::new(Always(certified(served))), rustls::ALL_VERSIONS)
}
