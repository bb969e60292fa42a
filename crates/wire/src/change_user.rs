//! COM_CHANGE_USER: a login in a session that exists.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_change_user.html>

use crate::capabilities::Capabilities;
use crate::command::Command;
use crate::handshake_response::{read_attributes, read_text};
use crate::reader::{Malformed, Reader};

/// Command that logs another user in. Its proof is not kept: MariaDB asks for a new one whatever
/// the client sends, and libraries of both families send an empty one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeUser {
    pub user: Vec<u8>,
    pub database: Option<Vec<u8>>,
    /// Collation. Unlike that of a login, it has two bytes.
    pub collation: u16,
    pub plugin: Option<Vec<u8>>,
    /// Connection attributes with their length, as they arrived. Empty: none.
    pub attributes: Vec<u8>,
}

impl ChangeUser {
    /// Parses a payload of a session with these capabilities, whose last `dropped` bytes were not
    /// kept. Only attributes may lie among them.
    ///
    /// # Errors
    /// If a field before the attributes is missing or incomplete, as MariaDB does (1047).
    pub fn parse_cut(
        payload: &[u8],
        dropped: usize,
        capabilities: Capabilities,
    ) -> Result<Self, Malformed> {
        let mut r = Reader::new(payload);
        if r.u8()? != Command::CHANGE_USER.0 {
            return Err(Malformed);
        }
        let user = r.until_nul()?.to_vec();
        if capabilities.contains(Capabilities::SECURE_CONNECTION) {
            // The length has one byte, also where that of a login is length-encoded.
            let n = usize::from(r.u8()?);
            r.bytes(n)?;
        } else {
            r.until_nul()?;
        }
        let database = Some(r.until_nul()?.to_vec()).filter(|name| !name.is_empty());
        let collation = r.u16()?;
        let plugin = match capabilities.contains(Capabilities::PLUGIN_AUTH) {
            true => Some(read_text(&mut r, dropped)?.to_vec()),
            false => None,
        };
        let attributes = match capabilities.contains(Capabilities::CONNECT_ATTRS) {
            true => read_attributes(r.rest(), dropped),
            false => Vec::new(),
        };
        Ok(Self {
            user,
            database,
            collation,
            plugin,
            attributes,
        })
    }

    /// Returns the payload for a session with these capabilities, without a proof.
    pub fn encode(&self, capabilities: Capabilities) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + self.user.len() + self.attributes.len());
        out.push(Command::CHANGE_USER.0);
        out.extend_from_slice(&self.user);
        // The NUL of the name, and the length or the NUL of the proof.
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(self.database.as_deref().unwrap_or_default());
        out.push(0);
        out.extend_from_slice(&self.collation.to_le_bytes());
        if capabilities.contains(Capabilities::PLUGIN_AUTH) {
            out.extend_from_slice(self.plugin.as_deref().unwrap_or_default());
            out.push(0);
        }
        if capabilities.contains(Capabilities::CONNECT_ATTRS) {
            match self.attributes.as_slice() {
                [] => out.push(0),
                attributes => out.extend_from_slice(attributes),
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::NATIVE;
    use crate::capabilities::OFFERED;

    fn change() -> ChangeUser {
        ChangeUser {
            user: b"abcdefghjkmn.root".to_vec(),
            database: Some(b"test".to_vec()),
            collation: 2304,
            plugin: Some(NATIVE.to_vec()),
            attributes: b"\x08\x03key\x03val".to_vec(),
        }
    }

    #[test]
    fn case_50_what_is_encoded_is_parsed_the_same() {
        let bare = ChangeUser {
            database: None,
            plugin: None,
            attributes: Vec::new(),
            ..change()
        };
        let old = OFFERED
            .without(Capabilities::PLUGIN_AUTH)
            .without(Capabilities::CONNECT_ATTRS)
            .without(Capabilities::SECURE_CONNECTION);
        for (sent, capabilities) in [(change(), OFFERED), (bare, old)] {
            let parsed = ChangeUser::parse_cut(&sent.encode(capabilities), 0, capabilities);
            assert_eq!(parsed, Ok(sent));
        }
    }

    #[test]
    fn case_50_a_change_cut_before_its_plugin_is_malformed_and_one_cut_behind_has_less() {
        let bytes = change().encode(OFFERED);
        let fixed = bytes.len() - change().attributes.len();
        for kept in 0..bytes.len() {
            let parsed = ChangeUser::parse_cut(&bytes[..kept], bytes.len() - kept, OFFERED);
            match kept < fixed {
                true => assert_eq!(parsed, Err(Malformed), "{kept}"),
                false => assert_eq!(parsed.unwrap().attributes, b"", "{kept}"),
            }
        }
        for end in 0..bytes.len() {
            let _ = ChangeUser::parse_cut(&bytes[..end], 0, OFFERED);
        }
    }

    #[test]
    fn case_40_broken_attributes_of_a_change_are_dropped() {
        for broken in [&b""[..], b"\xFF", b"\x50\x03key", b"\x05\x03key\x09"] {
            let bytes = ChangeUser {
                attributes: Vec::new(),
                ..change()
            }
            .encode(OFFERED);
            let bytes = [&bytes[..bytes.len() - 1], broken].concat();
            let parsed = ChangeUser::parse_cut(&bytes, 0, OFFERED).unwrap();
            assert_eq!(parsed.attributes, b"", "{broken:?}");
        }
    }
}
