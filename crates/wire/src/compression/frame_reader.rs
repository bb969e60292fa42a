//! Reader of frames that arrive in arbitrary pieces.

use super::contexts::{Contexts, Unpacker};
use super::{CompressionError, FRAME_HEADER_LEN, FrameHeader, Method};
use crate::slices::{head, head_mut, split_at_most, tail, tail_mut};

/// Body of the current frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FrameBody {
    /// No frame is in progress, or only a part of its header.
    None,
    Stored,
    Packed,
    /// Bytes behind the end of the compressed stream, which MariaDB ignores too.
    Ignored,
}

/// Result of reading a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unpacked {
    /// Bytes of the input that were read.
    pub taken: usize,
    /// Bytes of packets that were written.
    pub written: usize,
    /// Sequence number of the frame, if its header was completed.
    pub begun: Option<u8>,
}

/// Bytes of a body that were read, and bytes that were written.
#[derive(Debug, Clone, Copy, Default)]
struct Moved {
    taken: usize,
    written: usize,
}

/// Reader of the frames of one side. It writes no more than a frame declares.
pub struct FrameReader {
    method: Method,
    header: [u8; FRAME_HEADER_LEN],
    header_len: u8,
    body: FrameBody,
    /// Sequence number of the last frame whose header was read.
    seq: u8,
    /// Bytes of the body that have not been read.
    left: u32,
    /// Bytes that the frame declares.
    declared: u32,
    /// Bytes of them that have not been written.
    room: u32,
    unpacker: Option<Box<Unpacker>>,
    /// Last byte of the output so far. It is kept until the checksum is known to be right, so that
    /// a corrupt frame never completes a command.
    kept: Option<u8>,
}

impl FrameReader {
    pub fn new(method: Method) -> Self {
        Self {
            method,
            header: [0; FRAME_HEADER_LEN],
            header_len: 0,
            body: FrameBody::None,
            seq: 0,
            left: 0,
            declared: 0,
            room: 0,
            unpacker: None,
            kept: None,
        }
    }

    /// Whether no frame is in progress.
    pub fn at_boundary(&self) -> bool {
        self.header_len == 0 && self.body == FrameBody::None
    }

    /// Whether the current frame has bytes to write although it needs no more input.
    pub fn has_output(&self) -> bool {
        self.body == FrameBody::Packed && self.left == 0
    }

    /// Returns the bytes of memory that the current frame costs.
    pub fn memory(&self) -> usize {
        self.unpacker
            .as_ref()
            .map_or(0, |unpacker| unpacker.bytes(self.declared))
    }

    /// Reads from one frame, until it ends, the input ends or `out` is full, which must have two
    /// bytes or more. If the frame begins in this input, its sequence number must be `expected`,
    /// where that is given.
    pub fn read(
        &mut self,
        input: &[u8],
        out: &mut [u8],
        expected: Option<u8>,
        contexts: &mut Contexts,
    ) -> Result<Unpacked, CompressionError> {
        let mut taken = 0;
        let mut begun = None;
        if self.body == FrameBody::None {
            taken = self.read_header(input, expected)?;
            begun = (self.header_len == 0).then_some(self.seq);
        }
        let (body, _) = split_at_most(tail(input, taken)?, self.left as usize);
        let moved = match self.body {
            FrameBody::None => Moved::default(),
            FrameBody::Stored => self.copy(body, out)?,
            FrameBody::Packed => self.unpack(body, out, contexts)?,
            FrameBody::Ignored => {
                self.take(body.len());
                self.end_body();
                Moved {
                    taken: body.len(),
                    written: 0,
                }
            }
        };
        Ok(Unpacked {
            taken: taken + moved.taken,
            written: moved.written,
            begun,
        })
    }

    /// Reads bytes of a header. Returns their number.
    fn read_header(
        &mut self,
        input: &[u8],
        expected: Option<u8>,
    ) -> Result<usize, CompressionError> {
        let have = usize::from(self.header_len);
        let (now, _) = split_at_most(input, FRAME_HEADER_LEN - have);
        for (to, from) in self.header.iter_mut().skip(have).zip(now) {
            *to = *from;
            self.header_len += 1;
        }
        if usize::from(self.header_len) < FRAME_HEADER_LEN {
            return Ok(now.len());
        }
        self.header_len = 0;
        let header = FrameHeader::decode(self.header);
        if let Some(expected) = expected.filter(|expected| *expected != header.seq) {
            let found = header.seq;
            return Err(CompressionError::OutOfOrder { found, expected });
        }
        self.seq = header.seq;
        self.left = header.len;
        self.declared = header.plain_len;
        self.room = header.plain_len;
        self.body = match header {
            // MariaDB reads an empty frame as one without bytes, whatever length it declares.
            FrameHeader { len: 0, .. } => FrameBody::None,
            FrameHeader { plain_len: 0, .. } => FrameBody::Stored,
            _ => FrameBody::Packed,
        };
        Ok(now.len())
    }

    fn copy(&mut self, body: &[u8], out: &mut [u8]) -> Result<Moved, CompressionError> {
        let n = body.len().min(out.len());
        head_mut(out, n)?.copy_from_slice(head(body, n)?);
        self.take(n);
        self.end_body();
        Ok(Moved {
            taken: n,
            written: n,
        })
    }

    fn unpack(
        &mut self,
        body: &[u8],
        out: &mut [u8],
        contexts: &mut Contexts,
    ) -> Result<Moved, CompressionError> {
        let unpacker = match &mut self.unpacker {
            Some(unpacker) => unpacker,
            empty => empty.insert(contexts.unpacker(self.method)?),
        };
        let kept = self.kept.take();
        if let (Some(byte), Some(first)) = (kept, out.first_mut()) {
            *first = byte;
        }
        let before = usize::from(kept.is_some());
        let rest = tail_mut(out, before)?;
        // There is room for a byte more than declared, so that a stream that is too long shows.
        let room = rest.len().min(self.room as usize + 1);
        let step = unpacker.unpack(body, head_mut(rest, room)?)?;
        let Some(room_left) = u32::try_from(step.written)
            .ok()
            .and_then(|written| self.room.checked_sub(written))
        else {
            return Err(CompressionError::TooLong);
        };
        self.room = room_left;
        self.take(step.taken);
        let mut written = before + step.written;
        if step.ended {
            self.body = FrameBody::Ignored;
            self.end_body();
            if let Some(unpacker) = self.unpacker.take() {
                contexts.give_back(*unpacker, self.declared);
            }
        } else if self.left == 0 && step.written < room {
            // It ends before the stream does.
            return Err(CompressionError::Corrupt);
        } else if step.taken == 0 && step.written == 0 && !body.is_empty() {
            // Without progress, this would be repeated for ever.
            return Err(CompressionError::Corrupt);
        } else if let Some(last) = written.checked_sub(1) {
            self.kept = out.get(last).copied();
            written = last;
        }
        Ok(Moved {
            taken: step.taken,
            written,
        })
    }

    fn take(&mut self, n: usize) {
        self.left = self
            .left
            .saturating_sub(u32::try_from(n).unwrap_or(u32::MAX));
    }

    fn end_body(&mut self) {
        if self.left == 0 {
            self.body = FrameBody::None;
        }
    }
}

#[cfg(test)]
#[path = "frame_reader_tests.rs"]
mod tests;
