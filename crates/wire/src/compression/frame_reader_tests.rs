//! Tests of the reader of compressed frames.

use super::*;
use crate::compression::{COMPRESSED_MIN, write_frames};
use crate::packet::PAYLOAD_MAX;
use proptest::prelude::*;

/// Bytes that compress a little.
fn plain(len: usize) -> Vec<u8> {
    (0..len)
        .map(|n| u8::try_from(n * n / 7 % 23).unwrap())
        .collect()
}

fn frames(method: Option<Method>, plain: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    write_frames(method, plain, &mut 0, &mut Contexts::default(), &mut out).unwrap();
    out
}

/// Reads all frames, in pieces of these sizes.
fn read_all(
    method: Method,
    stream: &[u8],
    piece: usize,
    room: usize,
) -> (Vec<u8>, Result<FrameReader, CompressionError>) {
    let mut reader = FrameReader::new(method);
    let mut contexts = Contexts::default();
    let mut all = Vec::new();
    let mut out = vec![0; room];
    for mut part in stream.chunks(piece) {
        while !part.is_empty() || reader.has_output() {
            match reader.read(part, &mut out, None, &mut contexts) {
                Ok(step) => {
                    assert!(step.taken > 0 || step.written > 0 || part.is_empty());
                    all.extend_from_slice(&out[..step.written]);
                    part = &part[step.taken..];
                }
                Err(e) => return (all, Err(e)),
            }
        }
    }
    (all, Ok(reader))
}

fn header(len: usize, plain_len: usize) -> [u8; FRAME_HEADER_LEN] {
    FrameHeader {
        len: u32::try_from(len).unwrap(),
        seq: 0,
        plain_len: u32::try_from(plain_len).unwrap(),
    }
    .encode()
}

/// Returns a frame of this body that declares another length.
fn declared(method: Method, content: &[u8], plain_len: usize, behind: &[u8]) -> Vec<u8> {
    let mut body = frames(Some(method), content).split_off(FRAME_HEADER_LEN);
    body.extend_from_slice(behind);
    let mut out = header(body.len(), plain_len).to_vec();
    out.append(&mut body);
    out
}

fn error(result: Result<FrameReader, CompressionError>) -> CompressionError {
    result.map(|_| ()).unwrap_err()
}

const METHODS: [Method; 3] = [Method::Zlib, Method::Zstd(1), Method::Zstd(3)];

proptest! {
    #[test]
    fn what_is_written_is_read_the_same_in_any_pieces(
        len in 0_usize..5000, piece in 1_usize..600, room in 2_usize..700, packed: bool,
    ) {
        let content = plain(len);
        for method in METHODS {
            let stream = frames(packed.then_some(method), &content);
            let (read, reader) = read_all(method, &stream, piece, room);
            prop_assert_eq!(&read, &content);
            prop_assert!(reader.ok().unwrap().at_boundary());
        }
    }

    #[test]
    fn arbitrary_bytes_never_give_more_than_they_declare(
        len in 1_usize..300, plain_len in 0_usize..300, body: Vec<u8>, piece in 1_usize..50,
    ) {
        for method in METHODS {
            let mut stream = header(len, plain_len).to_vec();
            stream.extend(body.iter().copied().cycle().take(if body.is_empty() { 0 } else { len }));
            let (read, _) = read_all(method, &stream, piece, 64);
            prop_assert!(read.len() <= plain_len.max(len));
        }
    }
}

#[test]
fn case_66_short_frames_are_not_compressed() {
    for method in METHODS {
        let short = frames(Some(method), &plain(COMPRESSED_MIN - 1));
        assert_eq!(short[..7], [49, 0, 0, 0, 0, 0, 0]);
        let long = frames(Some(method), &[7; COMPRESSED_MIN]);
        assert_eq!(long[3..7], [0, 50, 0, 0]);
        assert!(long.len() < COMPRESSED_MIN);
    }
}

#[test]
fn bytes_that_do_not_compress_are_sent_as_they_are() {
    let mut noise = Vec::new();
    let mut state = 1_u32;
    for _ in 0..4096 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        noise.push(state.to_le_bytes()[3]);
    }
    for method in METHODS {
        let stream = frames(Some(method), &noise);
        assert_eq!(stream.len(), FRAME_HEADER_LEN + noise.len());
    }
}

#[test]
fn case_66_frames_of_16_mb_are_split_and_counted() {
    for method in METHODS {
        let content = vec![1; PAYLOAD_MAX + 100];
        let mut seq = 255;
        let mut stream = Vec::new();
        write_frames(
            Some(method),
            &content,
            &mut seq,
            &mut Contexts::default(),
            &mut stream,
        )
        .unwrap();
        assert_eq!(seq, 1, "255 and 0");
        let (read, reader) = read_all(method, &stream, 1 << 16, 1 << 16);
        assert!(read == content && reader.ok().unwrap().at_boundary());
    }
}

#[test]
fn case_66_a_bomb_gives_no_more_than_its_frame_declares() {
    for method in METHODS {
        let bomb = vec![0; PAYLOAD_MAX];
        let stream = declared(method, &bomb, 1000, b"");
        let (read, result) = read_all(method, &stream, usize::MAX, 1 << 16);
        assert_eq!(error(result), CompressionError::TooLong);
        assert!(read.is_empty(), "{}", read.len());
        // Each read gives no more than it has room for.
        let (read, result) = read_all(method, &frames(Some(method), &bomb), usize::MAX, 512);
        assert!(result.is_ok() && read == bomb);
    }
}

/// As MariaDB does: it takes the length that there is, and ignores what follows the stream.
#[test]
fn a_stream_that_is_shorter_than_declared_or_than_its_frame_is_read() {
    for method in METHODS {
        let content = plain(500);
        let mut stream = declared(method, &content, 600, b"behind");
        stream.extend_from_slice(&frames(None, b"next"));
        for piece in [1, 7, 100, usize::MAX] {
            let (read, reader) = read_all(method, &stream, piece, 100);
            assert_eq!(read, [&content[..], b"next"].concat());
            assert!(reader.ok().unwrap().at_boundary());
        }
    }
}

#[test]
fn a_cut_or_changed_stream_never_gives_its_last_byte() {
    for method in METHODS {
        let content = plain(500);
        let good = frames(Some(method), &content).split_off(FRAME_HEADER_LEN);
        for end in 1..good.len() {
            let mut stream = header(end, 500).to_vec();
            stream.extend_from_slice(&good[..end]);
            let (read, result) = read_all(method, &stream, usize::MAX, 1000);
            assert_eq!(error(result), CompressionError::Corrupt, "{end}");
            assert!(read.len() < content.len());
        }
        if method != Method::Zlib {
            // Nothing of zstd has a checksum here, as in MySQL.
            continue;
        }
        let mut stream = header(good.len(), 500).to_vec();
        stream.extend_from_slice(&good);
        // The checksum.
        *stream.last_mut().unwrap() ^= 1;
        for room in [10, 1000] {
            let (read, result) = read_all(method, &stream, usize::MAX, room);
            assert_eq!(error(result), CompressionError::Corrupt);
            assert!(read.len() < content.len());
        }
    }
}

#[test]
fn an_empty_frame_is_counted_and_has_no_bytes() {
    let mut stream = header(0, 77).to_vec();
    stream.extend_from_slice(&frames(None, b"next"));
    let (read, _) = read_all(Method::Zlib, &stream, 3, 10);
    assert_eq!(read, b"next");
}

#[test]
fn a_frame_with_another_number_than_expected_is_refused() {
    let mut reader = FrameReader::new(Method::Zlib);
    let mut contexts = Contexts::default();
    let mut out = [0; 64];
    let stream = frames(None, b"one");
    let step = reader
        .read(&stream, &mut out, Some(0), &mut contexts)
        .unwrap();
    assert_eq!((step.written, step.begun), (3, Some(0)));
    let refused = reader.read(&stream, &mut out, Some(1), &mut contexts);
    let want = CompressionError::OutOfOrder {
        found: 0,
        expected: 1,
    };
    assert_eq!(refused, Err(want));
}

#[test]
fn a_reader_has_a_context_only_while_a_frame_arrives() {
    for method in METHODS {
        let stream = frames(Some(method), &plain(500));
        let (cut, _) = stream.split_at(stream.len() - 1);
        let (_, reader) = read_all(method, cut, usize::MAX, 1000);
        assert!(reader.ok().unwrap().memory() > 0);
        let (_, reader) = read_all(method, &stream, usize::MAX, 1000);
        assert_eq!(reader.ok().unwrap().memory(), 0);
    }
    assert!(std::mem::size_of::<FrameReader>() <= 48);
}

#[test]
fn the_level_of_zstd_is_clamped_and_zlib_goes_first() {
    use crate::capabilities::Capabilities;
    for (asked, level) in [(0, 1), (1, 1), (2, 2), (3, 3), (4, 3), (22, 3), (255, 3)] {
        let method = Method::of(Capabilities::ZSTD, asked);
        assert_eq!(method, Some(Method::Zstd(level)));
    }
    assert_eq!(Method::of(Capabilities::COMPRESSION, 3), Some(Method::Zlib));
    assert_eq!(Method::of(Capabilities::PROTOCOL_41, 3), None);
}
