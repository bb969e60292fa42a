//! First bytes of the engine's packets: what kind of packet they begin, and the fields that the
//! relay needs.

use crate::reader::Reader;
use crate::response::status;

pub(super) const OK: u8 = 0x00;
pub(super) const AUTH_MORE_DATA: u8 = 0x01;
pub(super) const LOCAL_INFILE: u8 = 0xFB;
pub(super) const EOF: u8 = 0xFE;
pub(super) const ERR: u8 = 0xFF;

/// Code of a statement that a setting of the engine prevents, such as `read_only`:
/// ER_OPTION_PREVENTS_STATEMENT.
pub(super) const PREVENTED: u16 = 1290;

/// Returns the code of an ERR.
pub(super) fn error_code(head: &[u8]) -> Option<u16> {
    let [_, a, b, ..] = *head else { return None };
    Some(u16::from_le_bytes([a, b]))
}

/// Whether MariaDB closes the session that it sent this error to: ER_SERVER_SHUTDOWN,
/// ER_FORCING_CLOSE, the errors of its network layer from ER_NET_PACKET_TOO_LARGE to
/// ER_NET_WRITE_INTERRUPTED, and ER_CONNECTION_KILLED.
pub(super) fn ends_session(code: u16) -> bool {
    matches!(code, 1053 | 1080 | 1153..=1161 | 1927)
}

/// Returns the status flags of an OK: 0x00 or 0xFE, affected rows, last insert id, status flags.
pub(super) fn ok_status(head: &[u8]) -> Option<u16> {
    let mut r = Reader::new(head.get(1..)?);
    r.lenenc().ok()?;
    r.lenenc().ok()?;
    r.u16().ok()
}

/// Returns the status flags of an EOF: 0xFE, warnings, status flags.
pub(super) fn eof_status(head: &[u8]) -> Option<u16> {
    let [EOF, _, _, a, b, ..] = *head else {
        return None;
    };
    Some(u16::from_le_bytes([a, b]))
}

/// Whether these flags open a cursor, so that no rows follow. In a procedure that uses a cursor
/// itself, MariaDB leaves CURSOR_EXISTS set before rows that do follow; MORE_RESULTS_EXISTS is set
/// there too, which it never is with a cursor of the client.
pub(super) fn opens_cursor(flags: u16) -> bool {
    flags & (status::CURSOR_EXISTS | status::MORE_RESULTS_EXISTS) == status::CURSOR_EXISTS
}

/// Returns the number of columns of a result, and whether their definitions follow. MariaDB tells
/// the latter in a separate byte, to clients that keep the definitions of prepared statements.
pub(super) fn result_columns(head: &[u8], cache_metadata: bool) -> Option<(u32, bool)> {
    let mut r = Reader::new(head);
    let columns = u32::try_from(r.lenenc().ok()?).ok()?;
    let follow = !cache_metadata || r.u8().ok()? != 0;
    Some((columns, follow))
}

/// Returns the number of packets that follow the OK of a prepared statement: 0x00, statement id,
/// columns, parameters.
pub(super) fn definition_packets(head: &[u8], deprecate_eof: bool) -> Option<u32> {
    let [OK, _, _, _, _, c0, c1, p0, p1, ..] = *head else {
        return None;
    };
    let mut packets = 0;
    for count in [u16::from_le_bytes([c0, c1]), u16::from_le_bytes([p0, p1])] {
        if count > 0 {
            // An EOF ends each list, unless DEPRECATE_EOF was agreed on.
            packets += u32::from(count) + u32::from(!deprecate_eof);
        }
    }
    Some(packets)
}
