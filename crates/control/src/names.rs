//! Generated names for clusters: easy to say and to type. The store checks that they are unique.

use tidegate_model::{ClusterName, id::RandomError};

const ADJECTIVES: [&str; 32] = [
    "amber", "bold", "brisk", "calm", "clear", "cool", "coral", "deep", "early", "fair", "gentle",
    "grand", "keen", "kind", "late", "light", "lucky", "mellow", "misty", "noble", "plain",
    "proud", "quick", "quiet", "rapid", "salty", "silver", "slow", "steady", "sunny", "warm",
    "wide",
];
const NOUNS: [&str; 32] = [
    "anchor", "bay", "beacon", "buoy", "cape", "cove", "current", "delta", "dock", "drift", "dune",
    "eddy", "fjord", "gull", "harbor", "heron", "inlet", "island", "jetty", "lagoon", "lock",
    "marina", "pier", "quay", "reef", "sail", "shoal", "shore", "sluice", "strait", "tide", "wave",
];

/// Generates a name such as `calm-tide-4821`. There are nine million, so a name that is taken is
/// rare; the caller then generates another.
pub fn generate() -> Result<ClusterName, RandomError> {
    let mut bytes = [0u8; 4];
    getrandom::fill(&mut bytes).map_err(|_| RandomError)?;
    let [adjective, noun, high, low] = bytes;
    // The slight bias of the remainder is harmless, because a name is not a secret.
    let number = 1000 + u16::from_be_bytes([high, low]) % 9000;
    let text = format!(
        "{}-{}-{number}",
        pick(&ADJECTIVES, adjective)?,
        pick(&NOUNS, noun)?
    );
    ClusterName::parse(&text).map_err(|_| RandomError)
}

fn pick(words: &[&'static str; 32], byte: u8) -> Result<&'static str, RandomError> {
    words
        .get(usize::from(byte & 31))
        .copied()
        .ok_or(RandomError)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_makes_a_good_name() {
        for adjective in ADJECTIVES {
            for noun in NOUNS {
                assert!(ClusterName::parse(&format!("{adjective}-{noun}-1000")).is_ok());
            }
        }
        let drawn: std::collections::BTreeSet<_> = (0..50).map(|_| generate().unwrap()).collect();
        assert!(drawn.len() > 45, "{drawn:?}");
    }
}
