//! Frames of the compressed protocol, from a stream in arbitrary pieces: the pieces change nothing,
//! and no frame gives more than it declares.
#![no_main]
use libfuzzer_sys::fuzz_target;
use tidegate_wire::compression::{Contexts, FrameReader, Method, write_frames};

/// Most bytes that one read may give.
const ROOM: usize = 512;

/// Returns the bytes that were read, and whether the stream was refused.
fn read(method: Method, stream: &[u8], piece: usize, room: usize) -> (Vec<u8>, bool) {
    let mut reader = FrameReader::new(method);
    let mut contexts = Contexts::default();
    let mut out = vec![0; room];
    let mut all = Vec::new();
    for mut part in stream.chunks(piece) {
        while !part.is_empty() || reader.has_output() {
            let Ok(step) = reader.read(part, &mut out, None, &mut contexts) else {
                return (all, true);
            };
            assert!(step.taken > 0 || step.written > 0 || part.is_empty());
            assert!(step.taken <= part.len() && step.written <= room);
            all.extend_from_slice(&out[..step.written]);
            part = &part[step.taken..];
            // A bomb gives 1000 times its size at most; the fuzzer has seen enough of it.
            if all.len() > 1 << 20 {
                return (all, true);
            }
        }
    }
    assert!(reader.memory() == 0 || !reader.at_boundary());
    (all, false)
}

fuzz_target!(|data: &[u8]| {
    let Some((piece, stream)) = data.split_first() else {
        return;
    };
    let method = match piece & 1 {
        0 => Method::Zlib,
        _ => Method::Zstd(1 + piece % 3),
    };
    let (whole, refused) = read(method, stream, stream.len().max(1), ROOM);
    let (pieces, also) = read(method, stream, usize::from(*piece).max(1), ROOM);
    assert_eq!(refused, also, "pieces change what is refused");
    if !refused {
        assert_eq!(whole, pieces, "pieces change what is read");
    }
    // Frames that are written are read the same.
    let mut frames = Vec::new();
    let mut contexts = Contexts::default();
    let packed = (piece & 2 == 0).then_some(method);
    write_frames(packed, stream, &mut 0, &mut contexts, &mut frames).unwrap();
    let (again, refused) = read(method, &frames, usize::from(*piece).max(1), ROOM);
    assert!(!refused && again == stream);
});
