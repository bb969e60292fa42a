//! Packets: a header of four bytes (length, sequence number) and a payload.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_packets.html>

use crate::slices::split_at_most;
use zeroize::Zeroize;

pub const HEADER_LEN: usize = 4;
/// Largest payload of one packet. A payload of exactly this length is continued in the next packet.
pub const PAYLOAD_MAX: usize = 0xFF_FFFF;

/// Header of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    pub len: u32,
    pub seq: u8,
}

impl Header {
    /// Returns the header at the start of these bytes, once all four are there.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        Self::split(bytes).map(|(header, _)| header)
    }

    /// Returns the header at the start of these bytes, and what follows it.
    pub fn split(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (head, rest) = bytes.split_first_chunk()?;
        Some((Self::decode(*head), rest))
    }

    pub fn decode([a, b, c, seq]: [u8; HEADER_LEN]) -> Self {
        Self {
            len: u32::from_le_bytes([a, b, c, 0]),
            seq,
        }
    }

    pub fn encode(self) -> [u8; HEADER_LEN] {
        let [a, b, c, _] = self.len.to_le_bytes();
        [a, b, c, self.seq]
    }
}

/// Header that arrives in pieces.
#[derive(Debug, Default)]
pub struct PartialHeader {
    bytes: [u8; HEADER_LEN],
    have: u8,
}

impl PartialHeader {
    /// Whether some bytes of a header have arrived, but not all.
    pub fn is_begun(&self) -> bool {
        self.have > 0
    }

    /// Takes bytes up to the end of the header. Returns what follows them, and the header once it
    /// is whole.
    pub fn feed<'a>(&mut self, mut input: &'a [u8]) -> (&'a [u8], Option<Header>) {
        while let Some((byte, rest)) = input.split_first() {
            if let Some(to) = self.bytes.get_mut(usize::from(self.have)) {
                *to = *byte;
            }
            self.have += 1;
            input = rest;
            if usize::from(self.have) == HEADER_LEN {
                self.have = 0;
                return (input, Some(Header::decode(self.bytes)));
            }
        }
        (input, None)
    }
}

/// Packet. Login packets carry passwords, so the payload is wiped when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Packet {
    pub seq: u8,
    pub payload: Vec<u8>,
}

impl std::fmt::Debug for Packet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Packet {{ seq: {}, {} bytes }}",
            self.seq,
            self.payload.len()
        )
    }
}

impl Drop for Packet {
    fn drop(&mut self) {
        self.payload.zeroize();
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    #[error("packet of {len} bytes; at most {max} are allowed")]
    TooLarge { len: usize, max: usize },
}

/// Assembler of packets that arrive in arbitrary pieces. A packet that is too large is refused by
/// its declared length, before memory is allocated.
#[derive(Debug)]
pub struct PacketReader {
    max: usize,
    head: PartialHeader,
    header: Option<Header>,
    payload: Vec<u8>,
}

impl PacketReader {
    pub fn new(max: usize) -> Self {
        Self {
            max,
            head: PartialHeader::default(),
            header: None,
            payload: Vec::new(),
        }
    }

    /// Takes bytes up to the end of one packet. Returns how many were taken, and the packet once it
    /// is complete.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(usize, Option<Packet>), PacketError> {
        let mut rest = bytes;
        let header = match self.header {
            Some(header) => header,
            None => {
                let (behind, header) = self.head.feed(rest);
                let Some(header) = header else {
                    return Ok((bytes.len(), None));
                };
                let len = header.len as usize;
                if len > self.max {
                    return Err(PacketError::TooLarge { len, max: self.max });
                }
                self.payload.reserve_exact(len);
                self.header = Some(header);
                rest = behind;
                header
            }
        };
        let missing = (header.len as usize).saturating_sub(self.payload.len());
        let (now, rest) = split_at_most(rest, missing);
        self.payload.extend_from_slice(now);
        let taken = bytes.len() - rest.len();
        if now.len() < missing {
            return Ok((taken, None));
        }
        self.header = None;
        let packet = Packet {
            seq: header.seq,
            payload: std::mem::take(&mut self.payload),
        };
        Ok((taken, Some(packet)))
    }
}

/// Appends a payload as packets, several where it is too long for one, and advances the sequence
/// number.
pub fn write_packet(seq: &mut u8, payload: &[u8], out: &mut Vec<u8>) {
    let mut rest = payload;
    loop {
        let (now, behind) = split_at_most(rest, PAYLOAD_MAX);
        let len = u32::try_from(now.len()).unwrap_or(0);
        out.extend_from_slice(&Header { len, seq: *seq }.encode());
        out.extend_from_slice(now);
        *seq = seq.wrapping_add(1);
        rest = behind;
        // A full packet needs one more behind it, which may be empty.
        if now.len() < PAYLOAD_MAX {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_05_a_declared_length_over_the_bound_is_refused_before_its_bytes() {
        let mut reader = PacketReader::new(100);
        assert_eq!(
            reader.feed(&[0xFF, 0xFF, 0xFF, 1]),
            Err(PacketError::TooLarge {
                len: 0xFF_FFFF,
                max: 100
            })
        );
    }

    #[test]
    fn case_06_a_packet_of_zero_length_is_whole_with_its_header() {
        let mut reader = PacketReader::new(100);
        assert_eq!(reader.feed(&[0, 0]).unwrap(), (2, None));
        assert_eq!(
            reader.feed(&[0, 7, 9]).unwrap(),
            (
                2,
                Some(Packet {
                    seq: 7,
                    payload: vec![]
                })
            )
        );
    }

    #[test]
    fn a_packet_comes_whole_out_of_single_bytes_and_leaves_the_next_alone() {
        let mut wire = Vec::new();
        write_packet(&mut 3, b"hello", &mut wire);
        wire.push(0xAA);
        let mut reader = PacketReader::new(100);
        let mut got = None;
        let mut taken = 0;
        for byte in &wire {
            let (n, packet) = reader.feed(std::slice::from_ref(byte)).unwrap();
            taken += n;
            if packet.is_some() {
                got = packet;
                break;
            }
        }
        assert_eq!(
            got,
            Some(Packet {
                seq: 3,
                payload: b"hello".to_vec()
            })
        );
        assert_eq!(taken, wire.len() - 1);
    }

    #[test]
    fn case_54_a_payload_of_the_largest_length_is_followed_by_an_empty_packet() {
        let mut out = Vec::new();
        let mut seq = 255;
        write_packet(&mut seq, &vec![1; PAYLOAD_MAX], &mut out);
        assert_eq!(out.len(), PAYLOAD_MAX + 2 * HEADER_LEN);
        assert_eq!(
            Header::parse(&out[PAYLOAD_MAX + HEADER_LEN..]),
            Some(Header { len: 0, seq: 0 })
        );
        assert_eq!(seq, 1, "the sequence number wraps");
    }
}
