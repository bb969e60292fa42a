//! Made-up accounts for names that do not exist. They are derived from a key, so that the same name
//! always behaves the same, also after a restart.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::sync::{PoisonError, RwLock};
use tidegate_model::{Prefix, PrefixTag};
use zeroize::Zeroizing;

/// Source of made-up data.
pub(crate) struct Decoy {
    key: RwLock<Zeroizing<[u8; 32]>>,
    prefix: Prefix,
}

impl Decoy {
    pub fn new(key: Zeroizing<[u8; 32]>) -> Result<Self, tidegate_model::id::RandomError> {
        Ok(Self {
            key: RwLock::new(key),
            prefix: Prefix::random()?,
        })
    }

    /// Replaces the key, which gives every unknown prefix another behaviour.
    pub fn set_key(&self, key: Zeroizing<[u8; 32]>) {
        *self.key.write().unwrap_or_else(PoisonError::into_inner) = key;
    }

    /// Returns a prefix that no cluster has (59 random bits, never stored), for names without one.
    pub fn prefix(&self) -> Prefix {
        self.prefix.clone()
    }

    /// Returns the tag that decides how an unknown prefix behaves. `None`: a name without prefix.
    pub fn tag(&self, prefix: Option<&Prefix>) -> PrefixTag {
        let [a, b, c, d, e, f, g, h, ..] =
            self.digest("prefix", prefix.map_or("", Prefix::as_str).as_bytes());
        PrefixTag(u64::from_le_bytes([a, b, c, d, e, f, g, h]))
    }

    /// Returns the stage 2 (see `tidegate_wire::auth`) of an account that does not exist.
    pub fn stage2(&self, slot: usize) -> [u8; 20] {
        let mut out = [0; 20];
        out.iter_mut()
            .zip(self.digest("stage 2", &slot.to_le_bytes()))
            .for_each(|(o, d)| *o = d);
        out
    }

    fn digest(&self, purpose: &str, data: &[u8]) -> [u8; 32] {
        // Any key length is valid for HMAC, so this never fails.
        let key = self.key.read().unwrap_or_else(PoisonError::into_inner);
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&**key) else {
            return [0; 32];
        };
        drop(key);
        mac.update(purpose.as_bytes());
        // Separates purpose and data, so that two different pairs never give the same input.
        mac.update(&[0]);
        mac.update(data);
        mac.finalize().into_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoy(key: u8) -> Decoy {
        Decoy::new(Zeroizing::new([key; 32])).unwrap()
    }

    #[test]
    fn made_up_hashes_stay_the_same_and_differ_by_slot() {
        let d = decoy(1);
        assert_eq!(d.stage2(1), decoy(1).stage2(1));
        assert_ne!(d.stage2(1), d.stage2(2));
        assert_ne!(d.stage2(1), [0; 20]);
    }

    #[test]
    fn a_prefix_keeps_its_tag_over_restarts_and_no_other_key_gives_it() {
        let [one, two] = ["abcdefghjkmn", "abcdefghjkmp"].map(|text| Prefix::parse(text).unwrap());
        assert_eq!(decoy(1).tag(Some(&one)), decoy(1).tag(Some(&one)));
        assert_ne!(decoy(1).tag(Some(&one)), decoy(1).tag(Some(&two)));
        assert_ne!(decoy(1).tag(Some(&one)), decoy(2).tag(Some(&one)));
        assert_ne!(decoy(1).tag(Some(&one)), decoy(1).tag(None));
        let replaced = decoy(1);
        replaced.set_key(Zeroizing::new([2; 32]));
        assert_eq!(replaced.tag(Some(&one)), decoy(2).tag(Some(&one)));
    }
}
