//! Greeting: the first packet of a connection, sent by the server (Protocol::HandshakeV10).
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_handshake_v10.html>

use crate::capabilities::Capabilities;
use crate::reader::{Malformed, Reader};
use crate::response::ErrPacket;

/// Greeting of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    pub version: Vec<u8>,
    pub connection_id: u32,
    pub salt: [u8; 20],
    pub capabilities: Capabilities,
    pub collation: u8,
    pub status: u16,
    pub plugin: Vec<u8>,
}

/// Returns a salt made from random bytes. No byte is 0, which would end the string in old clients,
/// or `$`, which MySQL's generator avoids too (case 36).
pub fn salt_from_random(mut random: [u8; 20]) -> [u8; 20] {
    for b in &mut random {
        *b &= 0x7F;
        if *b == 0 || *b == b'$' {
            *b += 1;
        }
    }
    random
}

impl Greeting {
    pub fn encode(&self) -> Vec<u8> {
        let ([c0, c1, c2, c3], mariadb) = self.capabilities.halves();
        let mut out = Vec::with_capacity(96);
        // Version of the protocol.
        out.push(10);
        out.extend_from_slice(&self.version);
        out.push(0);
        out.extend_from_slice(&self.connection_id.to_le_bytes());
        let (head, tail) = self.salt.split_at(8);
        out.extend_from_slice(head);
        out.push(0);
        out.extend_from_slice(&[c0, c1, self.collation]);
        out.extend_from_slice(&self.status.to_le_bytes());
        // 21 is the length of the salt and its NUL.
        out.extend_from_slice(&[c2, c3, 21]);
        out.extend_from_slice(&[0; 6]);
        out.extend_from_slice(&mariadb);
        out.extend_from_slice(tail);
        out.push(0);
        out.extend_from_slice(&self.plugin);
        out.push(0);
        out
    }

    fn parse(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let version = r.until_nul()?.to_vec();
        let connection_id = r.u32()?;
        let head: [u8; 8] = r.array()?;
        r.u8()?;
        let low = r.u16()?;
        let collation = r.u8()?;
        let status = r.u16()?;
        let high = r.u16()?;
        let salt_len = usize::from(r.u8()?);
        r.bytes(6)?;
        let lower = u32::from(low) | u32::from(high) << 16;
        let capabilities = Capabilities::from_halves(lower, r.u32()?);
        // The protocol sends at least 13 bytes, the last of them NUL, whatever the length byte
        // says.
        let tail = r.bytes(salt_len.saturating_sub(8).max(13))?;
        let mut salt = [0; 20];
        salt.iter_mut()
            .zip(head.iter().chain(tail))
            .for_each(|(to, from)| *to = *from);
        let plugin = if capabilities.contains(Capabilities::PLUGIN_AUTH) {
            r.until_nul_or_end().to_vec()
        } else {
            b"mysql_native_password".to_vec()
        };
        Ok(Self {
            version,
            connection_id,
            salt,
            capabilities,
            collation,
            status,
            plugin,
        })
    }
}

/// First packet of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opening {
    Greeting(Greeting),
    /// Error instead of a greeting (1040, 1129, 1130 ...). It has no SQLSTATE yet (case 43).
    Error(ErrPacket),
}

impl Opening {
    pub fn parse(payload: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(payload);
        match r.u8()? {
            10 => Greeting::parse(&mut r).map(Self::Greeting),
            0xFF => ErrPacket::parse(payload).map(Self::Error),
            _ => Err(Malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn greeting() -> Greeting {
        Greeting {
            version: b"5.5.5-10.11.19-MariaDB".to_vec(),
            connection_id: 0x8000_0001,
            salt: salt_from_random([0; 20]),
            capabilities: crate::capabilities::OFFERED,
            collation: 45,
            status: 2,
            plugin: b"caching_sha2_password".to_vec(),
        }
    }

    #[test]
    fn what_is_encoded_is_parsed_the_same() {
        assert_eq!(
            Opening::parse(&greeting().encode()),
            Ok(Opening::Greeting(greeting()))
        );
    }

    #[test]
    fn case_36_the_salt_has_no_nul_and_no_dollar_and_the_length_field_is_21() {
        for b in 0..=255 {
            let salt = salt_from_random([b; 20]);
            assert!(
                salt.iter().all(|s| *s != 0 && *s != b'$' && *s < 128),
                "{b}"
            );
        }
        let bytes = greeting().encode();
        let at = 1 + greeting().version.len() + 1 + 4 + 8 + 1 + 2 + 1 + 2 + 2;
        assert_eq!(bytes[at], 21);
        assert_eq!(bytes.last(), Some(&0), "the plugin's name ends with NUL");
    }

    #[test]
    fn case_43_an_error_instead_of_a_greeting_has_no_sqlstate_and_gets_one() {
        let Ok(Opening::Error(err)) = Opening::parse(b"\xFF\x10\x04Too many connections") else {
            panic!()
        };
        assert_eq!(
            (err.code, &err.message[..]),
            (1040, &b"Too many connections"[..])
        );
        assert_eq!(err.encode(), b"\xFF\x10\x04#08004Too many connections");
    }

    #[test]
    fn a_greeting_cut_anywhere_is_malformed() {
        let bytes = greeting().encode();
        for end in 0..bytes.len() - 23 {
            assert_eq!(Opening::parse(&bytes[..end]), Err(Malformed), "{end}");
        }
    }
}
