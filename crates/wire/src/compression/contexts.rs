//! Contexts of the compression methods. They belong to worker threads: a session has one only while
//! a frame of its client arrives.

use super::{CompressionError, Method};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// Level of zlib. 1 to 3 are allowed: higher ones cost several times as much processor time and
/// save a tenth of the bytes.
const ZLIB_LEVEL: u32 = 1;

/// Idle contexts for reading that a worker keeps.
const IDLE_MAX: usize = 4;

/// Bytes of memory of a context that reads zlib: its window of 32 KB and its tables.
const ZLIB_UNPACKER_BYTES: usize = 48 * 1024;

/// Contexts of one worker thread. Nothing is allocated before a session compresses.
#[derive(Default)]
pub struct Contexts {
    unpackers: Vec<Unpacker>,
    packer: Option<Compress>,
}

/// Context that reads the body of one frame.
#[derive(Debug)]
pub(super) struct Unpacker(Decompress);

/// Result of a step of an [`Unpacker`].
#[derive(Debug, Clone, Copy)]
pub(super) struct UnpackStep {
    pub taken: usize,
    pub written: usize,
    /// The compressed stream is complete, and its checksum is right.
    pub ended: bool,
}

impl Contexts {
    /// Returns a context for the next frame.
    pub(super) fn unpacker(&mut self, method: Method) -> Box<Unpacker> {
        let Method::Zlib = method;
        let idle = self.unpackers.pop();
        Box::new(idle.unwrap_or_else(|| Unpacker(Decompress::new(true))))
    }

    /// Takes a context back.
    pub(super) fn give_back(&mut self, mut unpacker: Unpacker) {
        if self.unpackers.len() < IDLE_MAX {
            unpacker.0.reset(true);
            self.unpackers.push(unpacker);
        }
    }

    /// Appends the compressed bytes, if they are fewer. Returns whether it did.
    pub(super) fn pack(&mut self, method: Method, plain: &[u8], out: &mut Vec<u8>) -> bool {
        let Method::Zlib = method;
        let packer = self
            .packer
            .get_or_insert_with(|| Compress::new(Compression::new(ZLIB_LEVEL), true));
        packer.reset();
        let before = out.len();
        out.reserve(plain.len());
        let packed = packer.compress_vec(plain, out, FlushCompress::Finish);
        let is_shorter = out.len().saturating_sub(before) < plain.len();
        let is_whole = matches!(packed, Ok(Status::StreamEnd));
        if !(is_whole && is_shorter) {
            out.truncate(before);
        }
        is_whole && is_shorter
    }
}

impl Unpacker {
    pub fn unpack(
        &mut self,
        packed: &[u8],
        out: &mut [u8],
    ) -> Result<UnpackStep, CompressionError> {
        let read = self.0.total_in();
        let wrote = self.0.total_out();
        let status = self
            .0
            .decompress(packed, out, FlushDecompress::None)
            .map_err(|_| CompressionError::Corrupt)?;
        Ok(UnpackStep {
            taken: usize::try_from(self.0.total_in() - read).unwrap_or(usize::MAX),
            written: usize::try_from(self.0.total_out() - wrote).unwrap_or(usize::MAX),
            ended: status == Status::StreamEnd,
        })
    }

    /// Returns the bytes of memory of this context.
    pub fn bytes(&self) -> usize {
        ZLIB_UNPACKER_BYTES
    }
}
