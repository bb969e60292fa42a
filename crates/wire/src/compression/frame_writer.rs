//! Writer of frames.

use super::{COMPRESSED_MIN, Contexts, FRAME_HEADER_LEN, FrameHeader, Method};
use crate::packet::PAYLOAD_MAX;
use crate::slices::{OutOfBounds, head_mut, split_at_most, tail_mut};

/// Appends frames with these bytes, and advances the sequence number. Without a method they are not
/// compressed.
pub fn write_frames(
    method: Option<Method>,
    mut plain: &[u8],
    seq: &mut u8,
    contexts: &mut Contexts,
    out: &mut Vec<u8>,
) -> Result<(), OutOfBounds> {
    while !plain.is_empty() {
        let (now, rest) = split_at_most(plain, PAYLOAD_MAX);
        let at = out.len();
        // The lengths are known afterwards.
        out.extend_from_slice(&[0; FRAME_HEADER_LEN]);
        let method = method.filter(|_| now.len() >= COMPRESSED_MIN);
        let packed = match method {
            Some(method) => contexts.pack(method, now, out)?,
            None => false,
        };
        if !packed {
            out.extend_from_slice(now);
        }
        let header = FrameHeader {
            len: u32::try_from(out.len() - at - FRAME_HEADER_LEN).unwrap_or(0),
            seq: *seq,
            plain_len: match packed {
                true => u32::try_from(now.len()).unwrap_or(0),
                false => 0,
            },
        };
        head_mut(tail_mut(out, at)?, FRAME_HEADER_LEN)?.copy_from_slice(&header.encode());
        *seq = seq.wrapping_add(1);
        plain = rest;
    }
    Ok(())
}
