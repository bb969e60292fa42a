//! A statement that may be a KILL: only its number is ever replaced, and the result is the same
//! KILL with another session id.
#![no_main]
use libfuzzer_sys::fuzz_target;
use tidegate_wire::kill::{parse, rewrite};

fuzz_target!(|statement: &[u8]| {
    let Some(kill) = parse(statement) else {
        assert_eq!(rewrite(statement, 7), statement);
        return;
    };
    let digits = &statement[kill.target_range.clone()];
    assert!(!digits.is_empty() && digits.iter().all(u8::is_ascii_digit));
    for id in [0, 7, u64::MAX] {
        let rewritten = rewrite(statement, id);
        let again = parse(&rewritten).expect("a rewritten KILL is a KILL");
        assert_eq!(
            (again.id, again.query, again.target_range.start),
            (id, kill.query, kill.target_range.start)
        );
        assert_eq!(rewrite(&rewritten, kill.id), rewrite(statement, kill.id));
    }
});
