//! A hostile server before the judge: the login and a query inside TLS. The password goes only to
//! who asks for it.
#![no_main]
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| tidegate_check::doors::login(bytes));
