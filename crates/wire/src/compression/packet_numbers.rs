//! Sequence numbers of the packets inside of frames. Servers do not check them there, and clients
//! count them in several ways. An engine that reads the packets without frames does check them.

use crate::packet::{HEADER_LEN, Header, PAYLOAD_MAX};

/// Writer of the right sequence numbers into a client's packets.
#[derive(Debug, Default)]
pub struct PacketNumbers {
    header: [u8; HEADER_LEN],
    have: u8,
    body_left: u32,
    /// The last packet was full, so the next one continues it.
    continued: bool,
    last: u8,
}

impl PacketNumbers {
    /// Returns the number of a packet that answers the answer to the last one.
    pub fn next_answer(&self) -> u8 {
        self.last.wrapping_add(2)
    }

    /// Replaces the sequence numbers in the next bytes of the client. `data` is the number of the
    /// next packet that begins no command: a part of a file, up to an empty packet.
    pub fn replace(&mut self, mut bytes: &mut [u8], mut data: Option<u8>) {
        while !bytes.is_empty() {
            let skipped = bytes.len().min(self.body_left as usize);
            self.body_left -= u32::try_from(skipped).unwrap_or(self.body_left);
            let (_, rest) = bytes.split_at_mut_checked(skipped).unwrap_or_default();
            let Some((byte, rest)) = rest.split_first_mut() else {
                return;
            };
            if let Some(to) = self.header.get_mut(usize::from(self.have)) {
                *to = *byte;
            }
            self.have += 1;
            if usize::from(self.have) == HEADER_LEN {
                self.have = 0;
                *byte = self.begin_packet(&mut data);
            }
            bytes = rest;
        }
    }

    /// Begins the packet whose header is complete, and returns its number.
    fn begin_packet(&mut self, data: &mut Option<u8>) -> u8 {
        let header = Header::decode(self.header);
        let seq = match (self.continued, *data) {
            (true, _) => self.last.wrapping_add(1),
            (false, Some(next)) => next,
            (false, None) => 0,
        };
        if data.is_some() {
            let ends = header.len == 0 && !self.continued;
            *data = (!ends).then(|| seq.wrapping_add(1));
        }
        self.body_left = header.len;
        self.continued = header.len as usize == PAYLOAD_MAX;
        self.last = seq;
        seq
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets as (length, sequence number).
    fn stream(packets: &[(usize, u8)]) -> Vec<u8> {
        let mut out = Vec::new();
        for (len, seq) in packets {
            let len = u32::try_from(*len).unwrap();
            out.extend_from_slice(&Header { len, seq: *seq }.encode());
            out.resize(out.len() + len as usize, 0xAA);
        }
        out
    }

    fn replaced(mut bytes: Vec<u8>, piece: usize, data: Option<u8>) -> Vec<u8> {
        let mut numbers = PacketNumbers::default();
        // The driver knows the number behind each piece.
        assert!(data.is_none() || piece >= bytes.len());
        for part in bytes.chunks_mut(piece) {
            numbers.replace(part, data);
        }
        bytes
    }

    #[test]
    fn commands_begin_at_0_and_continuations_count() {
        let sent = stream(&[(5, 7), (PAYLOAD_MAX, 9), (PAYLOAD_MAX, 9), (0, 3), (1, 4)]);
        let want = stream(&[(5, 0), (PAYLOAD_MAX, 0), (PAYLOAD_MAX, 1), (0, 2), (1, 0)]);
        for piece in [1, 2, 3, 5, 1000, usize::MAX] {
            assert!(replaced(sent.clone(), piece, None) == want, "{piece}");
        }
    }

    #[test]
    fn a_file_ends_with_an_empty_packet_and_a_command_follows() {
        let sent = stream(&[(5, 0), (PAYLOAD_MAX, 0), (0, 0), (3, 0), (0, 0), (1, 8)]);
        let want = stream(&[(5, 254), (PAYLOAD_MAX, 255), (0, 0), (3, 1), (0, 2), (1, 0)]);
        assert!(replaced(sent, usize::MAX, Some(254)) == want);
    }
}
