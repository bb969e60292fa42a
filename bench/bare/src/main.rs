//! A bare relay for comparison: terminates TLS, renumbers the packets of the login and copies bytes
//! to the engine's Unix socket. Its speed is the most that the kernel, tokio and rustls allow; the
//! difference to Tidegate is the cost of Tidegate's own work. It checks nothing, limits nothing and
//! must never be run for anything except a measurement.
//!
//! Arguments: PORT (on 127.0.0.1), SOCKET, CHAIN.pem, KEY.pem.

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional_with_sizes,
};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio_rustls::TlsAcceptor;

/// Length of a packet's header: three bytes of length and one of sequence.
const HEADER: usize = 4;
/// Bytes between the version's NUL and the lower capability flags in a greeting of protocol 10: id,
/// salt and filler.
const BEFORE_CAPABILITIES: usize = 4 + 8 + 1;
/// CLIENT_SSL, in the second byte of the lower capability flags.
const CLIENT_SSL_SECOND_BYTE: u8 = 0x08;
/// Length of the packet with which a client asks for TLS: a header and 32 bytes.
const SSL_REQUEST: usize = HEADER + 32;
/// Buffer of each direction. Earlier throw-away relays were measured with the same size.
const BUFFER: usize = 16 * 1024;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(port), Some(socket), Some(chain), Some(key)) =
        (args.next(), args.next(), args.next(), args.next())
    else {
        return Err("four arguments: PORT SOCKET CHAIN KEY".into());
    };
    let port: u16 = port.parse()?;
    let socket = PathBuf::from(socket);
    let acceptor = TlsAcceptor::from(Arc::new(tls(&chain, &key)?));
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let mut stop = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.recv() => return Ok(()),
        };
        let (client, _) = accepted?;
        let acceptor = acceptor.clone();
        let socket = socket.clone();
        // The client notices a failed connection and fails the measurement.
        tokio::spawn(async move { relay(client, &socket, &acceptor).await.ok() });
    }
}

/// Server configuration with the gateway's order of suites (docs/decisions/0008-suite-order.md), so
/// that both use the same hash.
fn tls(chain: &str, key: &str) -> Result<ServerConfig, Box<dyn Error>> {
    let mut provider = aws_lc_rs::default_provider();
    provider
        .cipher_suites
        .sort_by_key(|suite| suite.suite() != rustls::CipherSuite::TLS13_AES_128_GCM_SHA256);
    let chain = CertificateDer::pem_file_iter(chain)?.collect::<Result<Vec<_>, _>>()?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(key)?)?;
    config.ignore_client_order = true;
    Ok(config)
}

async fn relay(mut client: TcpStream, socket: &PathBuf, acceptor: &TlsAcceptor) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut engine = UnixStream::connect(socket).await?;
    let mut packet = Vec::new();
    read_packet(&mut engine, &mut packet).await?;
    offer_tls(&mut packet);
    client.write_all(&packet).await?;
    client.read_exact(&mut [0; SSL_REQUEST]).await?;
    let mut client = acceptor.accept(client).await?;
    login(&mut client, &mut engine, &mut packet).await?;
    copy_bidirectional_with_sizes(&mut client, &mut engine, BUFFER, BUFFER).await?;
    Ok(())
}

/// Relays the packets of a login. Each has a number lower for the engine, which never saw the
/// request for TLS.
async fn login<C>(client: &mut C, engine: &mut UnixStream, packet: &mut Vec<u8>) -> io::Result<()>
where
    C: AsyncRead + AsyncWrite + Unpin,
{
    read_packet(client, packet).await?;
    // With this flag the engine would start TLS itself.
    if let Some(second) = packet.get_mut(HEADER + 1) {
        *second &= !CLIENT_SSL_SECOND_BYTE;
    }
    loop {
        renumber(packet, u8::wrapping_sub);
        engine.write_all(packet).await?;
        read_packet(engine, packet).await?;
        renumber(packet, u8::wrapping_add);
        client.write_all(packet).await?;
        client.flush().await?;
        // An OK or an error ends the login; anything else is one more question.
        if matches!(packet.get(HEADER), Some(0x00 | 0xff)) {
            return Ok(());
        }
        read_packet(client, packet).await?;
    }
}

fn renumber(packet: &mut [u8], by: fn(u8, u8) -> u8) {
    if let Some(sequence) = packet.get_mut(HEADER - 1) {
        *sequence = by(*sequence, 1);
    }
}

/// Sets CLIENT_SSL in the greeting: the engine may not offer TLS on its Unix socket, but the relay
/// does.
fn offer_tls(greeting: &mut [u8]) {
    let version = greeting
        .iter()
        .skip(HEADER)
        .position(|byte| *byte == 0)
        .unwrap_or(0);
    if let Some(second) = greeting.get_mut(HEADER + version + 1 + BEFORE_CAPABILITIES + 1) {
        *second |= CLIENT_SSL_SECOND_BYTE;
    }
}

async fn read_packet<S: AsyncRead + Unpin>(stream: &mut S, packet: &mut Vec<u8>) -> io::Result<()> {
    packet.resize(HEADER, 0);
    stream.read_exact(packet).await?;
    let length = packet
        .iter()
        .take(3)
        .rev()
        .fold(0, |sum, byte| (sum << 8) | usize::from(*byte));
    packet.resize(HEADER + length, 0);
    stream
        .read_exact(packet.get_mut(HEADER..).unwrap_or_default())
        .await
        .map(|_| ())
}
