//! Functions that the fuzz targets share: reading a stream of bytes as packets, as the server does
//! before a login.

pub mod engine;
pub mod script;
pub mod session;

use tidegate_wire::packet::{Packet, PacketReader};
use tidegate_wire::reader::Reader;

/// Larger than any input of the fuzzer and any seed.
const PAYLOAD_MAX: usize = 1 << 20;

/// Returns the complete packets at the start of a stream.
pub fn packets(mut stream: &[u8]) -> impl Iterator<Item = Packet> {
    let mut reader = PacketReader::new(PAYLOAD_MAX);
    std::iter::from_fn(move || {
        let (taken, packet) = reader.feed(stream).ok()?;
        stream = &stream[taken..];
        packet
    })
}

/// Whether these are connection attributes as an engine reads them: nothing, or a length and
/// complete pairs.
pub fn are_pairs(attributes: &[u8]) -> Option<()> {
    let mut outer = Reader::new(attributes);
    let mut pairs = Reader::new(if attributes.is_empty() {
        &[]
    } else {
        outer.lenenc_bytes().ok()?
    });
    while !pairs.is_empty() {
        pairs.lenenc_bytes().ok()?;
        pairs.lenenc_bytes().ok()?;
    }
    outer.is_empty().then_some(())
}
