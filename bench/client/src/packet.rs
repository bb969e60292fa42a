//! The part of the MySQL protocol that a client needs for a login and a query. The product does not
//! use it, so that the two can't share a bug.

use crate::error::Error;
use sha1::{Digest, Sha1};
use sha2::Sha256;
use std::io::{Read, Write};

pub const CACHING_SHA2: &str = "caching_sha2_password";
pub const NATIVE: &str = "mysql_native_password";

const CLIENT_LONG_PASSWORD: u32 = 1;
const CLIENT_CONNECT_WITH_DB: u32 = 1 << 3;
const CLIENT_PROTOCOL_41: u32 = 1 << 9;
const CLIENT_SSL: u32 = 1 << 11;
const CLIENT_TRANSACTIONS: u32 = 1 << 13;
const CLIENT_SECURE_CONNECTION: u32 = 1 << 15;
const CLIENT_PLUGIN_AUTH: u32 = 1 << 19;
const CAPABILITIES: u32 = CLIENT_LONG_PASSWORD
    | CLIENT_CONNECT_WITH_DB
    | CLIENT_PROTOCOL_41
    | CLIENT_SSL
    | CLIENT_TRANSACTIONS
    | CLIENT_SECURE_CONNECTION
    | CLIENT_PLUGIN_AUTH;
/// utf8mb4_general_ci
const COLLATION: u8 = 45;

/// The server's first packet.
#[derive(Debug, PartialEq, Eq)]
pub struct Greeting {
    pub version: String,
    pub salt: Vec<u8>,
    pub plugin: String,
    pub offers_tls: bool,
}

/// Reads one packet. `seq` becomes the sequence number of the answer to it.
pub fn read_packet(from: &mut impl Read, seq: &mut u8, most: usize) -> Result<Vec<u8>, Error> {
    let mut header = [0u8; 4];
    from.read_exact(&mut header)?;
    let [a, b, c, number] = header;
    let len = usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16;
    if len > most {
        return Err(Error::Protocol(
            "a packet larger than anything expected here",
        ));
    }
    let mut body = vec![0; len];
    from.read_exact(&mut body)?;
    *seq = number.wrapping_add(1);
    Ok(body)
}

pub fn write_packet(to: &mut impl Write, seq: &mut u8, body: &[u8]) -> Result<(), Error> {
    let len = u32::try_from(body.len()).map_err(|_| Error::Protocol("too long"))?;
    let [a, b, c, _] = len.to_le_bytes();
    let mut out = Vec::with_capacity(body.len() + 4);
    out.extend([a, b, c, *seq]);
    out.extend(body);
    // A single write makes one TLS record and one TCP segment.
    to.write_all(&out)?;
    to.flush()?;
    *seq = seq.wrapping_add(1);
    Ok(())
}

/// Reader of a packet's bytes; a packet that is too short is an error.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], Error> {
        let (head, tail) = self
            .0
            .split_at_checked(n)
            .ok_or(Error::Protocol("a packet that ends too early"))?;
        self.0 = tail;
        Ok(head)
    }
    fn u16(&mut self) -> Result<u16, Error> {
        let bytes = self.take(2)?;
        bytes
            .try_into()
            .map(u16::from_le_bytes)
            .map_err(|_| Error::Protocol("a short number"))
    }
    /// Reads up to a NUL, or to the end if there is none.
    fn text(&mut self) -> String {
        let end = self.0.iter().position(|b| *b == 0).unwrap_or(self.0.len());
        let (text, rest) = self.0.split_at(end);
        self.0 = rest.get(1..).unwrap_or_default();
        String::from_utf8_lossy(text).into_owned()
    }
}

pub fn parse_greeting(packet: &[u8]) -> Result<Greeting, Error> {
    if packet.first() == Some(&0xff) {
        return Err(parse_error(packet));
    }
    let mut at = Cursor(packet);
    if at.take(1)? != [10] {
        return Err(Error::Protocol("a greeting of another version"));
    }
    let version = at.text();
    at.take(4)?;
    let mut salt = at.take(8)?.to_vec();
    at.take(1)?;
    let low = u32::from(at.u16()?);
    at.take(3)?;
    let capabilities = low | u32::from(at.u16()?) << 16;
    at.take(11)?;
    salt.extend(at.take(12)?);
    at.take(1)?;
    Ok(Greeting {
        version,
        salt,
        plugin: at.text(),
        offers_tls: capabilities & CLIENT_SSL != 0,
    })
}

pub fn parse_error(packet: &[u8]) -> Error {
    let mut at = Cursor(packet);
    let parsed = (|| {
        at.take(1)?;
        let code = at.u16()?;
        if at.0.first() == Some(&b'#') {
            at.take(6)?;
        }
        Ok::<_, Error>((code, at.0))
    })();
    match parsed {
        Ok((code, text)) => Error::Server {
            code,
            text: String::from_utf8_lossy(text).into_owned(),
        },
        Err(error) => error,
    }
}

fn response_head() -> Vec<u8> {
    let mut out = CAPABILITIES.to_le_bytes().to_vec();
    out.extend((1u32 << 24).to_le_bytes());
    out.push(COLLATION);
    out.extend([0; 23]);
    out
}

pub fn tls_request() -> Vec<u8> {
    response_head()
}

pub fn handshake_response(
    user: &str,
    proof: &[u8],
    database: &str,
    plugin: &str,
) -> Result<Vec<u8>, Error> {
    let mut out = response_head();
    out.extend(user.as_bytes());
    out.push(0);
    out.push(u8::try_from(proof.len()).map_err(|_| Error::Protocol("a proof longer than 255"))?);
    out.extend(proof);
    out.extend(database.as_bytes());
    out.push(0);
    out.extend(plugin.as_bytes());
    out.push(0);
    Ok(out)
}

/// Parses an AuthSwitchRequest: the plugin and its salt.
pub fn parse_auth_switch(packet: &[u8]) -> Result<(String, Vec<u8>), Error> {
    let mut at = Cursor(packet);
    at.take(1)?;
    let plugin = at.text();
    let salt = at.0.strip_suffix(&[0]).unwrap_or(at.0);
    Ok((plugin, salt.to_vec()))
}

/// Returns the proof of the password for this plugin, which does not contain the password.
pub fn scramble(plugin: &str, password: &str, salt: &[u8]) -> Result<Vec<u8>, Error> {
    if password.is_empty() {
        return Ok(Vec::new());
    }
    match plugin {
        NATIVE => {
            let stage1 = Sha1::digest(password.as_bytes());
            let stage2 = Sha1::digest(stage1);
            let mask = Sha1::new()
                .chain_update(salt)
                .chain_update(stage2)
                .finalize();
            Ok(stage1.iter().zip(mask.iter()).map(|(a, b)| a ^ b).collect())
        }
        CACHING_SHA2 => {
            let once = Sha256::digest(password.as_bytes());
            let twice = Sha256::digest(once);
            let mask = Sha256::new()
                .chain_update(twice)
                .chain_update(salt)
                .finalize();
            Ok(once.iter().zip(mask.iter()).map(|(a, b)| a ^ b).collect())
        }
        _ => Err(Error::Protocol(
            "an authentication plugin that this client does not speak",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_native_scramble_gives_back_what_the_server_stores() {
        let salt = b"01234567890123456789";
        let token = scramble(NATIVE, "secret", salt).unwrap();
        let stage2 = Sha1::digest(Sha1::digest(b"secret"));
        let mask = Sha1::new()
            .chain_update(salt)
            .chain_update(stage2)
            .finalize();
        let stage1: Vec<u8> = token.iter().zip(mask.iter()).map(|(a, b)| a ^ b).collect();
        assert_eq!(Sha1::digest(&stage1), stage2);
        assert!(scramble("dialog", "secret", salt).is_err());
        assert!(scramble(NATIVE, "", salt).unwrap().is_empty());
    }

    #[test]
    fn a_greeting_is_read_and_every_shorter_one_is_refused() {
        let mut bytes = vec![10];
        bytes.extend(b"8.0.2-x\0");
        bytes.extend(7u32.to_le_bytes());
        bytes.extend(b"abcdefgh\0");
        bytes.extend((0x0800u16).to_le_bytes());
        bytes.extend([45, 2, 0]);
        bytes.extend((0x0008u16).to_le_bytes());
        bytes.push(21);
        bytes.extend([0; 10]);
        bytes.extend(b"ijklmnopqrst\0");
        let fixed = bytes.len();
        bytes.extend(b"caching_sha2_password\0");
        let greeting = parse_greeting(&bytes).unwrap();
        assert_eq!(greeting.version, "8.0.2-x");
        assert_eq!(greeting.salt, b"abcdefghijklmnopqrst");
        assert_eq!(greeting.plugin, CACHING_SHA2);
        assert!(greeting.offers_tls);
        for len in 0..fixed {
            assert!(parse_greeting(&bytes[..len]).is_err(), "{len}");
        }
    }

    #[test]
    fn an_error_packet_instead_of_a_greeting_says_its_code() {
        let error = parse_greeting(b"\xff\x57\x0c#HY000no").unwrap_err();
        assert!(
            matches!(error, Error::Server { code: 3159, ref text } if text == "no"),
            "{error}"
        );
    }

    #[test]
    fn packets_carry_their_length_and_number() {
        let mut wire = Vec::new();
        let mut seq = 3;
        write_packet(&mut wire, &mut seq, b"abc").unwrap();
        assert_eq!(wire, b"\x03\0\0\x03abc");
        assert_eq!(seq, 4);
        assert_eq!(
            read_packet(&mut wire.as_slice(), &mut seq, 3).unwrap(),
            b"abc"
        );
        assert_eq!(seq, 4);
        assert!(read_packet(&mut wire.as_slice(), &mut seq, 2).is_err());
    }
}
