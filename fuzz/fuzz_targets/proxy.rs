//! PROXY headers: never more bytes are requested than the header has, and our own headers can be
//! read back.
#![no_main]
use libfuzzer_sys::fuzz_target;
use tidegate_wire::proxy::{Parsed, encode_v2, parse};

fuzz_target!(|bytes: &[u8]| {
    let verdict = parse(bytes);
    if let Ok(Parsed::Complete { source, len }) = verdict {
        assert!(len <= bytes.len());
        // Bytes after the header change nothing, and a reader that reads as many bytes as requested
        // stops exactly after it.
        assert_eq!(parse(&bytes[..len]), verdict);
        let mut have = 0;
        while let Ok(Parsed::Incomplete { at_least }) = parse(&bytes[..have]) {
            assert!(at_least > 0);
            have += at_least;
            assert!(have <= len, "asked for {have} of {len} bytes");
        }
        assert_eq!((have, parse(&bytes[..have])), (len, verdict));
        if let Some(source) = source {
            let ours = encode_v2(Some((source, source)));
            let Ok(Parsed::Complete {
                source: Some(again),
                len,
            }) = parse(&ours)
            else {
                panic!("ours is not read")
            };
            assert_eq!(
                (again.port(), again.ip().to_canonical()),
                (source.port(), source.ip().to_canonical())
            );
            assert_eq!(len, ours.len());
        }
    }
});
