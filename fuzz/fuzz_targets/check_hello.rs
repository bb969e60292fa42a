//! Input of `tidegate check` from a hostile server: answers to a ClientHello.
#![no_main]
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| tidegate_check::fuzz_entry_points::hello(bytes));
