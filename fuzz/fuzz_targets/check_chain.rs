//! Input of `tidegate check` from a hostile server: the certificates of its chain,
//! each after two bytes of its length.
#![no_main]
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut rest = bytes;
    let mut chain = Vec::new();
    while let Some((length, more)) = rest.split_first_chunk::<2>() {
        let (certificate, after) =
            more.split_at(usize::from(u16::from_be_bytes(*length)).min(more.len()));
        chain.push(certificate);
        rest = after;
    }
    tidegate_check::fuzz_entry_points::chain(&chain);
});
