//! Behaviour of prefixes that no cluster has. Each imitates one cluster, its twin: it waits while the twin recovers,
//! and takes as long as a reading of the twin's accounts takes. See `docs/decisions/0017-unknown-prefixes.md`.

use crate::limits;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tidegate_model::{ClusterId, PrefixTag};

/// Chooses the twin of a prefix by rendezvous hashing: each cluster is chosen by an equal share of all prefixes, and a
/// cluster that comes or goes changes the twins of its own share only.
pub fn choose_twin(tag: PrefixTag, clusters: &[ClusterId]) -> Option<ClusterId> {
    clusters.iter().copied().max_by_key(|id| scramble(tag.0 ^ scramble(id.0)))
}

/// The finalizer of SplitMix64. It need not be a secret: `PrefixTag` is keyed.
fn scramble(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// How one reading of a cluster's accounts went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    pub took: Duration,
    pub failed: bool,
}

/// The last readings of one cluster.
#[derive(Debug, Default)]
pub struct Samples(Mutex<Ring>);

#[derive(Debug, Default)]
struct Ring {
    last: Vec<Sample>,
    next: usize,
    /// When the newest one began.
    newest: Option<Instant>,
}

impl Samples {
    /// Notes how long a reading takes from now until [`Measured::done`], or until its caller gives up.
    pub fn measure(&self) -> Measured<'_> {
        let began = Instant::now();
        self.lock().newest = Some(began);
        Measured { samples: self, began, failed: true }
    }

    /// Whether the newest sample is too old to imitate.
    pub fn are_old(&self) -> bool {
        self.lock().newest.is_none_or(|newest| newest.elapsed() >= limits::READING_SAMPLE_LIFE)
    }

    /// One of the last readings, chosen by chance.
    pub fn draw(&self) -> Option<Sample> {
        let mut random = [0];
        // Without random bytes the oldest of them is as good.
        let _ = getrandom::fill(&mut random);
        let [random] = random;
        let ring = self.lock();
        ring.last.get(usize::from(random).checked_rem(ring.last.len())?).copied()
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, sample: Sample) {
        let mut ring = self.lock();
        let next = ring.next;
        ring.next = (next + 1) % limits::READING_SAMPLES;
        match ring.last.get_mut(next) {
            Some(old) => *old = sample,
            None => ring.last.push(sample),
        }
    }
}

/// A reading under way. Dropped before its end, it counts as failed after the time it has taken.
pub struct Measured<'a> {
    samples: &'a Samples,
    began: Instant,
    failed: bool,
}

impl Measured<'_> {
    pub fn done(mut self, failed: bool) {
        self.failed = failed;
    }
}

impl Drop for Measured<'_> {
    fn drop(&mut self) {
        self.samples.record(Sample { took: self.began.elapsed(), failed: self.failed });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cluster_is_the_twin_of_an_equal_share_and_a_change_moves_its_own_share_only() {
        let clusters: Vec<ClusterId> = (1..=5).map(ClusterId).collect();
        let tags: Vec<PrefixTag> = (0..10_000).map(|n| PrefixTag(scramble(n))).collect();
        let of = |clusters: &[ClusterId]| -> Vec<ClusterId> {
            tags.iter().map(|tag| choose_twin(*tag, clusters).unwrap()).collect()
        };
        let before = of(&clusters);
        for id in &clusters {
            let share = before.iter().filter(|twin| *twin == id).count();
            assert!((1_800..2_200).contains(&share), "{id}: {share} of 10000");
        }
        let mut order = clusters.clone();
        order.reverse();
        assert_eq!(of(&order), before, "the order of the clusters says nothing");
        let after = of(&clusters[..4]);
        for (before, after) in before.iter().zip(&after) {
            assert!(before == after || *before == ClusterId(5), "{before} became {after}");
        }
        assert_eq!(choose_twin(tags[0], &[]), None);
    }

    #[test]
    fn samples_are_the_last_readings_and_one_given_up_counts_as_failed() {
        let samples = Samples::default();
        assert!(samples.are_old());
        assert_eq!(samples.draw(), None);
        samples.measure().done(false);
        assert!(!samples.are_old());
        assert!(!samples.draw().unwrap().failed);
        for _ in 0..limits::READING_SAMPLES {
            drop(samples.measure());
        }
        for _ in 0..50 {
            assert!(samples.draw().unwrap().failed);
        }
        assert_eq!(samples.lock().last.len(), limits::READING_SAMPLES);
    }
}
