//! Greeted: exactly one packet is read in clear text, and it must ask for TLS.
//!
//! Never more than that packet: whatever follows it belongs to the TLS engine, and nothing of the
//! clear-text packet is used later.

use super::accepted::Accepted;
use super::secured::Secured;
use super::{Interrupted, evicted, refuse, refuse_client, refuse_evicted, unproven};
use crate::limits;
use crate::login_read::{discard, read_kept};
use crate::tls_stream::TlsStream;
use std::io;
use tidegate_model::journal::{ConnectionFacts, Ending};
use tidegate_model::{Event, Refusal, RefusalKind};
use tidegate_tls::Turns;
use tidegate_wire::first_packet::{ClientHint, FirstPacket};
use tidegate_wire::limits::{PRE_TLS_KEPT_MAX, PRE_TLS_PACKET_MAX};
use tidegate_wire::packet::{HEADER_LEN, Header};
use tokio::io::AsyncReadExt;
use tokio::time::Instant;

/// Header and body of an SSLRequest: a first read asks for no more, so nothing behind it can be
/// swallowed.
const SSL_REQUEST: usize = HEADER_LEN + 32;

pub(crate) struct Greeted {
    pub accepted: Accepted,
    pub salt: [u8; 20],
    pub greeted: Instant,
}

enum First {
    /// The payload's start, and how many bytes of it were dropped.
    Packet {
        seq: u8,
        payload: Vec<u8>,
        dropped: usize,
    },
    TooLarge,
    Closed {
        any: bool,
    },
}

impl Greeted {
    pub async fn secure(mut self, facts: &mut ConnectionFacts) -> Result<Secured, Ending> {
        let deadline = self.accepted.deadline();
        let eviction = self.accepted.place.eviction();
        let first = match unproven(eviction.clone(), deadline, self.read_first()).await {
            Ok(Ok(first)) => first,
            Ok(Err(_)) => return Err(Ending::ClientClosed),
            Err(Interrupted::Deadline) => return Err(self.refuse(RefusalKind::LoginTimeout).await),
            Err(Interrupted::Evicted) => {
                let Accepted { tcp, shared, .. } = &mut self.accepted;
                return Err(refuse_evicted(tcp, 2, &shared.settings.wording).await);
            }
        };
        let (seq, payload, dropped) = match first {
            First::Packet {
                seq,
                payload,
                dropped,
            } => (seq, payload, dropped),
            First::TooLarge => return Err(self.refuse(RefusalKind::PacketTooLarge).await),
            First::Closed { any: false } => return Err(Ending::ClientClosed),
            First::Closed { any: true } => {
                return Err(Ending::ClientGone("closed in its first packet".to_owned()));
            }
        };
        if seq != 1 {
            return Err(self.refuse(RefusalKind::PacketsOutOfOrder).await);
        }
        match FirstPacket::parse_cut(&payload, dropped) {
            FirstPacket::SslRequest { .. } => {}
            FirstPacket::Plain { client } => return Err(self.refuse_plain(client).await),
            FirstPacket::Quit => return Err(Ending::Quit),
            FirstPacket::OldProtocol => return Err(self.refuse(RefusalKind::OldProtocol).await),
            FirstPacket::Malformed => return Err(self.refuse(RefusalKind::BadHandshake).await),
        }
        let Accepted {
            tcp,
            shared,
            guard,
            client,
            local,
            accepted,
            mut place,
        } = self.accepted;
        place.charge(limits::COST_SECURED);
        let turns = Turns::new(shared.handshakes.clone(), *place.path(), place.is_known());
        let tls = match unproven(
            eviction,
            deadline,
            TlsStream::accept(tcp, shared.tls.clone(), turns),
        )
        .await
        {
            Ok(Ok(tls)) => tls,
            Ok(Err(e)) => return Err(Ending::TlsFailed(e.to_string())),
            Err(Interrupted::Deadline) => {
                return Err(Ending::TlsFailed(
                    "not finished within the deadline".to_owned(),
                ));
            }
            Err(Interrupted::Evicted) => return Err(evicted()),
        };
        let session = tls.session();
        facts.tls = session.protocol_version().map(version_name);
        let cipher = session
            .negotiated_cipher_suite()
            .and_then(|s| s.suite().as_str());
        facts.cipher = cipher.map(str::to_owned);
        facts.sni = session.server_name().map(str::to_owned);
        facts.greeting_to_tls = Some(self.greeted.elapsed());
        shared.journal.record(&Event::Secured {
            version: facts.tls.unwrap_or("TLS"),
            cipher,
        });
        Ok(Secured {
            tls: Box::new(tls),
            shared,
            guard,
            client,
            local,
            accepted,
            place: Some(place),
            salt: self.salt,
            secured: Instant::now(),
        })
    }

    async fn refuse(&mut self, kind: RefusalKind) -> Ending {
        refuse(
            &mut self.accepted.tcp,
            2,
            Refusal::new(kind),
            &self.accepted.shared.settings.wording,
        )
        .await
    }

    /// What the client calls itself chooses the mend that it reads, and nothing else.
    async fn refuse_plain(&mut self, client: Option<ClientHint>) -> Ending {
        let Accepted { tcp, shared, .. } = &mut self.accepted;
        let name = client.as_ref().map(|client| client.name.as_str());
        refuse_client(
            tcp,
            2,
            RefusalKind::InsecureTransport.into(),
            &shared.settings.wording,
            name,
        )
        .await
    }

    async fn read_first(&mut self) -> io::Result<First> {
        let tcp = &mut self.accepted.tcp;
        let mut buf = [0; SSL_REQUEST];
        let mut have = 0;
        let header = loop {
            let n = tcp.read(buf.get_mut(have..).unwrap_or_default()).await?;
            if n == 0 {
                return Ok(First::Closed { any: have > 0 });
            }
            have += n;
            if let Some(header) = buf.get(..have).and_then(Header::parse) {
                break header;
            }
        };
        let len = header.len as usize;
        if len > PRE_TLS_PACKET_MAX {
            return Ok(First::TooLarge);
        }
        let mut payload = buf.get(HEADER_LEN..have).unwrap_or_default().to_vec();
        payload.truncate(len);
        let kept = len.min(PRE_TLS_KEPT_MAX);
        let rest = async {
            read_kept(tcp, &mut payload, kept).await?;
            discard(tcp, len - kept).await
        };
        match rest.await {
            Ok(()) => Ok(First::Packet {
                seq: header.seq,
                payload,
                dropped: len - kept,
            }),
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(First::Closed { any: true }),
            Err(e) => Err(e),
        }
    }
}

fn version_name(version: rustls::ProtocolVersion) -> &'static str {
    match version {
        rustls::ProtocolVersion::TLSv1_2 => "TLS 1.2",
        rustls::ProtocolVersion::TLSv1_3 => "TLS 1.3",
        _ => "TLS",
    }
}
