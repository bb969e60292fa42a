//! Characters and encodings that every reader of a string needs.

use std::slice::SliceIndex;

/// Replacement of a hidden part. No shown host, user, database or path contains it.
pub const HIDDEN: char = '\u{FFFC}';

/// Returns a part of a text. It is empty if the range is not one of the text, so that a wrong range
/// can only hide something and never show it.
pub fn part(text: &str, range: impl SliceIndex<str, Output = str>) -> &str {
    text.get(range).unwrap_or_default()
}

/// Whether this is a quote of any language.
pub fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'' | '`')
}

/// Percent-decodes a text. Invalid encodings stay unchanged.
pub fn decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let pair = after
            .first_chunk::<2>()
            .and_then(|pair| str::from_utf8(pair).ok());
        let byte = pair
            .filter(|_| first == b'%')
            .and_then(|pair| u8::from_str_radix(pair, 16).ok());
        if let Some(byte) = byte {
            out.push(byte);
            rest = after.get(2..).unwrap_or_default();
        } else {
            out.push(first);
            rest = after;
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}
