//! Questions about TLS in the core of the relay, with scripted conversations.

#![allow(clippy::unwrap_used, reason = "a test")]

mod relay_script;

use relay_script::*;
use tidegate_wire::relay::Intercepted;
use tidegate_wire::tls_status::rewrite;

const QUESTION: &str = "SHOW SESSION STATUS LIKE 'Ssl_cipher'";

/// The packet in place of a question: its command, and the statement that the engine answers.
fn released(byte: u8) -> Vec<u8> {
    command(byte, &rewrite(QUESTION.as_bytes(), &FACTS).unwrap())
}

#[test]
fn a_question_is_replaced_as_text_and_as_a_prepared_statement() {
    let mut s = Session::new(NEW);
    assert_eq!(s.client(&query(QUESTION)), Busy);
    assert_eq!(s.to_engine, released(3));
    assert_eq!(s.engine(&ok(1, AUTOCOMMIT)), Idle);
    s.to_engine.clear();
    assert_eq!(s.client(&command(0x16, QUESTION.as_bytes())), Busy);
    assert_eq!(s.to_engine, released(0x16));
    // The OK of a prepared statement without parameters and columns.
    let prepared = packet(1, &[0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(s.engine(&prepared), Idle);
    assert_eq!(s.seen, [Intercepted::TlsStatus; 2]);
    // The same bytes as a parameter or in a file are no statement.
    s.to_engine.clear();
    let long_data = command(0x18, QUESTION.as_bytes());
    s.client(&long_data);
    assert_eq!(s.to_engine, long_data);
}

#[test]
fn a_question_in_pieces_is_held_and_waits_for_the_answers_before_it() {
    let question = query(QUESTION);
    for cut in 1..question.len() {
        let mut s = Session::new(NEW);
        s.client(&question[..cut]);
        assert!(s.to_engine.is_empty() && !s.relay.at_boundary(), "{cut}");
        s.client(&question[cut..]);
        assert_eq!(s.to_engine, released(3), "cut at {cut}");
        assert_eq!(s.engine(&ok(1, AUTOCOMMIT)), Idle);
    }
    let mut s = Session::new(NEW);
    let first = query("DO 1");
    let ping = command(0x0e, b"");
    s.client(&[&first[..], &question, &ping].concat());
    assert_eq!(s.to_engine, first, "its answer comes first");
    assert!(s.waits());
    s.engine(&ok(1, AUTOCOMMIT));
    assert_eq!(s.to_engine, [&first[..], &released(3), &ping].concat());
    s.engine(&ok(1, AUTOCOMMIT));
    assert_eq!(s.engine(&ok(1, AUTOCOMMIT)), Idle);
}

#[test]
fn another_statement_passes_as_it_came() {
    for text in [
        "SHOW TABLES",
        "SHOW STATUS LIKE 'Ssl_accepts'",
        "SHOW STATUS LIKE 'Ssl_cipher'; SELECT 1",
        &format!("{QUESTION}{}", " ".repeat(1024)),
    ] {
        let mut s = Session::new(NEW);
        let statement = query(text);
        for byte in &statement {
            s.client(&[*byte]);
        }
        assert_eq!(s.to_engine, statement, "{text}");
    }
}
