//! Escaping of text from tenants, engines and clients before a person reads it. JSON keeps its
//! value: terminal controls become the `\u` escapes of JSON. Not used for the protocol, whose
//! encoding allows any text. Bytes that are not UTF-8 are replaced earlier, where they become a
//! `String`.

use std::borrow::Cow;
use std::fmt::Write;

/// Returns text that stays on one line and doesn't control a terminal. Every control character, and
/// every character that reorders or hides its neighbours, becomes an escape such as `\x1b` or
/// `\u{202e}`.
pub fn printable(text: &str) -> Cow<'_, str> {
    escape(text, |_| false)
}

/// As [`printable`], for text of several lines. Line feeds stay, and each line after the first is
/// indented, so that it can't be mistaken for a line of this program.
pub fn printable_lines(text: &str, indent: usize) -> String {
    let lines: Vec<_> = text.lines().map(printable).collect();
    lines.join(&format!("\n{:indent$}", ""))
}

/// Escapes unprintable characters, except those that `keep` accepts.
pub fn escape(text: &str, keep: impl Fn(char) -> bool) -> Cow<'_, str> {
    let escaped = |c: char| is_unprintable(c) && !keep(c);
    let Some(first) = text.find(escaped) else {
        return Cow::Borrowed(text);
    };
    let (head, tail) = text.split_at(first);
    let mut out = String::with_capacity(text.len() + 16);
    out.push_str(head);
    for c in tail.chars() {
        if keep(c) {
            out.push(c);
        } else {
            push_printable_char(c, &mut out);
        }
    }
    Cow::Owned(out)
}

/// Appends a character in the form of [`printable`], for callers that cut the text themselves.
pub fn push_printable_char(c: char, out: &mut String) {
    match c {
        c if !is_unprintable(c) => out.push(c),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\0'..='\x7f' => drop(write!(out, "\\x{:02x}", u32::from(c))),
        c => drop(write!(out, "\\u{{{:x}}}", u32::from(c))),
    }
}

/// Appends a character of a JSON string, with terminal controls as escapes.
pub fn push_json_char(c: char, out: &mut String) {
    match c {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c if is_unprintable(c) => {
            // The escapes of JSON are UTF-16 units (RFC 8259, section 7).
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
        c => out.push(c),
    }
}

/// Returns JSON text with the same value and without terminal controls. Unprintable characters
/// occur only in its strings, and become `\u` escapes. Line feeds between values stay.
pub fn printable_json(json: &str) -> Cow<'_, str> {
    let escaped = |c: char| c != '\n' && is_unprintable(c);
    if !json.contains(escaped) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if escaped(c) {
            push_json_char(c, &mut out);
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Whether a character is a control (C0, DEL, C1), a line or paragraph separator, or a format
/// character of Unicode: bidirectional overrides, zero-width and invisible characters, tags, and
/// those of musical and shorthand notation.
fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}'
            | '\u{890}'..='\u{891}' | '\u{8e2}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_terminal_obeys_is_shown_instead() {
        for (text, want) in [
            ("a\x1b]0;x\x07", "a\\x1b]0;x\\x07"),
            ("a\nb\rc\td\0\x7f", "a\\nb\\rc\\td\\x00\\x7f"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("user\u{202e}nimda\u{2066}", "user\\u{202e}nimda\\u{2066}"),
            (
                "one\u{2028}two\u{2029}three\u{85}",
                "one\\u{2028}two\\u{2029}three\\u{85}",
            ),
            (
                "a\u{200b}b\u{feff}\u{ad}\u{e0041}",
                "a\\u{200b}b\\u{feff}\\u{ad}\\u{e0041}",
            ),
        ] {
            assert_eq!(printable(text), want, "{text:?}");
        }
    }

    #[test]
    fn ordinary_text_of_any_script_stays_and_costs_nothing() {
        for text in [
            "",
            "plain 'text' \\ \"x\"",
            "größe, имя, 名前, اسم",
            "e\u{301}",
            "\u{1f600}",
        ] {
            assert!(
                matches!(printable(text), Cow::Borrowed(same) if same == text),
                "{text}"
            );
        }
    }

    #[test]
    fn no_character_gets_through_that_has_no_width_of_its_own_or_moves_the_cursor() {
        let shown: String = (0..=0x10_ffff).filter_map(char::from_u32).collect();
        let shown = printable(&shown);
        // `Debug` of the standard library can't be compared with: it also escapes unassigned and
        // private characters, which no terminal interprets.
        for c in shown.chars().filter(|c| !c.is_ascii_graphic() && *c != ' ') {
            assert!(
                !c.is_control() && !matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'),
                "{c:?}"
            );
        }
        assert!(!shown.contains('\x1b') && shown.contains("\\x1b"));
    }

    #[test]
    fn json_keeps_its_value_and_shows_nothing_that_a_terminal_obeys() {
        let all: String = (0..=0x10_ffff).filter_map(char::from_u32).collect();
        let want = serde_json::json!({ "all": all, "list": ["\u{9b}31m", "\u{202e}", "\x7f", "é", "\u{1f600}"] });
        let raw = serde_json::to_string_pretty(&want).unwrap();
        assert!(
            raw.contains('\u{9b}') && raw.contains('\x7f'),
            "nothing to do"
        );
        let shown = printable_json(&raw);
        assert!(!shown.chars().any(|c| c != '\n' && is_unprintable(c)));
        assert!(
            shown.contains("\\u009b31m") && shown.contains("\\u202e") && shown.contains("\\u007f")
        );
        assert!(shown.contains('é') && shown.contains('\u{1f600}'));
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&shown).unwrap(),
            want
        );
        let mut text = String::new();
        all.chars().for_each(|c| push_json_char(c, &mut text));
        assert_eq!(
            serde_json::from_str::<String>(&format!("\"{text}\"")).unwrap(),
            all
        );
        assert!(matches!(
            printable_json("{\n  \"a\": 1\n}"),
            Cow::Borrowed(_)
        ));
    }

    #[test]
    fn lines_of_a_text_are_indented_so_that_none_passes_for_ours() {
        assert_eq!(
            printable_lines("one\n  hint: rm\r\nx\x1b", 4),
            "one\n      hint: rm\n    x\\x1b"
        );
        assert_eq!(printable_lines("one", 4), "one");
    }
}
