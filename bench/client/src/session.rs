//! A session: TCP, greeting, verified TLS, login, queries, close. Always blocking, always a full
//! TLS handshake.

use crate::error::Error;
use crate::job::{Endpoint, Login};
use crate::{limits, packet};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::sync::Arc;
use std::time::Instant;

const COM_QUIT: u8 = 1;
const COM_QUERY: u8 = 3;

/// Address, name and TLS configuration of the server, read once before anything is timed.
#[derive(Clone)]
pub struct Target {
    addr: SocketAddr,
    name: ServerName<'static>,
    tls: Arc<ClientConfig>,
}

impl Target {
    pub fn new(endpoint: &Endpoint) -> Result<Self, Error> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(&endpoint.ca).map_err(Error::Ca)? {
            roots.add(certificate.map_err(Error::Ca)?)?;
        }
        let mut provider = rustls::crypto::aws_lc_rs::default_provider();
        if !endpoint.post_quantum {
            // The engine's own TLS has no post-quantum groups: with them, Tidegate would do more
            // work than the direct engine.
            provider.kx_groups = vec![rustls::crypto::aws_lc_rs::kx_group::X25519];
        }
        let mut tls = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        // Few MySQL clients resume sessions: a new connection means a full handshake.
        tls.resumption = rustls::client::Resumption::disabled();
        let name = ServerName::try_from(endpoint.server_name.clone())
            .map_err(|e| Error::Job(e.to_string()))?;
        Ok(Self {
            addr: endpoint.addr,
            name,
            tls: Arc::new(tls),
        })
    }
}

pub struct Session {
    stream: StreamOwned<ClientConnection, TcpStream>,
    seq: u8,
    pub server_version: String,
    /// Time from sending the last byte of the proof to reading the answer.
    pub verdict_micros: u64,
}

/// Result of a login. A refusal by the server is a result too, with the time that it took.
pub enum Outcome {
    In(Box<Session>),
    Refused { code: u16, verdict_micros: u64 },
}

fn tcp(target: &Target, from: Option<Ipv4Addr>) -> Result<TcpStream, Error> {
    let stream = match from {
        None => TcpStream::connect(target.addr)?,
        Some(from) => {
            let family = if target.addr.is_ipv4() {
                AddressFamily::INET
            } else {
                AddressFamily::INET6
            };
            let socket =
                rustix::net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
            rustix::net::bind(&socket, &SocketAddrV4::new(from, 0))?;
            rustix::net::connect(&socket, &target.addr)?;
            TcpStream::from(socket)
        }
    };
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(limits::SILENCE_MAX))?;
    Ok(stream)
}

/// Seeds the random source of the cryptography, which happens once per thread and takes tens of
/// milliseconds. A client that lives longer than one connection has done so before.
pub fn warm_up(target: &Target) -> Result<(), Error> {
    let provider = target.tls.crypto_provider();
    provider
        .secure_random
        .fill(&mut [0; 32])
        .map_err(|_| Error::Protocol("no random bytes"))?;
    for group in &provider.kx_groups {
        group.start()?;
    }
    Ok(())
}

impl Session {
    /// Connects and logs in. `from` is the loopback address to connect from.
    pub fn try_login(
        target: &Target,
        login: &Login,
        from: Option<Ipv4Addr>,
    ) -> Result<Outcome, Error> {
        let mut socket = tcp(target, from)?;
        let mut seq = 0;
        let first = packet::read_packet(&mut socket, &mut seq, limits::LOGIN_PACKET_MAX)?;
        let greeting = packet::parse_greeting(&first)?;
        if !greeting.offers_tls {
            return Err(Error::Protocol("the server offers no TLS"));
        }
        packet::write_packet(&mut socket, &mut seq, &packet::tls_request())?;
        let tls = ClientConnection::new(target.tls.clone(), target.name.clone())?;
        let mut stream = StreamOwned::new(tls, socket);
        let plugin = match greeting.plugin.as_str() {
            packet::CACHING_SHA2 => packet::CACHING_SHA2,
            _ => packet::NATIVE,
        };
        let proof = packet::scramble(plugin, &login.password, &greeting.salt)?;
        let response = packet::handshake_response(&login.user, &proof, &login.database, plugin)?;
        packet::write_packet(&mut stream, &mut seq, &response)?;
        let mut session = Self {
            stream,
            seq,
            server_version: greeting.version,
            verdict_micros: 0,
        };
        match session.answer_challenges(login) {
            Ok(()) => Ok(Outcome::In(Box::new(session))),
            Err(Error::Server { code, .. }) => Ok(Outcome::Refused {
                code,
                verdict_micros: session.verdict_micros,
            }),
            Err(error) => Err(error),
        }
    }

    pub fn open(target: &Target, login: &Login, from: Option<Ipv4Addr>) -> Result<Self, Error> {
        match Self::try_login(target, login, from)? {
            Outcome::In(session) => Ok(*session),
            Outcome::Refused { code, .. } => Err(Error::Server {
                code,
                text: "the login was refused".into(),
            }),
        }
    }

    fn answer_challenges(&mut self, login: &Login) -> Result<(), Error> {
        let mut proved = Instant::now();
        for _ in 0..limits::AUTH_ROUNDS_MAX {
            let answer = self.read()?;
            self.verdict_micros = micros(proved);
            match answer.split_first() {
                Some((0x00, _)) => return Ok(()),
                Some((0xff, _)) => return Err(packet::parse_error(&answer)),
                // caching_sha2: the fast path succeeded, the result follows.
                Some((0x01, [3])) => continue,
                // caching_sha2: full authentication, with the clear password inside TLS.
                Some((0x01, [4])) => {
                    let mut clear = login.password.clone().into_bytes();
                    clear.push(0);
                    self.write(&clear)?;
                }
                Some((0xfe, _)) => {
                    let (plugin, salt) = packet::parse_auth_switch(&answer)?;
                    let proof = packet::scramble(&plugin, &login.password, &salt)?;
                    self.write(&proof)?;
                }
                _ => return Err(Error::Protocol("no answer to a login")),
            }
            proved = Instant::now();
        }
        Err(Error::Protocol("a login that never ends"))
    }

    fn read(&mut self) -> Result<Vec<u8>, Error> {
        packet::read_packet(&mut self.stream, &mut self.seq, limits::RESULT_PACKET_MAX)
    }

    fn write(&mut self, body: &[u8]) -> Result<(), Error> {
        packet::write_packet(&mut self.stream, &mut self.seq, body)
    }

    /// Sends a query, reads its whole text result and returns the number of rows.
    pub fn query(&mut self, sql: &str) -> Result<u64, Error> {
        self.seq = 0;
        let mut body = vec![COM_QUERY];
        body.extend(sql.as_bytes());
        self.write(&body)?;
        let head = self.read()?;
        match head.first() {
            Some(0x00) => return Ok(0),
            Some(0xff) => return Err(packet::parse_error(&head)),
            _ => {}
        }
        // Column definitions end with an EOF packet, and so do the rows.
        let mut ends = 0;
        let mut rows = 0;
        while ends < 2 {
            let packet = self.read()?;
            match packet.first() {
                Some(0xff) => return Err(packet::parse_error(&packet)),
                Some(0xfe) if packet.len() < 9 => ends += 1,
                _ if ends == 1 => rows += 1,
                _ => {}
            }
        }
        Ok(rows)
    }

    /// TLS version and cipher suite, as agreed.
    pub fn tls(&self) -> String {
        let version = self
            .stream
            .conn
            .protocol_version()
            .map(|v| format!("{v:?}"));
        let suite = self
            .stream
            .conn
            .negotiated_cipher_suite()
            .map(|s| format!("{:?}", s.suite()));
        format!(
            "{} {}",
            version.unwrap_or_default(),
            suite.unwrap_or_default()
        )
    }

    pub fn goodbye(mut self) -> Result<(), Error> {
        self.seq = 0;
        self.write(&[COM_QUIT])?;
        self.stream.conn.send_close_notify();
        // The server may have closed the connection already, as it was told to.
        let _ = self.stream.conn.write_tls(&mut self.stream.sock);
        Ok(())
    }
}

pub fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// Returns the value at this percentile of sorted values, 0 if there are none.
pub fn percentile(sorted: &[u64], per_cent: usize) -> u64 {
    sorted
        .get(sorted.len() * per_cent / 100)
        .or(sorted.last())
        .copied()
        .unwrap_or_default()
}
