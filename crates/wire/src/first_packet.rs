//! First packet of a client, the only one that is read in clear text. It must be an SSLRequest;
//! nothing of it is used later.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_ssl_request.html>

use crate::capabilities::Capabilities;
use crate::handshake_response::HandshakeResponse;
use crate::limits;
use crate::reader::Reader;

/// Bytes of an SSLRequest: capabilities, largest packet, collation, and 23 bytes of filler (19
/// bytes and four of flags for MariaDB).
pub(crate) const SSL_REQUEST_LEN: usize = 32;

/// First packet of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FirstPacket {
    SslRequest {
        capabilities: Capabilities,
    },
    /// Login without TLS. Its attributes may name the client, so that the refusal can give a hint
    /// for it.
    Plain {
        client: Option<ClientName>,
    },
    /// COM_QUIT, as health checks send it.
    Quit,
    /// Login of a client older than MySQL 4.1.
    OldProtocol,
    Malformed,
}

/// Name and version that a client gives in its attributes, cut short and reduced to printable
/// ASCII.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientName {
    pub name: String,
    pub version: String,
}

impl FirstPacket {
    pub fn parse(payload: &[u8]) -> Self {
        Self::parse_cut(payload, 0)
    }

    /// Parses a packet whose last `dropped` bytes were not kept.
    pub fn parse_cut(payload: &[u8], dropped: usize) -> Self {
        if payload == [1] {
            return Self::Quit;
        }
        let mut r = Reader::new(payload);
        let Ok(low) = r.u16() else {
            return Self::Malformed;
        };
        if !Capabilities(u64::from(low)).contains(Capabilities::PROTOCOL_41) {
            // An old login has at least 5 bytes: flags, largest packet, the NUL of an empty name.
            return if payload.len() >= 5 {
                Self::OldProtocol
            } else {
                Self::Malformed
            };
        }
        let Ok(lower) = Reader::new(payload).u32() else {
            return Self::Malformed;
        };
        let capabilities = Capabilities::from_halves(lower, 0);
        if capabilities.contains(Capabilities::SSL) {
            // A whole login with the TLS bit set is not an SSLRequest: the client has sent it in
            // clear text.
            return match payload.len() {
                SSL_REQUEST_LEN => Self::SslRequest { capabilities },
                n if n > SSL_REQUEST_LEN => Self::plain(payload, dropped),
                _ => Self::Malformed,
            };
        }
        if payload.len() <= SSL_REQUEST_LEN {
            Self::Malformed
        } else {
            Self::plain(payload, dropped)
        }
    }

    fn plain(payload: &[u8], dropped: usize) -> Self {
        let client = HandshakeResponse::parse_cut(payload, dropped)
            .ok()
            .and_then(|r| client_name(&r.attributes));
        Self::Plain { client }
    }
}

fn client_name(attributes: &[u8]) -> Option<ClientName> {
    let mut r = Reader::new(attributes);
    let mut inner = Reader::new(r.lenenc_bytes().ok()?);
    let mut name = None;
    let mut version = None;
    for _ in 0..limits::ATTRIBUTES_MAX {
        let (Ok(key), Ok(value)) = (inner.lenenc_bytes(), inner.lenenc_bytes()) else {
            break;
        };
        match key {
            b"_client_name" => name = Some(printable(value)),
            b"_client_version" => version = Some(printable(value)),
            _ => {}
        }
    }
    Some(ClientName {
        name: name?,
        version: version.unwrap_or_default(),
    })
}

fn printable(value: &[u8]) -> String {
    const LEN_MAX: usize = 64;
    value
        .iter()
        .take(LEN_MAX)
        .filter(|b| b.is_ascii_graphic() || **b == b' ')
        .map(|b| char::from(*b))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ssl_request() -> Vec<u8> {
        let caps = crate::capabilities::OFFERED.halves().0;
        let mut p = caps.to_vec();
        p.extend_from_slice(&[0, 0, 0, 1, 45]);
        p.resize(32, 0);
        p
    }

    #[test]
    fn case_04_truncated_oversized_and_old_forms_are_told_apart_without_panic() {
        assert!(matches!(
            FirstPacket::parse(&ssl_request()),
            FirstPacket::SslRequest { .. }
        ));
        for len in 0..32 {
            let p = ssl_request()[..len].to_vec();
            assert!(
                !matches!(FirstPacket::parse(&p), FirstPacket::SslRequest { .. }),
                "{len}"
            );
        }
        assert_eq!(
            FirstPacket::parse(&[0x85, 0xa4, 0, 0, 0]),
            FirstPacket::OldProtocol
        );
        assert_eq!(FirstPacket::parse(b"\x01"), FirstPacket::Quit);
        assert_eq!(FirstPacket::parse(b""), FirstPacket::Malformed);
    }

    #[test]
    fn case_01_a_login_with_the_tls_bit_set_is_still_a_login_in_clear_text() {
        let mut p = ssl_request();
        p.extend_from_slice(b"root\0\0");
        assert_eq!(FirstPacket::parse(&p), FirstPacket::Plain { client: None });
    }

    #[test]
    fn case_07_foreign_protocols_are_malformed_or_old_never_more() {
        for junk in [
            &b"GET / HTTP/1.1\r\n\r\n"[..],
            b"\x03\x00\x00\x13\x0e\xe0",
            b"\x16\x03\x01\x02\x00\x01\x00",
        ] {
            assert!(matches!(
                FirstPacket::parse(junk),
                FirstPacket::Malformed | FirstPacket::OldProtocol
            ));
        }
    }
}
