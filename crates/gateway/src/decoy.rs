//! Made-up data for names that do not exist, keyed so that asking twice gets the same; and the rate at which
//! readings of accounts fail, so that unknown names fail as often.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::sync::atomic::{AtomicU64, Ordering};
use tidegate_model::Prefix;
use zeroize::Zeroizing;

pub(crate) struct Decoy {
    key: Zeroizing<[u8; 32]>,
    prefix: Prefix,
}

impl Decoy {
    pub fn new() -> Result<Self, tidegate_model::id::RandomError> {
        let mut key = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *key).map_err(|_| tidegate_model::id::RandomError)?;
        Ok(Self { key, prefix: Prefix::random()? })
    }

    /// A prefix that no cluster has (59 random bits, never stored).
    pub fn prefix(&self) -> Prefix {
        self.prefix.clone()
    }

    /// The stage 2 of an account that does not exist.
    pub fn stage2(&self, slot: usize) -> [u8; 20] {
        let mut out = [0; 20];
        // Any key length is valid for HMAC, so this arm is never missed.
        if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&*self.key) {
            mac.update(&slot.to_le_bytes());
            let digest = mac.finalize().into_bytes();
            out.iter_mut().zip(digest).for_each(|(o, d)| *o = d);
        }
        out
    }
}

/// The last 64 readings, a bit each; a set bit failed.
#[derive(Debug, Default)]
pub(crate) struct Rereads(AtomicU64);

impl Rereads {
    pub fn record(&self, ok: bool) {
        let push = |bits: u64| Some(bits << 1 | u64::from(!ok));
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, push);
    }

    /// Whether one of them, drawn by chance, failed.
    pub fn decoy_failed(&self) -> bool {
        let bits = self.0.load(Ordering::Relaxed);
        let mut byte = [0];
        bits != 0 && getrandom::fill(&mut byte).is_ok() && bits >> (byte[0] % 64) & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rereads_fail_for_decoys_only_when_they_failed_for_real() {
        let r = Rereads::default();
        (0..200).for_each(|_| r.record(true));
        assert!((0..100).all(|_| !r.decoy_failed()));
        (0..64).for_each(|_| r.record(false));
        assert!((0..100).all(|_| r.decoy_failed()));
    }

    #[test]
    fn made_up_hashes_stay_the_same_and_differ_by_slot() {
        let d = Decoy::new().unwrap();
        assert_eq!(d.stage2(1), d.stage2(1));
        assert_ne!(d.stage2(1), d.stage2(2));
        assert_ne!(d.stage2(1), [0; 20]);
    }
}
