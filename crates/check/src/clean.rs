//! Makes text from the server safe to print: one bounded line without control characters.

use crate::limits::{EVIDENCE_LINE_MAX, EVIDENCE_MAX};

/// Maximum number of bytes that are written in hexadecimal.
const HEX_BYTES_MAX: usize = 32;

/// Cuts a text to this many columns.
pub fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    text.chars()
        .take(room.saturating_sub(3))
        .chain("...".chars())
        .collect()
}

/// Returns a text from the server as one bounded line without control characters.
pub fn clean(text: &str) -> String {
    let safe: String = text
        .chars()
        .map(|c| if is_safe(c) { c } else { '\u{fffd}' })
        .collect();
    cut(safe.trim(), EVIDENCE_LINE_MAX)
}

/// Whether the character is printed as it is: no control character, none that breaks the line or
/// changes the writing direction, none that is invisible.
fn is_safe(c: char) -> bool {
    let is_invisible = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    let changes_lines = matches!(c, '\u{2028}'..='\u{202e}');
    !c.is_control() && !is_invisible && !changes_lines
}

/// Returns bytes from the server as evidence: as text if they are text, else in hexadecimal.
pub fn shown(bytes: &[u8]) -> String {
    let some = bytes.get(..EVIDENCE_MAX).unwrap_or(bytes);
    match std::str::from_utf8(some) {
        Ok(text) if !text.is_empty() && text.chars().all(|c| !c.is_control()) => {
            clean(&format!("{text:?}"))
        }
        _ => hex(some),
    }
}

/// Returns the first bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .take(HEX_BYTES_MAX)
        .map(|b| format!("{b:02x}"))
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_other_side_wrote_cannot_steer_a_terminal() {
        assert_eq!(
            clean("8.0\x1b[2J\u{202e}x\r\n"),
            "8.0\u{fffd}[2J\u{fffd}x\u{fffd}\u{fffd}"
        );
        assert_eq!(shown(b"\x1b]0;x"), "1b 5d 30 3b 78");
        assert_eq!(shown(b"HTTP/1.1 400"), "\"HTTP/1.1 400\"");
        assert!(clean(&"x".repeat(10_000)).len() <= EVIDENCE_LINE_MAX);
    }
}
