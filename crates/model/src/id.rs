//! Identifiers of clusters and runs. Each has its own type, so that one can't be mistaken for
//! another.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Number of a cluster. Never reused. Those of older versions were counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ClusterId(pub u64);

impl ClusterId {
    /// Bits of a number: a JSON number can have as many.
    const BITS: u32 = 53;

    /// New number from the system's random source. Gateways that share a store need not agree on
    /// it.
    pub fn random() -> Result<Self, RandomError> {
        let mut bytes = [0u8; 8];
        getrandom::fill(&mut bytes).map_err(|_| RandomError)?;
        Ok(Self(u64::from_le_bytes(bytes) >> (u64::BITS - Self::BITS)))
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Number of a run of a cluster's engine, from its start to its end. Incremented in the store
/// before each start.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
pub struct RunEpoch(pub u64);

/// Prefix of a user name, `<prefix>.<user>`: twelve characters that can't be mistaken for one
/// another and are valid in a DNS label.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Prefix(String);

impl Prefix {
    pub const LEN: usize = 12;
    /// Leaves out 0, o, 1, l and i, because people read prefixes aloud. 31 characters: a prefix has
    /// 59 bits.
    pub const ALPHABET: &'static [u8; 31] = b"23456789abcdefghjkmnpqrstuvwxyz";

    pub fn parse(text: &str) -> Option<Self> {
        let ok = text.len() == Self::LEN && text.bytes().all(|b| Self::ALPHABET.contains(&b));
        ok.then(|| Self(text.to_owned()))
    }

    /// New prefix from the system's random source. It starts with a letter, so that it is a valid
    /// DNS label and never looks like a number to a shell or a YAML parser.
    pub fn random() -> Result<Self, RandomError> {
        let mut out = String::with_capacity(Self::LEN);
        while out.len() < Self::LEN {
            let mut byte = [0u8; 1];
            getrandom::fill(&mut byte).map_err(|_| RandomError)?;
            // 248 = 8 x 31; larger bytes would make some letters more likely.
            let [b] = byte;
            if b >= 248 {
                continue;
            }
            let Some(&c) = Self::ALPHABET.get(usize::from(b) % Self::ALPHABET.len()) else {
                continue;
            };
            if out.is_empty() && c.is_ascii_digit() {
                continue;
            }
            out.push(char::from(c));
        }
        Ok(Self(out))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the system's random source failed")]
pub struct RandomError;

impl TryFrom<String> for Prefix {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
            .ok_or("not a user name prefix: 12 letters a-z without i, l and o, or digits 2-9")
    }
}

impl From<Prefix> for String {
    fn from(prefix: Prefix) -> Self {
        prefix.0
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Name of a cluster: 1 to 63 characters of a-z, 0-9 and `-`, starting with a letter, not ending
/// with `-`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClusterName(String);

impl ClusterName {
    pub const LEN_MAX: usize = 63;

    pub fn parse(text: &str) -> Result<Self, NameError> {
        let first = text.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
        let rest = text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if first && rest && text.len() <= Self::LEN_MAX && !text.ends_with('-') {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError)
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a cluster's name is 1 to 63 characters of a-z, 0-9 and '-', starts with a letter and does not \
     end with '-'"
)]
pub struct NameError;

impl TryFrom<String> for ClusterName {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<ClusterName> for String {
    fn from(name: ClusterName) -> Self {
        name.0
    }
}

impl fmt::Display for ClusterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_prefixes_parse_and_start_with_a_letter() {
        for _ in 0..200 {
            let p = Prefix::random().unwrap();
            assert_eq!(Prefix::parse(p.as_str()), Some(p.clone()));
            assert!(p.as_str().starts_with(|c: char| c.is_ascii_lowercase()));
        }
    }

    #[test]
    fn names_that_break_paths_or_labels_are_refused() {
        for bad in [
            "",
            "-a",
            "a-",
            "A",
            "a/b",
            "..",
            "1a",
            "a b",
            "ä",
            &"a".repeat(64),
        ] {
            assert!(ClusterName::parse(bad).is_err(), "{bad:?}");
        }
        assert!(ClusterName::parse("demo-2").is_ok());
    }

    #[test]
    fn cluster_numbers_are_spread_over_53_bits() {
        let numbers: Vec<u64> = (0..1_000).map(|_| ClusterId::random().unwrap().0).collect();
        assert!(numbers.iter().all(|number| *number < 1 << 53));
        for bit in 0..53 {
            let set = numbers.iter().filter(|number| *number >> bit & 1 == 1);
            assert!((300..700).contains(&set.count()), "bit {bit}");
        }
    }
}
