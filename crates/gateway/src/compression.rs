//! Compressed protocol of one client. What passes between its TLS session and the relay is packed
//! into frames and out of them here; the engine never sees a frame.

use crate::limits;
use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::task::Context;
use tidegate_wire::compression::{
    CompressionError, Contexts, FrameReader, Method, PacketNumbers, Unpacked, write_frames,
};
use tidegate_wire::slices::tail;

/// First byte of an error's payload, behind its header.
const ERR_AT: usize = 4;
const ERR: u8 = 0xFF;

/// Contexts and the buffer for frames of a worker thread. An idle session has neither.
#[derive(Default)]
struct Workshop {
    contexts: Contexts,
    frames: Vec<u8>,
}

thread_local! {
    static WORKSHOP: RefCell<Workshop> = RefCell::default();
}

/// Compression of a session.
pub(crate) struct ClientCompression {
    method: Method,
    reader: FrameReader,
    numbers: PacketNumbers,
    /// Bytes of the client that were not unpacked yet. Has no allocation while empty.
    packed: Vec<u8>,
    unpacked: usize,
    /// Sequence number of the next frame to the client.
    next_frame: u8,
    /// The next byte to the client begins an answer.
    begins_answer: bool,
    /// Work since the session's turn began: bytes that were packed or unpacked, and what each step
    /// costs at least.
    work: usize,
}

impl ClientCompression {
    pub fn new(method: Method) -> Self {
        Self {
            method,
            reader: FrameReader::new(method),
            numbers: PacketNumbers::default(),
            packed: Vec::new(),
            unpacked: 0,
            next_frame: 0,
            begins_answer: false,
            work: 0,
        }
    }

    /// Keeps bytes of the client until they are unpacked.
    pub fn keep(&mut self, packed: &[u8]) {
        self.packed.extend_from_slice(packed);
    }

    /// Whether bytes of the client wait to be unpacked.
    pub fn has_packed(&self) -> bool {
        !self.packed.is_empty() || self.reader.has_output()
    }

    /// Whether nothing of the client is left, and it is not in the middle of a frame.
    pub fn is_empty(&self) -> bool {
        self.packed.is_empty() && self.reader.at_boundary()
    }

    /// Returns the bytes of memory that the session keeps.
    pub fn held_bytes(&self) -> usize {
        self.packed.len() + self.reader.memory()
    }

    pub fn begin_turn(&mut self) {
        self.work = 0;
    }

    /// Whether the turn ends here, because of the work in it. The task is polled again. Unlike a
    /// waker, this lets the worker look for bytes of its other sessions first, which it would do
    /// after 61 turns only.
    pub fn ends_turn(&self, cx: &mut Context<'_>) -> bool {
        let is_over = self.work >= limits::COMPRESSION_TURN;
        if is_over {
            let _ = pin!(tokio::task::yield_now()).poll(cx);
        }
        is_over
    }

    pub fn next_frame(&self) -> u8 {
        self.next_frame
    }

    /// Begins an answer, whose first frame has this sequence number.
    pub fn begin_answer(&mut self, frame: u8) {
        self.next_frame = frame;
        self.begins_answer = true;
    }

    /// Unpacks a part of the client's next frame into `out`. `expected` is its sequence number,
    /// where it is known; `data` the one of the next packet that begins no command.
    pub fn unpack(
        &mut self,
        out: &mut [u8],
        expected: Option<u8>,
        data: Option<u8>,
    ) -> Result<Unpacked, CompressionError> {
        let waiting = tail(&self.packed, self.unpacked)?;
        let step = WORKSHOP.with_borrow_mut(|workshop| {
            self.reader
                .read(waiting, out, expected, &mut workshop.contexts)
        })?;
        self.work += (step.taken + step.written).max(limits::COMPRESSION_STEP);
        self.unpacked += step.taken;
        if self.unpacked == self.packed.len() {
            self.packed = Vec::new();
            self.unpacked = 0;
        }
        let (written, _) = out.split_at_mut_checked(step.written).unwrap_or_default();
        self.numbers.replace(written, data);
        Ok(step)
    }

    /// Unpacks a part of a login, in which each packet of the client answers one. Returns the
    /// number of bytes.
    pub fn unpack_login(&mut self, out: &mut [u8]) -> Result<usize, CompressionError> {
        let data = Some(self.numbers.next_answer());
        let step = self.unpack(out, Some(self.next_frame), data)?;
        if let Some(frame) = step.begun {
            self.begin_answer(frame.wrapping_add(1));
        }
        Ok(step.written)
    }

    /// Packs bytes into frames and passes those to `seal`. Errors are not compressed, as MariaDB
    /// does: its library reads an error outside of the order of frames only then.
    pub fn pack(
        &mut self,
        bytes: &[u8],
        seal: impl FnOnce(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        self.work += bytes.len();
        let begins = std::mem::take(&mut self.begins_answer);
        let is_error = begins && bytes.get(ERR_AT) == Some(&ERR);
        let method = (!is_error).then_some(self.method);
        WORKSHOP.with_borrow_mut(|workshop| {
            let Workshop { contexts, frames } = workshop;
            frames.clear();
            write_frames(method, bytes, &mut self.next_frame, contexts, frames)
                .map_err(io::Error::other)?;
            seal(frames)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_without_content_use_up_a_turn() {
        let mut compression = ClientCompression::new(Method::Zlib);
        compression.keep(&[0; 7 * 128]);
        let mut out = [0; 64];
        for _ in 0..128 {
            assert_eq!(
                compression.unpack(&mut out, Some(0), None).unwrap().written,
                0
            );
        }
        assert!(!compression.has_packed());
        assert_eq!(compression.work, limits::COMPRESSION_TURN);
    }
}
