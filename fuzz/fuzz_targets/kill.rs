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
    let number = &statement[kill.target_range.clone()];
    let digits = number.strip_prefix(b"-").unwrap_or(number);
    assert!(!digits.is_empty() && digits.iter().all(u8::is_ascii_digit));
    // The last one is read as a negative number of 32 bits.
    for (id, read) in [(0, 0), (7, 7), (u64::MAX, u64::from(u32::MAX))] {
        let rewritten = rewrite(statement, id);
        let again = parse(&rewritten).expect("a rewritten KILL is a KILL");
        // A sign may be all that is between a keyword and its number.
        let glued = statement[..kill.target_range.start]
            .last()
            .is_some_and(u8::is_ascii_alphabetic);
        let number_at = kill.target_range.start + usize::from(glued);
        assert_eq!(
            (again.id, again.query, again.target_range.start),
            (read, kill.query, number_at)
        );
        assert_eq!(rewrite(&rewritten, kill.id), rewrite(statement, kill.id));
    }
});
