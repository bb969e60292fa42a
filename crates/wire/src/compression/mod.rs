//! Compressed protocol: after the login, the packets of a session travel inside of frames.
//!
//! A frame has a header of seven bytes (length, sequence number, length before compression; 0: not
//! compressed) and a body. Packets and frames begin independently of each other. The sequence
//! numbers of the frames count; servers ignore those of the packets inside.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_compression.html>

mod contexts;
mod frame_reader;
mod frame_writer;
mod packet_numbers;

pub use contexts::Contexts;
pub use frame_reader::{FrameReader, Unpacked};
pub use frame_writer::write_frames;
pub use packet_numbers::PacketNumbers;

use crate::capabilities::Capabilities;
use crate::slices::OutOfBounds;

pub const FRAME_HEADER_LEN: usize = 7;

/// Bytes below which a frame is not compressed, as MariaDB and MySQL do: the result would be
/// larger.
pub const COMPRESSED_MIN: usize = 50;

/// Method of compression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Zlib,
    /// zstd with this level.
    Zstd(u8),
}

/// Largest level of zstd. A client may ask for 22, at a hundred times the processor time.
const ZSTD_LEVEL_MAX: u8 = 3;

impl Method {
    /// Returns the method of a session with these capabilities. `level` is the one that its client
    /// asks for, if it has zstd. Of a client with both methods, MySQL takes zlib too.
    pub fn of(granted: Capabilities, level: u8) -> Option<Self> {
        if granted.contains(Capabilities::COMPRESS) {
            Some(Self::Zlib)
        } else if granted.contains(Capabilities::ZSTD) {
            Some(Self::Zstd(level.clamp(1, ZSTD_LEVEL_MAX)))
        } else {
            None
        }
    }
}

/// Header of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    /// Bytes of the body.
    pub len: u32,
    pub seq: u8,
    /// Bytes of the body before it was compressed; 0: it is not compressed.
    pub plain_len: u32,
}

impl FrameHeader {
    pub fn decode([a, b, c, seq, x, y, z]: [u8; FRAME_HEADER_LEN]) -> Self {
        Self {
            len: u32::from_le_bytes([a, b, c, 0]),
            seq,
            plain_len: u32::from_le_bytes([x, y, z, 0]),
        }
    }

    pub fn encode(self) -> [u8; FRAME_HEADER_LEN] {
        let [a, b, c, _] = self.len.to_le_bytes();
        let [x, y, z, _] = self.plain_len.to_le_bytes();
        [a, b, c, self.seq, x, y, z]
    }
}

/// Reason why a stream of frames can't be read any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompressionError {
    #[error("compressed packet with sequence number {found} instead of {expected}")]
    OutOfOrder { found: u8, expected: u8 },
    #[error("compressed packet that can't be uncompressed")]
    Corrupt,
    #[error("compressed packet with more bytes than it declares")]
    TooLong,
    #[error(transparent)]
    OutOfBounds(#[from] OutOfBounds),
}
