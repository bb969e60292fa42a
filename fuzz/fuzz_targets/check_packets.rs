//! A hostile server before the judge: first packets, errors, answers to a login in clear text.
#![no_main]
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| tidegate_check::doors::packets(bytes));
