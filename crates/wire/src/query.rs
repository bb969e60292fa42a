//! Text queries on an administrative connection: COM_QUERY is written, one result set is read, both
//! within bounds.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query_response.html>

use crate::capabilities::Capabilities;
use crate::limits::{ADMIN_BYTES_MAX, ADMIN_COLUMNS_MAX, ADMIN_OVERHEAD, ADMIN_ROWS_MAX};
use crate::packet::{PAYLOAD_MAX, Packet, write_packet};
use crate::reader::{Malformed, Reader};
use crate::response::{ErrPacket, OkPacket};

/// COM_QUERY.
const QUERY: u8 = 3;

/// Row of columns; `None` is NULL.
pub type Row = Vec<Option<Vec<u8>>>;

/// Answer to a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Rows(Vec<Row>),
    Done(OkPacket),
    Refused(ErrPacket),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    #[error("malformed result set")]
    Malformed,
    #[error("result set larger than the bounds of an administrative connection")]
    TooLarge,
}

impl From<Malformed> for QueryError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// Returns a statement as packets.
pub fn encode(sql: &str) -> Vec<u8> {
    let mut payload = Vec::with_capacity(sql.len() + 1);
    payload.push(QUERY);
    payload.extend_from_slice(sql.as_bytes());
    let mut out = Vec::with_capacity(payload.len() + 4);
    write_packet(&mut 0, &payload, &mut out);
    out
}

enum QueryState {
    First,
    Columns { left: usize, all: usize },
    EofOfColumns { all: usize },
    Rows { columns: usize },
}

/// Reader of the answer to one statement.
pub struct ResultReader {
    deprecate_eof: bool,
    state: QueryState,
    rows: Vec<Row>,
    /// Bytes of memory of the rows, and bytes of all other packets.
    bytes: usize,
}

impl ResultReader {
    pub fn new(capabilities: Capabilities) -> Self {
        let deprecate_eof = capabilities.contains(Capabilities::DEPRECATE_EOF);
        Self {
            deprecate_eof,
            state: QueryState::First,
            rows: Vec::new(),
            bytes: 0,
        }
    }

    /// Takes the next packet. `Some` once the answer is complete.
    pub fn on_packet(&mut self, packet: &Packet) -> Result<Option<Outcome>, QueryError> {
        let payload = packet.payload.as_slice();
        self.bytes = self.bytes.saturating_add(payload.len());
        if self.bytes > ADMIN_BYTES_MAX || payload.len() >= PAYLOAD_MAX {
            return Err(QueryError::TooLarge);
        }
        // An error may end the answer at any place, also between rows.
        if payload.first() == Some(&0xFF) {
            return Ok(Some(Outcome::Refused(ErrPacket::parse(payload)?)));
        }
        match self.state {
            QueryState::First => self.on_first(payload),
            QueryState::Columns { left, all } => {
                self.state = match left {
                    2.. => QueryState::Columns {
                        left: left - 1,
                        all,
                    },
                    _ if self.deprecate_eof => QueryState::Rows { columns: all },
                    _ => QueryState::EofOfColumns { all },
                };
                Ok(None)
            }
            QueryState::EofOfColumns { all } => {
                self.state = QueryState::Rows { columns: all };
                Ok(None)
            }
            QueryState::Rows { columns } => self.on_row(payload, columns),
        }
    }

    fn on_first(&mut self, payload: &[u8]) -> Result<Option<Outcome>, QueryError> {
        match payload.first() {
            Some(0) => Ok(Some(Outcome::Done(OkPacket::parse(payload)?))),
            // 0xFB is LOCAL INFILE, which no statement of an administrative connection uses.
            Some(0xFB) | None => Err(QueryError::Malformed),
            Some(_) => {
                let all = usize::try_from(Reader::new(payload).lenenc()?)
                    .map_err(|_| QueryError::TooLarge)?;
                if all == 0 || all > ADMIN_COLUMNS_MAX {
                    return Err(QueryError::TooLarge);
                }
                self.state = QueryState::Columns { left: all, all };
                Ok(None)
            }
        }
    }

    fn on_row(&mut self, payload: &[u8], columns: usize) -> Result<Option<Outcome>, QueryError> {
        // The end is an EOF (5 bytes) or an OK that begins with this byte. A row that begins with
        // it would be at least 16 MB long.
        if payload.first() == Some(&0xFE) {
            return Ok(Some(Outcome::Rows(std::mem::take(&mut self.rows))));
        }
        self.bytes = self.bytes.saturating_add((columns + 1) * ADMIN_OVERHEAD);
        if self.rows.len() >= ADMIN_ROWS_MAX || self.bytes > ADMIN_BYTES_MAX {
            return Err(QueryError::TooLarge);
        }
        let mut r = Reader::new(payload);
        let row: Result<Row, Malformed> = (0..columns)
            .map(|_| r.column().map(|c| c.map(<[u8]>::to_vec)))
            .collect();
        self.rows.push(row?);
        Ok(None)
    }
}

/// Returns a string literal for this text that is valid under any sql_mode. It is written as hex,
/// since backslashes are no escapes under NO_BACKSLASH_ESCAPES.
pub fn literal(text: &str) -> String {
    let hex: String = text.bytes().map(|b| format!("{b:02X}")).collect();
    format!("_utf8mb4 X'{hex}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(payload: &[u8]) -> Packet {
        Packet {
            seq: 1,
            payload: payload.to_vec(),
        }
    }

    fn read(deprecate: bool, packets: &[&[u8]]) -> Option<Outcome> {
        let caps = if deprecate {
            Capabilities::DEPRECATE_EOF
        } else {
            Capabilities(0)
        };
        let mut reader = ResultReader::new(caps);
        packets
            .iter()
            .find_map(|p| reader.on_packet(&packet(p)).unwrap())
    }

    #[test]
    fn rows_come_out_with_and_without_eof_packets() {
        let want = Some(Outcome::Rows(vec![vec![Some(b"ab".to_vec()), None]]));
        let row = &b"\x02ab\xFB"[..];
        assert_eq!(
            read(
                true,
                &[b"\x02", b"def1", b"def2", row, b"\xFE\0\0\x02\0\0\0"]
            ),
            want
        );
        let eof = &b"\xFE\0\0\x02\0"[..];
        assert_eq!(
            read(false, &[b"\x02", b"def1", b"def2", eof, row, eof]),
            want
        );
    }

    #[test]
    fn errors_end_a_result_at_any_place() {
        let err = &b"\xFF\x28\x04#42000no"[..];
        assert!(matches!(read(true, &[err]), Some(Outcome::Refused(e)) if e.code == 1064));
        assert!(matches!(
            read(true, &[b"\x01", b"def", err]),
            Some(Outcome::Refused(_))
        ));
    }

    #[test]
    fn a_result_out_of_bounds_is_refused() {
        let mut reader = ResultReader::new(Capabilities(0));
        assert_eq!(
            reader.on_packet(&packet(b"\xFC\xFF\xFF")),
            Err(QueryError::TooLarge)
        );
        assert_eq!(
            reader.on_packet(&packet(b"\xFBfile")),
            Err(QueryError::Malformed)
        );
        // Rows without end: empty ones, whose memory is all overhead, and large ones.
        for (row, most) in [
            (vec![0], ADMIN_ROWS_MAX),
            ([vec![0xFC, 0, 0xF0], vec![b'x'; 0xF000]].concat(), 40),
        ] {
            let mut reader = ResultReader::new(Capabilities::DEPRECATE_EOF);
            for head in [&b"\x01"[..], b"def"] {
                assert_eq!(reader.on_packet(&packet(head)), Ok(None));
            }
            let taken = (0..)
                .take_while(|_| reader.on_packet(&packet(&row)) == Ok(None))
                .count();
            assert!((1..=most).contains(&taken), "{taken}");
        }
    }

    #[test]
    fn a_literal_has_nothing_that_could_end_it() {
        assert_eq!(literal("a'\\"), "_utf8mb4 X'61275C'");
    }
}
