//! Steps of a driver whose client compresses.

use super::{RelayDriver, RelayEnd, Scratch};
use crate::endings::{broken_compression, internal_error};
use std::task::Context;
use tidegate_model::journal::Ending;
use tidegate_wire::slices::{head, tail};

impl RelayDriver {
    /// Whether compressed bytes of the client wait.
    pub(super) fn has_packed(&self) -> bool {
        let compression = self.client.compression.as_ref();
        compression.is_some_and(|compression| compression.has_packed())
    }

    pub(super) fn begin_turn(&mut self) {
        if let Some(compression) = &mut self.client.compression {
            compression.begin_turn();
        }
    }

    /// Whether other sessions go first now.
    pub(super) fn ends_turn(&self, cx: &mut Context<'_>) -> bool {
        let compression = self.client.compression.as_ref();
        compression.is_some_and(|compression| compression.ends_turn(cx))
    }

    /// Decompresses a part of a frame, and passes on what is in it.
    pub(super) fn step_unpack(
        &mut self,
        cx: &mut Context<'_>,
        scratch: &mut Scratch,
    ) -> Result<bool, RelayEnd> {
        let Some(compression) = &mut self.client.compression else {
            return Ok(false);
        };
        let expected = self.core.expected_frame(compression.next_frame());
        let data = self.core.data_sequence();
        let step = compression
            .unpack(&mut scratch.engine, expected, data)
            .map_err(broken_compression)?;
        if let Some(frame) = step.begun {
            self.core.set_frame(frame);
            // Both sides count on in a file, and in a stream without visible answers.
            if data.is_some() || self.core.is_untracked() {
                compression.begin_answer(frame.wrapping_add(1));
            }
        }
        self.bytes_from_client += step.written as u64;
        let bytes = head(&scratch.engine, step.written).map_err(internal_error)?;
        self.take_from_client(cx, bytes)?;
        Ok(true)
    }

    /// Passes bytes of the engine to the client answer by answer: each has its own frames, whose
    /// sequence numbers continue those of its command.
    pub(super) fn take_answers(&mut self, mut bytes: &[u8]) -> Result<(), Ending> {
        while !bytes.is_empty() {
            if let (Some(frame), Some(compression)) =
                (self.core.answer_frame(), &mut self.client.compression)
            {
                compression.begin_answer(frame);
            }
            let (read, followed) = self.core.from_engine_answer(bytes);
            let answer = head(bytes, read).map_err(internal_error)?;
            self.pass_answer(answer, followed)?;
            bytes = tail(bytes, read).map_err(internal_error)?;
        }
        Ok(())
    }

    /// Begins the frame of the last error.
    pub(super) fn begin_last_error(&mut self) {
        let Some(compression) = &mut self.client.compression else {
            return;
        };
        let is_idle = compression.is_empty() && self.core.at_boundary();
        let frame = match self.core.own_answer_frame() {
            // Clients read such an error with the number 0 as the answer to their next command.
            _ if is_idle => 0,
            Some(frame) => frame,
            // In the middle of an answer, the frames are counted on.
            None => compression.next_frame(),
        };
        compression.begin_answer(frame);
    }

    /// Counts the frames of a login on from those of the command that begins it.
    pub(super) fn begin_login(&mut self) {
        if let (Some(compression), Some(frame)) =
            (&mut self.client.compression, self.core.own_answer_frame())
        {
            compression.begin_answer(frame);
        }
    }
}
