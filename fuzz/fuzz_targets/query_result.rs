//! The answer to an administrative statement: rows have as many columns as were announced.
#![no_main]
use libfuzzer_sys::fuzz_target;
use tidegate_fuzz::packets;
use tidegate_wire::capabilities::Capabilities;
use tidegate_wire::query::{Outcome, ResultReader};

fuzz_target!(|data: &[u8]| {
    let Some((flags, stream)) = data.split_first() else {
        return;
    };
    let capabilities = if flags & 1 == 1 {
        Capabilities::DEPRECATE_EOF
    } else {
        Capabilities(0)
    };
    let mut reader = ResultReader::new(capabilities);
    for packet in packets(stream) {
        match reader.on_packet(&packet) {
            Ok(None) => {}
            Ok(Some(Outcome::Rows(rows))) => {
                assert!(rows.windows(2).all(|w| w[0].len() == w[1].len()));
                assert!(rows.iter().all(|row| !row.is_empty()));
                let bytes: usize = rows.iter().flatten().flatten().map(Vec::len).sum();
                assert!(bytes <= stream.len());
                return;
            }
            Ok(Some(Outcome::Done(_) | Outcome::Refused(_))) | Err(_) => return,
        }
    }
});
