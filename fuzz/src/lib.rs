//! What the fuzz targets share: a stream of bytes read as packets, as the server reads it before a login.

pub mod engine;
pub mod script;
pub mod session;

use tidegate_wire::packet::{Packet, PacketReader};

/// Larger than any input the fuzzer makes, and than any seed.
const PAYLOAD_MAX: usize = 1 << 20;

/// The whole packets at the start of a stream.
pub fn packets(mut stream: &[u8]) -> impl Iterator<Item = Packet> {
    let mut reader = PacketReader::new(PAYLOAD_MAX);
    std::iter::from_fn(move || {
        let (taken, packet) = reader.feed(stream).ok()?;
        stream = &stream[taken..];
        packet
    })
}
