//! Packets from a stream in arbitrary pieces: every byte is accounted for, and the pieces never
//! change the result.
#![no_main]
use libfuzzer_sys::fuzz_target;
use tidegate_wire::packet::{HEADER_LEN, Packet, PacketReader};

/// Small, so that the fuzzer reaches the limit of length.
const MAX: usize = 4096;

/// Returns the packets, the number of bytes read, and whether a length was refused.
fn read(stream: &[u8], piece: usize) -> (Vec<Packet>, usize, bool) {
    let mut reader = PacketReader::new(MAX);
    let mut packets = Vec::new();
    let mut at = 0;
    while at < stream.len() {
        let end = stream.len().min(at + piece);
        match reader.feed(&stream[at..end]) {
            Ok((taken, packet)) => {
                assert!(
                    taken > 0 && at + taken <= end,
                    "took {taken} of {}",
                    end - at
                );
                at += taken;
                packets.extend(packet);
            }
            Err(_) => return (packets, at, true),
        }
    }
    (packets, at, false)
}

fuzz_target!(|data: &[u8]| {
    let Some((piece, stream)) = data.split_first() else {
        return;
    };
    let (packets, taken, refused) = read(stream, stream.len().max(1));
    assert!(refused || taken == stream.len());
    let whole: usize = packets.iter().map(|p| p.payload.len() + HEADER_LEN).sum();
    assert!(whole <= stream.len());
    assert!(packets.iter().all(|p| p.payload.len() <= MAX));
    let pieces = read(stream, usize::from(*piece).max(1));
    assert_eq!(
        (&pieces.0, pieces.2),
        (&packets, refused),
        "pieces change what is read"
    );
});
