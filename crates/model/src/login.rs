//! Parser of login names: `<prefix>.<user>`, split at the first dot.

use crate::id::Prefix;

/// Longest user name of MariaDB, in characters; a UTF-8 character may take four bytes.
pub const USER_CHARS_MAX: usize = 128;

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
    pub fn parse(raw: &[u8]) -> Self {
        let Ok(whole) = std::str::from_utf8(raw) else {
            return Self::Unroutable;
        };
        let Some((prefix, user)) = whole.split_once('.') else {
            return Self::NoPrefix;
        };
        match Prefix::parse(prefix) {
            // MariaDB counts characters, not bytes.
            Some(prefix) if !user.is_empty() && whole.chars().count() <= USER_CHARS_MAX => {
                Self::Routed {
                    prefix,
                    user: user.to_owned(),
                    whole: whole.to_owned(),
                }
            }
            _ => Self::Unroutable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_routed(name: &str) -> bool {
        matches!(LoginName::parse(name.as_bytes()), LoginName::Routed { .. })
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
                LoginName::parse(unroutable.as_bytes()),
                LoginName::Unroutable,
                "{unroutable}"
            );
        }
        for none in ["root", "", "abcdefghjkmn"] {
            assert_eq!(
                LoginName::parse(none.as_bytes()),
                LoginName::NoPrefix,
                "{none}"
            );
        }
        assert_eq!(
            LoginName::parse(b"abcdefghjkmn.\xff"),
            LoginName::Unroutable
        );
        assert_eq!(
            LoginName::parse(format!("{prefix}.{}", "x".repeat(200)).as_bytes()),
            LoginName::Unroutable
        );
    }
}
