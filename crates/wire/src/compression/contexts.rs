//! Contexts of the compression methods. They belong to worker threads: a session has one only while
//! a frame of its client arrives.

use super::{CompressionError, Method};
use crate::slices::{OutOfBounds, tail_mut};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use zstd::bulk::Compressor;
use zstd::stream::raw::{Decoder, InBuffer, Operation, OutBuffer};
use zstd::zstd_safe::DParameter;

/// Level of zlib. 1 to 3 are allowed: higher ones cost several times as much processor time and
/// save a tenth of the bytes.
const ZLIB_LEVEL: u32 = 1;

/// Idle contexts for reading that a worker keeps, of each method.
const IDLE_MAX: usize = 4;

/// Bytes that a frame may declare for its context to be kept: that of a larger one has a larger
/// window.
const KEPT_MAX: u32 = 256 * 1024;

/// Bytes of memory of a context that reads zlib: its window of 32 KB and its tables.
const ZLIB_UNPACKER_BYTES: usize = 48 * 1024;
/// Bytes of memory of a context that reads zstd, besides its window.
const ZSTD_UNPACKER_BYTES: usize = 256 * 1024;
/// Base-2 logarithm of the largest window of zstd that is read: no frame has more bytes.
const WINDOW_LOG_MAX: u32 = 24;

/// Contexts of one worker thread. Nothing is allocated before a session compresses.
#[derive(Default)]
pub struct Contexts {
    zlib_unpackers: Vec<Decompress>,
    zstd_unpackers: Vec<Decoder<'static>>,
    zlib_packer: Option<Compress>,
    /// By level.
    zstd_packers: BTreeMap<u8, Compressor<'static>>,
}

/// Context that reads the body of one frame.
pub(super) enum Unpacker {
    Zlib(Decompress),
    Zstd(Decoder<'static>),
}

/// Result of a step of an [`Unpacker`].
#[derive(Debug, Clone, Copy)]
pub(super) struct UnpackStep {
    pub taken: usize,
    pub written: usize,
    /// The compressed stream is complete, and its checksum is right if it has one.
    pub ended: bool,
}

impl Contexts {
    /// Returns a context for the next frame.
    pub(super) fn unpacker(&mut self, method: Method) -> Result<Box<Unpacker>, CompressionError> {
        Ok(Box::new(match method {
            Method::Zlib => {
                let idle = self.zlib_unpackers.pop();
                Unpacker::Zlib(idle.unwrap_or_else(|| Decompress::new(true)))
            }
            Method::Zstd(_) => Unpacker::Zstd(match self.zstd_unpackers.pop() {
                Some(idle) => idle,
                None => zstd_unpacker().map_err(|_| CompressionError::Corrupt)?,
            }),
        }))
    }

    /// Takes back the context of a frame that declared this many bytes.
    pub(super) fn give_back(&mut self, unpacker: Unpacker, declared: u32) {
        match unpacker {
            Unpacker::Zlib(mut zlib) if self.zlib_unpackers.len() < IDLE_MAX => {
                zlib.reset(true);
                self.zlib_unpackers.push(zlib);
            }
            Unpacker::Zstd(mut zstd)
                if self.zstd_unpackers.len() < IDLE_MAX && declared <= KEPT_MAX =>
            {
                if zstd.reinit().is_ok() {
                    self.zstd_unpackers.push(zstd);
                }
            }
            Unpacker::Zlib(_) | Unpacker::Zstd(_) => {}
        }
    }

    /// Appends the compressed bytes, if they are fewer. Returns whether it did.
    pub(super) fn pack(
        &mut self,
        method: Method,
        plain: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<bool, OutOfBounds> {
        let before = out.len();
        let packed = match method {
            Method::Zlib => {
                let packer = self
                    .zlib_packer
                    .get_or_insert_with(|| Compress::new(Compression::new(ZLIB_LEVEL), true));
                packer.reset();
                out.reserve(plain.len());
                let done = packer.compress_vec(plain, out, FlushCompress::Finish);
                matches!(done, Ok(Status::StreamEnd))
            }
            Method::Zstd(level) => {
                out.resize(before + plain.len(), 0);
                let written = self.pack_zstd(level, plain, tail_mut(out, before)?);
                out.truncate(before + written.unwrap_or(0));
                written.is_some()
            }
        };
        let is_shorter = packed && out.len() - before < plain.len();
        if !is_shorter {
            out.truncate(before);
        }
        Ok(is_shorter)
    }

    /// Returns the number of bytes, or `None` if there is no room for them.
    fn pack_zstd(&mut self, level: u8, plain: &[u8], out: &mut [u8]) -> Option<usize> {
        let packer = match self.zstd_packers.entry(level) {
            Entry::Occupied(kept) => kept.into_mut(),
            Entry::Vacant(empty) => empty.insert(Compressor::new(i32::from(level)).ok()?),
        };
        packer.compress_to_buffer(plain, out).ok()
    }
}

fn zstd_unpacker() -> std::io::Result<Decoder<'static>> {
    let mut decoder = Decoder::new()?;
    decoder.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX))?;
    Ok(decoder)
}

impl Unpacker {
    pub fn unpack(
        &mut self,
        packed: &[u8],
        out: &mut [u8],
    ) -> Result<UnpackStep, CompressionError> {
        match self {
            Self::Zlib(zlib) => {
                let read = zlib.total_in();
                let wrote = zlib.total_out();
                let status = zlib
                    .decompress(packed, out, FlushDecompress::None)
                    .map_err(|_| CompressionError::Corrupt)?;
                Ok(UnpackStep {
                    taken: usize::try_from(zlib.total_in() - read).unwrap_or(usize::MAX),
                    written: usize::try_from(zlib.total_out() - wrote).unwrap_or(usize::MAX),
                    ended: status == Status::StreamEnd,
                })
            }
            Self::Zstd(zstd) => {
                let mut input = InBuffer::around(packed);
                let mut output = OutBuffer::around(out);
                let missing = zstd
                    .run(&mut input, &mut output)
                    .map_err(|_| CompressionError::Corrupt)?;
                Ok(UnpackStep {
                    taken: input.pos(),
                    written: output.pos(),
                    ended: missing == 0,
                })
            }
        }
    }

    /// Returns the bytes of memory of this context, for a frame that declares this many bytes.
    pub fn bytes(&self, declared: u32) -> usize {
        match self {
            Self::Zlib(_) => ZLIB_UNPACKER_BYTES,
            Self::Zstd(_) => ZSTD_UNPACKER_BYTES + declared as usize,
        }
    }
}
