//! Parser of login names: `<prefix>.<user>`, split at the first dot.

use crate::id::Prefix;

/// Longest user name of MariaDB, in characters; a UTF-8 character may take four bytes.
pub const USER_CHARS_MAX: usize = 128;

/// Collations of latin1, the character set that many clients name without using it on purpose.
const LATIN1_COLLATIONS: [u16; 8] = [5, 8, 15, 31, 47, 48, 49, 94];

/// Characters of latin1 from 0x80 to 0x9f. MariaDB's latin1 is Windows-1252, and the five bytes
/// that it leaves free are the controls of the same number.
const LATIN1_80: [char; 32] = [
    '\u{20ac}', '\u{81}', '\u{201a}', '\u{192}', '\u{201e}', '\u{2026}', '\u{2020}', '\u{2021}',
    '\u{2c6}', '\u{2030}', '\u{160}', '\u{2039}', '\u{152}', '\u{8d}', '\u{17d}', '\u{8f}',
    '\u{90}', '\u{2018}', '\u{2019}', '\u{201c}', '\u{201d}', '\u{2022}', '\u{2013}', '\u{2014}',
    '\u{2dc}', '\u{2122}', '\u{161}', '\u{203a}', '\u{153}', '\u{9d}', '\u{17e}', '\u{178}',
];

fn latin1_char(byte: u8) -> char {
    let high = byte.checked_sub(0x80).map(usize::from);
    let special = high.and_then(|at| LATIN1_80.get(at));
    special.copied().unwrap_or_else(|| char::from(byte))
}

/// Text of a name in the character set of the login's collation, as the engine reads it. Names in
/// other character sets than UTF-8 and latin1 must be ASCII.
fn decode_name(raw: &[u8], collation: u16) -> Option<String> {
    if LATIN1_COLLATIONS.contains(&collation) {
        return Some(raw.iter().map(|byte| latin1_char(*byte)).collect());
    }
    std::str::from_utf8(raw).ok().map(str::to_owned)
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginName {
    /// No dot at all. The refusal explains the form, because the user doesn't know it yet.
    NoPrefix,
    /// Has a dot, but can't name a cluster. Treated exactly like an unknown prefix.
    Unroutable,
    Routed {
        prefix: Prefix,
        /// The part after the dot. Never empty.
        user: String,
        /// The whole name as written: an account may have been created in SQL under its full name.
        whole: String,
    },
}

impl LoginName {
    /// Reads the bytes of a login, which are text in the character set of its collation.
    pub fn parse(raw: &[u8], collation: u16) -> Self {
        let Some(whole) = decode_name(raw, collation) else {
            return Self::Unroutable;
        };
        let Some((prefix, user)) = whole.split_once('.') else {
            return Self::NoPrefix;
        };
        match Prefix::parse(prefix) {
            // MariaDB counts characters, not bytes.
            Some(prefix) if !user.is_empty() && user.chars().count() <= USER_CHARS_MAX => {
                Self::Routed {
                    prefix,
                    user: user.to_owned(),
                    whole,
                }
            }
            _ => Self::Unroutable,
        }
    }
}

/// Bytes of a login's name behind its prefix, as they came: the engine reads them with the login's
/// collation.
pub fn user_bytes(raw: &[u8]) -> &[u8] {
    let dot = raw.iter().position(|byte| *byte == b'.');
    dot.and_then(|dot| raw.get(dot + 1..)).unwrap_or(raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// utf8mb4_general_ci.
    const UTF8MB4: u16 = 45;

    fn user_of(raw: &[u8], collation: u16) -> Option<String> {
        match LoginName::parse(raw, collation) {
            LoginName::Routed { user, .. } => Some(user),
            _ => None,
        }
    }

    fn is_routed(name: &str) -> bool {
        matches!(
            LoginName::parse(name.as_bytes(), UTF8MB4),
            LoginName::Routed { .. }
        )
    }

    #[test]
    fn case_37_every_form_of_the_user_field_has_one_meaning() {
        let prefix = "abcdefghjkmn";
        assert!(is_routed(&format!("{prefix}.root")));
        assert!(
            is_routed(&format!("{prefix}.a.b")),
            "the second dot belongs to the user"
        );
        for unroutable in [
            ".root",
            "abcdefghjkmn.",
            "ABCDEFGHJKMN.root",
            "'abcdefghjkmn'.root",
            "a.b",
        ] {
            assert_eq!(
                LoginName::parse(unroutable.as_bytes(), UTF8MB4),
                LoginName::Unroutable,
                "{unroutable}"
            );
        }
        for none in ["root", "", "abcdefghjkmn"] {
            assert_eq!(
                LoginName::parse(none.as_bytes(), UTF8MB4),
                LoginName::NoPrefix,
                "{none}"
            );
        }
        assert_eq!(
            LoginName::parse(b"abcdefghjkmn.\xff", UTF8MB4),
            LoginName::Unroutable
        );
        assert_eq!(
            LoginName::parse(format!("{prefix}.{}", "x".repeat(129)).as_bytes(), UTF8MB4),
            LoginName::Unroutable
        );
    }

    #[test]
    fn a_name_has_128_characters_behind_its_prefix() {
        for len in [1, 100, 115, 116, 128] {
            assert!(
                is_routed(&format!("abcdefghjkmn.{}", "é".repeat(len))),
                "{len}"
            );
        }
    }

    #[test]
    fn the_collation_tells_the_character_set_and_the_bytes_stay() {
        // A part of a character of UTF-8.
        let latin1 = b"abcdefghjkmn.jos\xe9\x80";
        assert_eq!(user_of(latin1, 8).as_deref(), Some("josé€"));
        assert_eq!(user_of(latin1, UTF8MB4), None);
        assert_eq!(user_bytes(latin1), b"jos\xe9\x80");
        let utf8 = "abcdefghjkmn.josé.x".as_bytes();
        assert_eq!(user_of(utf8, UTF8MB4).as_deref(), Some("josé.x"));
        // As the engine reads it.
        assert_eq!(user_of(utf8, 8).as_deref(), Some("josÃ©.x"));
        assert_eq!(user_bytes(utf8), "josé.x".as_bytes());
    }
}
