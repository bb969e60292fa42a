//! Secured: the connection uses TLS.
//!
//! Exactly one packet is read in clear text, and it must ask for TLS. Bytes behind it belong to the
//! TLS handshake. Nothing of the clear-text packet is used later: anyone on the network could have
//! changed it.

use super::greeted::Greeted;
use crate::connection::{Connection, Interrupted, evicted};
use crate::endings::client_closed;
use crate::limits;
use crate::login_read::{discard, read_kept};
use crate::tls_stream::TlsStream;
use std::io;
use tidegate_model::journal::{ConnectionFacts, Ending};
use tidegate_model::{Event, RefusalKind, error_chain};
use tidegate_tls::Turns;
use tidegate_wire::first_packet::FirstPacket;
use tidegate_wire::limits::{PRE_TLS_KEPT_MAX, PRE_TLS_PACKET_MAX};
use tidegate_wire::packet::{HEADER_LEN, Header};
use tidegate_wire::slices::{head, tail_mut};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::Instant;

/// Bytes of an SSLRequest, header included. The first read asks for no more, so that it can't take
/// bytes of the TLS handshake.
const SSL_REQUEST: usize = HEADER_LEN + 32;
/// Sequence number of the answer to the first packet.
const ANSWER_SEQ: u8 = 2;

pub(crate) struct Secured {
    pub connection: Connection,
    pub tls: Box<TlsStream>,
    pub salt: [u8; 20],
    pub secured: Instant,
}

/// Result of reading the first packet.
enum FirstRead {
    /// Beginning of the payload, and the number of bytes of it that were dropped.
    Packet {
        seq: u8,
        payload: Vec<u8>,
        dropped: usize,
    },
    TooLarge,
    /// The client closed; `any`: after some bytes of the packet.
    Closed {
        any: bool,
    },
}

impl Secured {
    /// Reads the request for TLS, and does the handshake.
    pub async fn shake_hands(
        greeted: Greeted,
        facts: &mut ConnectionFacts,
    ) -> Result<Self, Ending> {
        let Greeted {
            mut connection,
            mut tcp,
            salt,
            greeted,
        } = greeted;
        read_ssl_request(&connection, &mut tcp).await?;
        // Boxed, so that a connection that never asks for TLS has no room for the handshake's
        // state.
        let tls = Box::pin(accept_tls(&mut connection, tcp)).await?;
        let session = tls.session();
        facts.tls = session.protocol_version().map(version_name);
        let cipher = session
            .negotiated_cipher_suite()
            .and_then(|s| s.suite().as_str());
        facts.cipher = cipher.map(str::to_owned);
        facts.sni = session.server_name().map(str::to_owned);
        facts.greeting_to_tls = Some(greeted.elapsed());
        connection.shared.journal.record(&Event::Secured {
            version: facts.tls.unwrap_or("TLS"),
            cipher,
        });
        Ok(Self {
            connection,
            tls: Box::new(tls),
            salt,
            secured: Instant::now(),
        })
    }
}

/// Reads the first packet, which must ask for TLS.
async fn read_ssl_request(connection: &Connection, tcp: &mut TcpStream) -> Result<(), Ending> {
    let first = match connection.unproven(read_first_packet(tcp)).await {
        Ok(Ok(first)) => first,
        Ok(Err(e)) => return Err(client_closed(&e)),
        Err(Interrupted::Deadline) => {
            return Err(connection
                .refuse(tcp, ANSWER_SEQ, RefusalKind::LoginTimeout)
                .await);
        }
        Err(Interrupted::Evicted) => {
            return Err(connection.refuse_evicted(tcp, ANSWER_SEQ).await);
        }
    };
    let kind = match first {
        FirstRead::Packet { seq, .. } if seq != 1 => RefusalKind::PacketsOutOfOrder,
        FirstRead::Packet {
            payload, dropped, ..
        } => match FirstPacket::parse_cut(&payload, dropped) {
            FirstPacket::SslRequest { .. } => return Ok(()),
            FirstPacket::Plain { client } => {
                // The client's name chooses the hint in the error text, and is used for nothing
                // else.
                let name = client.as_ref().map(|client| client.name.as_str());
                let kind = RefusalKind::InsecureTransport;
                return Err(connection.refuse_client(tcp, ANSWER_SEQ, kind, name).await);
            }
            FirstPacket::Quit => return Err(Ending::Quit),
            FirstPacket::OldProtocol => RefusalKind::OldProtocol,
            FirstPacket::Malformed => RefusalKind::BadHandshake,
        },
        FirstRead::TooLarge => RefusalKind::PacketTooLarge,
        FirstRead::Closed { any: false } => return Err(Ending::NothingSent),
        FirstRead::Closed { any: true } => {
            return Err(Ending::ClientGone(
                "it closed in its first packet".to_owned(),
            ));
        }
    };
    Err(connection.refuse(tcp, ANSWER_SEQ, kind).await)
}

async fn read_first_packet(tcp: &mut TcpStream) -> io::Result<FirstRead> {
    let mut buf = [0; SSL_REQUEST];
    let mut have = 0;
    let (header, mut payload) = loop {
        let room = tail_mut(&mut buf, have).map_err(io::Error::other)?;
        let n = match tcp.read(room).await {
            // Health checks also close by a reset.
            Ok(0) | Err(_) if have == 0 => return Ok(FirstRead::Closed { any: false }),
            Ok(0) => return Ok(FirstRead::Closed { any: true }),
            Ok(n) => n,
            Err(error) => return Err(error),
        };
        have += n;
        let came = head(&buf, have).map_err(io::Error::other)?;
        if let Some((header, start)) = Header::split(came) {
            break (header, start.to_vec());
        }
    };
    let len = header.len as usize;
    if len > PRE_TLS_PACKET_MAX {
        return Ok(FirstRead::TooLarge);
    }
    // A packet that is shorter than an SSLRequest is refused, so the bytes behind it are of no use.
    payload.truncate(len);
    let kept = len.min(PRE_TLS_KEPT_MAX);
    let rest = async {
        read_kept(tcp, &mut payload, kept).await?;
        discard(tcp, len - kept).await.map(drop)
    };
    match rest.await {
        Ok(()) => Ok(FirstRead::Packet {
            seq: header.seq,
            payload,
            dropped: len - kept,
        }),
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(FirstRead::Closed { any: true }),
        Err(e) => Err(e),
    }
}

/// Does the TLS handshake, in turns with those of all other connections.
async fn accept_tls(connection: &mut Connection, tcp: TcpStream) -> Result<TlsStream, Ending> {
    let Some(place) = &mut connection.place else {
        let why = "a handshake without a place among the unproven".to_owned();
        return Err(Ending::InternalError(why));
    };
    // Charged first: a client that stops in the middle of the handshake already costs this memory.
    place.charge(limits::COST_SECURED);
    let shared = &connection.shared;
    let turns = Turns::new(shared.handshakes.clone(), *place.path(), place.is_known());
    let handshake = TlsStream::accept(tcp, shared.tls.clone(), turns);
    match connection.unproven(handshake).await {
        Ok(Ok(tls)) => Ok(tls),
        Ok(Err(e)) => Err(Ending::TlsFailed(error_chain(&e))),
        Err(Interrupted::Deadline) => Err(Ending::TlsFailed(
            "the handshake was not finished in time".to_owned(),
        )),
        Err(Interrupted::Evicted) => Err(evicted()),
    }
}

fn version_name(version: rustls::ProtocolVersion) -> &'static str {
    match version {
        rustls::ProtocolVersion::TLSv1_2 => "TLS 1.2",
        rustls::ProtocolVersion::TLSv1_3 => "TLS 1.3",
        _ => "TLS",
    }
}
