//! Names for clusters that were given none: easy to say, easy to type. Never looked at for
//! uniqueness here.

use tidegate_model::{ClusterName, id::RandomError};

const HOW: [&str; 32] = [
    "amber", "bold", "brisk", "calm", "clear", "cool", "coral", "deep", "early", "fair", "gentle",
    "grand", "keen", "kind", "late", "light", "lucky", "mellow", "misty", "noble", "plain",
    "proud", "quick", "quiet", "rapid", "salty", "silver", "slow", "steady", "sunny", "warm",
    "wide",
];
const WHAT: [&str; 32] = [
    "anchor", "bay", "beacon", "buoy", "cape", "cove", "current", "delta", "dock", "drift", "dune",
    "eddy", "fjord", "gull", "harbor", "heron", "inlet", "island", "jetty", "lagoon", "lock",
    "marina", "pier", "quay", "reef", "sail", "shoal", "shore", "sluice", "strait", "tide", "wave",
];

/// As `calm-tide-4821`: nine million names, so a clash is rare, and drawn anew.
pub fn generate() -> Result<ClusterName, RandomError> {
    let mut bytes = [0u8; 4];
    getrandom::fill(&mut bytes).map_err(|_| RandomError)?;
    let [how, what, high, low] = bytes;
    let pick = |words: &[&'static str; 32], byte: u8| {
        words
            .get(usize::from(byte & 31))
            .copied()
            .ok_or(RandomError)
    };
    // The slight bias of the remainder does no harm: a name is no secret.
    let number = 1000 + u16::from_be_bytes([high, low]) % 9000;
    let text = format!("{}-{}-{number}", pick(&HOW, how)?, pick(&WHAT, what)?);
    ClusterName::parse(&text).map_err(|_| RandomError)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_makes_a_good_name() {
        for how in HOW {
            for what in WHAT {
                assert!(ClusterName::parse(&format!("{how}-{what}-1000")).is_ok());
            }
        }
        let drawn: std::collections::BTreeSet<_> = (0..50).map(|_| generate().unwrap()).collect();
        assert!(drawn.len() > 45, "{drawn:?}");
    }
}
