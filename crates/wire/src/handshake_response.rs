//! Login packet of a client (Protocol::HandshakeResponse41).
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_handshake_response.html>

use crate::capabilities::Capabilities;
use crate::first_packet::SSL_REQUEST_LEN;
use crate::limits::CUT_ATTRIBUTES_MAX;
use crate::reader::{Malformed, Reader, put_lenenc_bytes};
use crate::slices::split_at_most;
use zeroize::Zeroize;

/// Collation that replaces one whose number does not fit into a login.
const UTF8MB4_GENERAL_CI: u8 = 45;

/// Login packet.
#[derive(Clone, PartialEq, Eq)]
pub struct HandshakeResponse {
    pub capabilities: Capabilities,
    pub max_packet: u32,
    /// Collation, passed on unchanged: the engine knows more of them than the gateway (case 42).
    pub collation: u16,
    pub user: Vec<u8>,
    pub auth_response: Vec<u8>,
    pub database: Option<Vec<u8>>,
    pub plugin: Option<Vec<u8>>,
    /// Connection attributes with their length, as they arrived (case 40). Empty: none.
    pub attributes: Vec<u8>,
}

impl std::fmt::Debug for HandshakeResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HandshakeResponse")
            .field("capabilities", &self.capabilities)
            .field("user", &String::from_utf8_lossy(&self.user))
            .field(
                "auth_response",
                &format_args!("({} bytes)", self.auth_response.len()),
            )
            .finish_non_exhaustive()
    }
}

impl Drop for HandshakeResponse {
    fn drop(&mut self) {
        self.auth_response.zeroize();
    }
}

impl HandshakeResponse {
    pub fn parse(payload: &[u8]) -> Result<Self, Malformed> {
        Self::parse_cut(payload, 0)
    }

    /// Parses a login whose last `dropped` bytes were not kept. Only attributes may lie among them;
    /// the pairs that were kept whole are returned.
    pub fn parse_cut(payload: &[u8], dropped: usize) -> Result<Self, Malformed> {
        let mut r = Reader::new(payload);
        let lower = r.u32()?;
        let max_packet = r.u32()?;
        let collation = u16::from(r.u8()?);
        r.bytes(19)?;
        let capabilities = Capabilities::from_halves(lower, r.u32()?);
        if !capabilities.contains(Capabilities::PROTOCOL_41) {
            return Err(Malformed);
        }
        let user = read_text(&mut r, dropped)?.to_vec();
        let auth_response = if capabilities.contains(Capabilities::PLUGIN_AUTH_LENENC) {
            r.lenenc_bytes()?.to_vec()
        } else if capabilities.contains(Capabilities::SECURE_CONNECTION) {
            let n = usize::from(r.u8()?);
            r.bytes(n)?.to_vec()
        } else {
            read_text(&mut r, dropped)?.to_vec()
        };
        // A field is read only if its flag announces it: old JDBC drivers send the NUL of a
        // database that they did not announce (case 39).
        let mut database = None;
        if capabilities.contains(Capabilities::CONNECT_WITH_DB) {
            database = Some(read_text(&mut r, dropped)?.to_vec()).filter(|name| !name.is_empty());
        }
        let mut plugin = None;
        if capabilities.contains(Capabilities::PLUGIN_AUTH) {
            plugin = Some(read_text(&mut r, dropped)?.to_vec());
        }
        let attributes = if capabilities.contains(Capabilities::CONNECT_ATTRS) {
            read_attributes(r.rest(), dropped)
        } else {
            Vec::new()
        };
        Ok(Self {
            capabilities,
            max_packet,
            collation,
            user,
            auth_response,
            database,
            plugin,
            attributes,
        })
    }

    /// Returns the request for TLS that comes before this login: its first bytes, which tell
    /// nothing of the account.
    pub fn encode_ssl_request(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(SSL_REQUEST_LEN);
        self.put_head(&mut out);
        out
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(96 + self.attributes.len());
        self.put_head(&mut out);
        out.extend_from_slice(&self.user);
        out.push(0);
        put_lenenc_bytes(&self.auth_response, &mut out);
        for text in [&self.database, &self.plugin].into_iter().flatten() {
            out.extend_from_slice(text);
            out.push(0);
        }
        out.extend_from_slice(&self.attributes);
        out
    }

    /// Appends the fields before the user.
    fn put_head(&self, out: &mut Vec<u8>) {
        let (lower, mariadb) = self.sent_capabilities().halves();
        out.extend_from_slice(&lower);
        out.extend_from_slice(&self.max_packet.to_le_bytes());
        // A larger one has no room here. All of those are of utf8mb3 and utf8mb4, and so is the
        // one that is sent instead: the user's name is read by it.
        out.push(u8::try_from(self.collation).unwrap_or(UTF8MB4_GENERAL_CI));
        out.extend_from_slice(&[0; 19]);
        out.extend_from_slice(&mariadb);
    }

    /// Returns the capabilities with the flags of the fields that are sent.
    fn sent_capabilities(&self) -> Capabilities {
        let mut caps = self.capabilities.union(Capabilities::PROTOCOL_41);
        for (has, flag) in [
            (self.database.is_some(), Capabilities::CONNECT_WITH_DB),
            (self.plugin.is_some(), Capabilities::PLUGIN_AUTH),
            (!self.attributes.is_empty(), Capabilities::CONNECT_ATTRS),
        ] {
            caps = if has {
                caps.union(flag)
            } else {
                caps.without(flag)
            };
        }
        caps.union(Capabilities::SECURE_CONNECTION)
            .union(Capabilities::PLUGIN_AUTH_LENENC)
    }
}

/// Reads a string up to its NUL. In a whole payload, the end of the payload ends it too: some
/// clients leave the last NUL out.
pub(crate) fn read_text<'a>(r: &mut Reader<'a>, dropped: usize) -> Result<&'a [u8], Malformed> {
    if dropped == 0 {
        Ok(r.until_nul_or_end())
    } else {
        r.until_nul()
    }
}

/// Returns the attributes as they arrived, if their length and all pairs are valid. Invalid ones
/// are dropped: the engine would refuse the whole login for them, and there are clients that send
/// them (MySQL bug 79612). If the last `dropped` bytes of the payload were not kept, the pairs
/// before them are returned with a new length.
pub(crate) fn read_attributes(rest: &[u8], dropped: usize) -> Vec<u8> {
    let mut r = Reader::new(rest);
    let Some(len) = r.lenenc().ok().and_then(|len| usize::try_from(len).ok()) else {
        return Vec::new();
    };
    if let Ok(inner) = r.bytes(len) {
        if pairs(inner) != inner.len() {
            return Vec::new();
        }
        let (read, _) = split_at_most(rest, rest.len() - r.rest().len());
        return read.to_vec();
    }
    let kept = r.rest();
    // Longer than the packet itself, so the length is invalid.
    if len > kept.len().saturating_add(dropped) {
        return Vec::new();
    }
    let (kept, _) = split_at_most(kept, CUT_ATTRIBUTES_MAX);
    let (whole, _) = split_at_most(kept, pairs(kept));
    let mut out = Vec::new();
    if !whole.is_empty() {
        out.reserve_exact(whole.len() + 9);
        put_lenenc_bytes(whole, &mut out);
    }
    out
}

/// Returns the length of the whole pairs of keys and values that these bytes start with.
fn pairs(bytes: &[u8]) -> usize {
    let mut r = Reader::new(bytes);
    loop {
        let at = bytes.len() - r.rest().len();
        if r.is_empty() || r.lenenc_bytes().is_err() || r.lenenc_bytes().is_err() {
            return at;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn response() -> HandshakeResponse {
        HandshakeResponse {
            capabilities: crate::capabilities::OFFERED,
            max_packet: 1 << 24,
            collation: 255,
            user: b"abcdefghjkmn.root".to_vec(),
            auth_response: vec![7; 32],
            database: Some(b"test".to_vec()),
            plugin: Some(b"caching_sha2_password".to_vec()),
            attributes: b"\x08\x03key\x03val".to_vec(),
        }
    }

    #[test]
    fn what_is_encoded_is_parsed_the_same() {
        assert_eq!(
            HandshakeResponse::parse(&response().encode()),
            Ok(response())
        );
    }

    #[test]
    fn case_39_an_empty_or_unannounced_database_is_none() {
        let mut r = response();
        r.database = Some(Vec::new());
        assert_eq!(
            HandshakeResponse::parse(&r.encode()).unwrap().database,
            None
        );
    }

    #[test]
    fn case_40_broken_attributes_are_dropped_and_the_login_goes_on() {
        let mut r = response();
        for broken in [
            &b"\x50\x03key"[..],
            b"\x04\x09key",
            b"\xFF",
            b"\x05\x03key\x09",
        ] {
            r.attributes = broken.to_vec();
            let parsed = HandshakeResponse::parse(&r.encode()).unwrap();
            assert!(parsed.attributes.is_empty(), "{broken:?}");
            assert_eq!(parsed.user, r.user);
        }
    }

    #[test]
    fn attributes_past_the_kept_bytes_are_cut_to_whole_pairs() {
        let mut r = response();
        let mut inner = Vec::new();
        for _ in 0..100 {
            put_lenenc_bytes(b"key", &mut inner);
            put_lenenc_bytes(&[b'v'; 300], &mut inner);
        }
        r.attributes.clear();
        put_lenenc_bytes(&inner, &mut r.attributes);
        let bytes = r.encode();
        let fixed = bytes.len() - r.attributes.len();
        for kept in [
            fixed + 2,
            fixed + 3,
            fixed + 309,
            fixed + 310,
            fixed + 5_000,
        ] {
            let parsed = HandshakeResponse::parse_cut(&bytes[..kept], bytes.len() - kept).unwrap();
            assert_eq!(
                (&parsed.user, &parsed.database, &parsed.plugin),
                (&r.user, &r.database, &r.plugin)
            );
            let whole = kept.saturating_sub(fixed + 3) / 307;
            let mut want = Vec::new();
            if whole > 0 {
                put_lenenc_bytes(&inner[..whole * 307], &mut want);
            }
            assert_eq!(parsed.attributes, want, "{kept}");
        }
        // A length that is larger than kept and dropped bytes together is invalid.
        let parsed = HandshakeResponse::parse_cut(&bytes[..fixed + 400], 10).unwrap();
        assert_eq!(parsed.attributes, b"");
    }

    #[test]
    fn no_other_field_may_reach_into_what_was_dropped() {
        let mut r = response();
        r.attributes = Vec::new();
        let bytes = r.encode();
        for kept in 0..bytes.len() {
            assert_eq!(
                HandshakeResponse::parse_cut(&bytes[..kept], bytes.len() - kept),
                Err(Malformed),
                "{kept}"
            );
        }
    }

    #[test]
    fn debug_shows_no_proof() {
        assert!(!format!("{:?}", response()).contains("7, 7"));
    }

    #[test]
    fn a_login_cut_anywhere_never_panics() {
        let bytes = response().encode();
        for end in 0..bytes.len() {
            let _ = HandshakeResponse::parse(&bytes[..end]);
        }
    }
}
