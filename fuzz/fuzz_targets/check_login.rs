//! Input of `tidegate check` from a hostile server: the login and a query inside TLS.
//! The password is sent only if the server asks for it.
#![no_main]
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| tidegate_check::fuzz_entry_points::login(bytes));
