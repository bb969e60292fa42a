//! OK, error and EOF packets.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_response_packets.html>

use crate::capabilities::Capabilities;
use crate::limits::ERROR_TEXT_MAX;
use crate::reader::{Malformed, Reader, put_lenenc};

/// Server status flags.
pub mod status {
    pub const IN_TRANS: u16 = 1;
    pub const AUTOCOMMIT: u16 = 2;
    pub const MORE_RESULTS_EXISTS: u16 = 8;
    pub const CURSOR_EXISTS: u16 = 64;
    pub const LAST_ROW_SENT: u16 = 128;
    pub const SESSION_STATE_CHANGED: u16 = 0x4000;
}

/// OK packet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OkPacket {
    pub affected_rows: u64,
    pub last_insert_id: u64,
    pub status: u16,
    pub warnings: u16,
}

impl OkPacket {
    pub fn encode(&self, capabilities: Capabilities) -> Vec<u8> {
        let mut out = vec![0];
        put_lenenc(self.affected_rows, &mut out);
        put_lenenc(self.last_insert_id, &mut out);
        // The packet carries no session state, so the flag that announces it must not be set.
        let status = self.status & !status::SESSION_STATE_CHANGED;
        out.extend_from_slice(&status.to_le_bytes());
        out.extend_from_slice(&self.warnings.to_le_bytes());
        if capabilities.contains(Capabilities::SESSION_TRACK) {
            put_lenenc(0, &mut out);
        }
        out
    }

    /// Reads the fixed part, without the info text and the session state behind it.
    pub fn parse(payload: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(payload);
        if !matches!(r.u8()?, 0 | 0xFE) {
            return Err(Malformed);
        }
        Ok(Self {
            affected_rows: r.lenenc()?,
            last_insert_id: r.lenenc()?,
            status: r.u16()?,
            warnings: r.u16()?,
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{code} ({}): {}",
    String::from_utf8_lossy(sqlstate),
    String::from_utf8_lossy(message)
)]
pub struct ErrPacket {
    pub code: u16,
    pub sqlstate: [u8; 5],
    pub message: Vec<u8>,
}

impl ErrPacket {
    /// Makes an error. A `sqlstate` that does not have five characters becomes the general HY000.
    pub fn new(code: u16, sqlstate: &str, message: &str) -> Self {
        let sqlstate = sqlstate.as_bytes().try_into().unwrap_or(*b"HY000");
        Self {
            code,
            sqlstate,
            message: message.as_bytes().to_vec(),
        }
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(9 + self.message.len());
        out.push(0xFF);
        out.extend_from_slice(&self.code.to_le_bytes());
        out.push(b'#');
        out.extend_from_slice(&self.sqlstate);
        out.extend_from_slice(&self.message);
        out
    }

    /// Parses an error. One that is sent instead of a greeting has no SQLSTATE, and gets the one
    /// that belongs to its code.
    pub fn parse(payload: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(payload);
        if r.u8()? != 0xFF {
            return Err(Malformed);
        }
        let code = r.u16()?;
        let sqlstate = match r.rest().first() {
            Some(b'#') => {
                r.bytes(1)?;
                r.array()?
            }
            _ => sqlstate_of(code),
        };
        // An engine may send a message of any length, and it goes to logs and clients from here.
        let message = r.rest().get(..ERROR_TEXT_MAX).unwrap_or(r.rest());
        Ok(Self {
            code,
            sqlstate,
            message: message.to_vec(),
        })
    }

    pub fn message_lossy(&self) -> String {
        String::from_utf8_lossy(&self.message).into_owned()
    }
}

/// Returns the SQLSTATE of an error that a server may send instead of a greeting (MySQL 8.0 server
/// error reference).
fn sqlstate_of(code: u16) -> [u8; 5] {
    match code {
        1040 => *b"08004",
        1043 | 1053 => *b"08S01",
        1045 => *b"28000",
        1203 => *b"42000",
        _ => *b"HY000",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_and_error_round_trip() {
        let ok = OkPacket {
            affected_rows: 300,
            last_insert_id: 1 << 40,
            status: 3,
            warnings: 2,
        };
        assert_eq!(
            OkPacket::parse(&ok.encode(Capabilities::SESSION_TRACK)),
            Ok(ok.clone())
        );
        assert_eq!(OkPacket::parse(&ok.encode(Capabilities(0))), Ok(ok));
        let err = ErrPacket::new(3159, "HY000", "no");
        assert_eq!(ErrPacket::parse(&err.encode()), Ok(err));
    }

    #[test]
    fn a_message_without_end_is_cut() {
        let err = ErrPacket::new(1045, "28000", &"x".repeat(1 << 20));
        assert_eq!(
            ErrPacket::parse(&err.encode()).unwrap().message.len(),
            ERROR_TEXT_MAX
        );
    }

    #[test]
    fn an_ok_of_ours_never_announces_session_state_it_does_not_carry() {
        let ok = OkPacket {
            status: 0x4002,
            ..OkPacket::default()
        };
        assert_eq!(
            OkPacket::parse(&ok.encode(Capabilities::SESSION_TRACK))
                .unwrap()
                .status,
            2
        );
    }
}
