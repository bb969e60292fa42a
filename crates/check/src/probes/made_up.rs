//! Made-up users and passwords, for logins that must fail.

use zeroize::Zeroizing;

/// A user name that no server has, and that tells where the login came from.
pub(super) const NOBODY: &str = "tidegate-check";

pub(super) fn made_up_password() -> Zeroizing<String> {
    let mut bytes = [0x5a; 12];
    let _ = getrandom::fill(&mut bytes);
    Zeroizing::new(bytes.iter().map(|b| format!("{b:02x}")).collect())
}

/// Returns an unknown user of the same form and length: the letters of the prefix, or of the whole
/// name, are shifted.
pub(super) fn stranger(user: &str) -> String {
    let (changed, kept) = user.find('.').map_or((user, ""), |dot| user.split_at(dot));
    let turn = |c: char| match c {
        'a'..='y' | 'A'..='Y' | '2'..='8' => char::from_u32(u32::from(c) + 1).unwrap_or(c),
        'z' => 'b',
        'Z' => 'B',
        '9' => '3',
        other => other,
    };
    changed.chars().map(turn).chain(kept.chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_looks_like_the_user_but_is_another() {
        assert_eq!(stranger("abcz29.root"), "bcdb33.root");
        assert_eq!(stranger("root"), "sppu");
    }
}
