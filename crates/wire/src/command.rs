//! Commands of the command phase: their first byte, and the shape of the engine's answer to each.

/// First byte of a packet that begins a command. A client may send any byte, so this is not an
/// enum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Command(pub u8);

impl Command {
    pub const SLEEP: Self = Self(0x00);
    pub const QUIT: Self = Self(0x01);
    pub const INIT_DB: Self = Self(0x02);
    pub const QUERY: Self = Self(0x03);
    pub const FIELD_LIST: Self = Self(0x04);
    pub const CREATE_DB: Self = Self(0x05);
    pub const DROP_DB: Self = Self(0x06);
    pub const REFRESH: Self = Self(0x07);
    pub const SHUTDOWN: Self = Self(0x08);
    pub const STATISTICS: Self = Self(0x09);
    pub const PROCESS_INFO: Self = Self(0x0a);
    pub const PROCESS_KILL: Self = Self(0x0c);
    pub const DEBUG: Self = Self(0x0d);
    pub const PING: Self = Self(0x0e);
    pub const CHANGE_USER: Self = Self(0x11);
    pub const BINLOG_DUMP: Self = Self(0x12);
    pub const TABLE_DUMP: Self = Self(0x13);
    pub const REGISTER_SLAVE: Self = Self(0x15);
    pub const STMT_PREPARE: Self = Self(0x16);
    pub const STMT_EXECUTE: Self = Self(0x17);
    pub const STMT_SEND_LONG_DATA: Self = Self(0x18);
    pub const STMT_CLOSE: Self = Self(0x19);
    pub const STMT_RESET: Self = Self(0x1a);
    pub const SET_OPTION: Self = Self(0x1b);
    pub const STMT_FETCH: Self = Self(0x1c);
    pub const BINLOG_DUMP_GTID: Self = Self(0x1e);
    pub const RESET_CONNECTION: Self = Self(0x1f);
    /// MariaDB only.
    pub const STMT_BULK_EXECUTE: Self = Self(0xfa);
    /// MariaDB 10.2 only: several commands in one packet.
    pub const MULTI: Self = Self(0xfe);

    /// Returns the shape of the engine's answer.
    pub fn reply(self) -> ReplyShape {
        match self {
            Self::QUIT | Self::STMT_SEND_LONG_DATA | Self::STMT_CLOSE => ReplyShape::None,
            Self::QUERY | Self::PROCESS_INFO | Self::STMT_EXECUTE | Self::STMT_BULK_EXECUTE => {
                ReplyShape::Results
            }
            Self::STMT_PREPARE => ReplyShape::Prepared,
            Self::STMT_FETCH => ReplyShape::Rows,
            Self::FIELD_LIST => ReplyShape::Fields,
            Self::STATISTICS => ReplyShape::Text,
            Self::CHANGE_USER => ReplyShape::Dialogue,
            Self::BINLOG_DUMP | Self::BINLOG_DUMP_GTID | Self::TABLE_DUMP | Self::MULTI => {
                ReplyShape::Untracked
            }
            // An engine answers an unknown command with an ERR packet, so with one packet too.
            _ => ReplyShape::One,
        }
    }
}

/// Shape of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyShape {
    /// No answer.
    None,
    /// A single OK, EOF or ERR packet.
    One,
    /// A single packet that is a string.
    Text,
    /// Any number of results, each an OK, a request for a local file, or columns and rows.
    Results,
    /// OK of a prepared statement, then the definitions of its parameters and columns.
    Prepared,
    /// Rows of an open cursor up to an EOF.
    Rows,
    /// Column definitions up to an EOF.
    Fields,
    /// Authentication dialogue up to OK or ERR.
    Dialogue,
    /// Stream whose end can't be recognised, unless the command is refused with an ERR.
    Untracked,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_52_three_commands_have_no_reply() {
        let silent: Vec<u8> = (0..=u8::MAX)
            .filter(|b| Command(*b).reply() == ReplyShape::None)
            .collect();
        assert_eq!(silent, [0x01, 0x18, 0x19]);
    }

    #[test]
    fn case_51_unknown_bytes_are_answered_by_one_packet() {
        for byte in [0x00, 0x0b, 0x0f, 0x14, 0x20, 0x77, 0xfb, 0xff] {
            assert_eq!(Command(byte).reply(), ReplyShape::One, "{byte:#x}");
        }
    }
}
