//! Records of a TLS session, decrypted into a buffer of the worker thread. Both legs use it.

use rustls::{ConnectionCommon, SideData};
use std::io::{self, Read};
use tidegate_wire::slices::tail_mut;

/// Bytes of plain text that rustls seals in one record at most.
pub(super) const RECORD: u64 = 16 * 1024;

/// Result of a read from either leg.
pub(crate) enum LegRead {
    /// Number of plain bytes in the scratch buffer; 0 if only messages of TLS itself arrived.
    Plain(usize),
    /// The other side closed.
    End,
}

/// Result of decrypting what one read returned.
pub(super) struct Opened {
    /// Number of plain bytes.
    pub bytes: usize,
    /// The other side has sent close_notify.
    pub closed: bool,
}

/// Returns the number of bytes that may be read at once into a buffer of this size. The first part
/// of a record may have arrived with an earlier read, so that slightly more bytes are decrypted
/// than were read.
pub(super) fn read_room(buffer: &[u8]) -> usize {
    buffer.len().saturating_sub(2 * RECORD as usize)
}

/// Decrypts these bytes into `plain`.
pub(super) fn open_records<D: SideData>(
    tls: &mut ConnectionCommon<D>,
    mut sealed: &[u8],
    plain: &mut [u8],
) -> io::Result<Opened> {
    let mut opened = Opened {
        bytes: 0,
        closed: false,
    };
    while !sealed.is_empty() {
        tls.read_tls(&mut sealed)?;
        let state = tls
            .process_new_packets()
            .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
        opened.closed |= state.peer_has_closed();
        // After each part: rustls takes no more bytes while its buffer of decrypted ones is full.
        opened.bytes = drain_plain(tls, plain, opened.bytes)?;
    }
    Ok(opened)
}

/// Moves decrypted bytes behind the first `at` bytes of `plain`. Returns how many bytes `plain` has
/// then.
pub(super) fn drain_plain<D: SideData>(
    tls: &mut ConnectionCommon<D>,
    plain: &mut [u8],
    mut at: usize,
) -> io::Result<usize> {
    loop {
        let room = tail_mut(plain, at).map_err(io::Error::other)?;
        if room.is_empty() {
            return Err(io::Error::other(
                "more plain bytes than one read can contain",
            ));
        }
        match tls.reader().read(room) {
            Ok(0) => return Ok(at),
            Ok(n) => at += n,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(at),
            // Closed without close_notify, as many MySQL clients do after COM_QUIT.
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(at),
            Err(e) => return Err(e),
        }
    }
}
