//! Characters and encodings that every reader of a string needs.

/// The sign that replaces what was taken out of a string. It is in no host, user, database or path
/// that is shown.
pub const HIDDEN: char = '\u{FFFC}';

/// Whether this is one of the quotes that some language writes strings in.
pub fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'' | '`')
}

/// Percent-decoded; what is no valid encoding stays.
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
