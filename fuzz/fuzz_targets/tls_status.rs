//! A statement that may ask for the TLS of its connection: what replaces it is one statement that
//! contains nothing of the question but names, and asks nothing itself.
#![no_main]
use libfuzzer_sys::fuzz_target;
use tidegate_wire::tls_status::{TlsFacts, is_question, rewrite};

fuzz_target!(|statement: &[u8]| {
    let facts = TlsFacts {
        version: "TLSv1.3",
        cipher: "TLS_AES_128_GCM_SHA256",
    };
    let Some(answer) = rewrite(statement, &facts) else {
        assert!(!is_question(statement));
        return;
    };
    assert!(is_question(statement) && !is_question(&answer));
    assert!(answer.starts_with(b"SELECT ") && !answer.contains(&b';'));
    let quotes = answer.iter().filter(|byte| **byte == b'\'').count();
    assert!(quotes % 2 == 0 && !answer.windows(2).any(|pair| pair == b"\\'"));
});
