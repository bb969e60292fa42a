//! Behaviour of prefixes that no cluster has. Each imitates one cluster, its twin: a login waits
//! while the twin recovers, and takes as long as a reading of the twin's accounts. See
//! `docs/decisions/0017-unknown-prefixes.md`.

use crate::limits;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tidegate_model::{ClusterId, PrefixTag};
use tokio::sync::Notify;
use tokio::time::Instant;

/// Chooses the twin of a prefix by rendezvous hashing: each cluster is the twin of an equal share
/// of all prefixes, and creating or deleting a cluster changes the twins of its share only.
pub fn choose_twin(tag: PrefixTag, clusters: &[ClusterId]) -> Option<ClusterId> {
    clusters
        .iter()
        .copied()
        .max_by_key(|id| scramble(tag.0 ^ id.0.wrapping_mul(ODD)))
}

/// Increment of SplitMix64, which spreads small numbers over all bits.
const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Finalizer of SplitMix64. It needs no key, because `PrefixTag` has one.
fn scramble(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(ODD);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Duration and result of a reading of a cluster's accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadingSample {
    pub took: Duration,
    pub failed: bool,
}

/// Last readings of one cluster.
#[derive(Debug, Default)]
pub struct ReadingSamples {
    ring: Mutex<Ring>,
    /// Notified when a reading has ended.
    ended: Notify,
}

#[derive(Debug, Default)]
struct Ring {
    /// Samples and the times at which the readings ended.
    last: Vec<(ReadingSample, Instant)>,
    /// Index of the newest one.
    newest: usize,
    under_way: usize,
}

/// Action of a login with an unknown prefix in place of a reading.
pub enum Imitation<'a> {
    /// Read the twin's accounts, because the last reading is too old or there is none.
    Read(MeasuredReading<'a>),
    /// Take as long as this reading took, with the same result.
    Like(ReadingSample),
}

impl ReadingSamples {
    /// Measures a reading from now until [`MeasuredReading::done`], or until its caller gives up.
    pub fn measure(&self) -> MeasuredReading<'_> {
        self.lock().under_way += 1;
        self.begin()
    }

    fn begin(&self) -> MeasuredReading<'_> {
        MeasuredReading {
            samples: self,
            began: Instant::now(),
            failed: true,
        }
    }

    /// Waits for a running reading, as a login with a known prefix would; otherwise takes a random
    /// one of the last readings. If the last one is too old, one caller reads and the others wait
    /// for it.
    pub async fn imitate(&self) -> Imitation<'_> {
        // Created before the samples are read, so that a reading that ends in between is not
        // missed.
        let ended = self.ended.notified();
        {
            let mut ring = self.lock();
            if ring.under_way == 0 {
                let now = Instant::now();
                let fresh: Vec<ReadingSample> = ring
                    .last
                    .iter()
                    .filter(|(_, at)| {
                        now.saturating_duration_since(*at) < limits::READING_SAMPLE_LIFE
                    })
                    .map(|(sample, _)| *sample)
                    .collect();
                if let Some(sample) = draw(&fresh) {
                    return Imitation::Like(sample);
                }
                // Set under the lock, so that the other callers wait for this reading.
                ring.under_way = 1;
                return Imitation::Read(self.begin());
            }
        }
        ended.await;
        let ring = self.lock();
        let newest = ring.last.get(ring.newest).map(|(sample, _)| *sample);
        // A reading has just ended, so there is a sample.
        Imitation::Like(newest.unwrap_or(ReadingSample {
            took: Duration::ZERO,
            failed: true,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, sample: ReadingSample) {
        let mut ring = self.lock();
        ring.under_way = ring.under_way.saturating_sub(1);
        let new = (sample, Instant::now());
        if ring.last.len() < limits::READING_SAMPLES {
            ring.last.push(new);
            ring.newest = ring.last.len() - 1;
        } else {
            ring.newest = (ring.newest + 1) % limits::READING_SAMPLES;
            let newest = ring.newest;
            if let Some(oldest) = ring.last.get_mut(newest) {
                *oldest = new;
            }
        }
        drop(ring);
        self.ended.notify_waiters();
    }
}

fn draw(samples: &[ReadingSample]) -> Option<ReadingSample> {
    let mut random = [0];
    // Without random bytes, the first sample will do.
    let _ = getrandom::fill(&mut random);
    let [random] = random;
    samples
        .get(usize::from(random).checked_rem(samples.len())?)
        .copied()
}

/// A running reading. If dropped before its end, it is recorded as failed.
pub struct MeasuredReading<'a> {
    samples: &'a ReadingSamples,
    began: Instant,
    failed: bool,
}

impl MeasuredReading<'_> {
    pub fn done(mut self, failed: bool) {
        self.failed = failed;
    }
}

impl Drop for MeasuredReading<'_> {
    fn drop(&mut self) {
        self.samples.record(ReadingSample {
            took: self.began.elapsed(),
            failed: self.failed,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn twins(tags: &[PrefixTag], clusters: &[ClusterId]) -> Vec<ClusterId> {
        tags.iter()
            .map(|tag| choose_twin(*tag, clusters).unwrap())
            .collect()
    }

    #[test]
    fn every_cluster_is_the_twin_of_an_equal_share_and_a_change_moves_its_own_share_only() {
        let clusters: Vec<ClusterId> = (1..=5).map(ClusterId).collect();
        let tags: Vec<PrefixTag> = (0..10_000).map(|n| PrefixTag(scramble(n))).collect();
        let before = twins(&tags, &clusters);
        for id in &clusters {
            let share = before.iter().filter(|twin| *twin == id).count();
            assert!((1_800..2_200).contains(&share), "{id}: {share} of 10000");
        }
        let mut order = clusters.clone();
        order.reverse();
        assert_eq!(
            twins(&tags, &order),
            before,
            "the order of the clusters says nothing"
        );
        let after = twins(&tags, &clusters[..4]);
        for (before, after) in before.iter().zip(&after) {
            assert!(
                before == after || *before == ClusterId(5),
                "{before} became {after}"
            );
        }
        assert_eq!(choose_twin(tags[0], &[]), None);
    }

    async fn like(samples: &ReadingSamples) -> ReadingSample {
        match samples.imitate().await {
            Imitation::Like(sample) => sample,
            Imitation::Read(_) => panic!("it was read just now"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn unknown_prefixes_imitate_the_last_readings_and_one_given_up_counts_as_failed() {
        let samples = ReadingSamples::default();
        samples.measure().done(false);
        assert!(!like(&samples).await.failed);
        for _ in 0..limits::READING_SAMPLES {
            let given_up = samples.measure();
            tokio::time::advance(Duration::from_millis(10)).await;
            drop(given_up);
        }
        for _ in 0..50 {
            assert_eq!(
                like(&samples).await,
                ReadingSample {
                    took: Duration::from_millis(10),
                    failed: true
                }
            );
        }
        assert_eq!(samples.lock().last.len(), limits::READING_SAMPLES);
    }

    #[tokio::test(start_paused = true)]
    async fn one_alone_reads_when_the_last_reading_is_old_and_the_others_wait_for_it() {
        let samples = ReadingSamples::default();
        let Imitation::Read(reading) = samples.imitate().await else {
            panic!("nothing to imitate yet")
        };
        let second = samples.imitate();
        tokio::pin!(second);
        assert!(
            tokio::time::timeout(Duration::ZERO, &mut second)
                .await
                .is_err(),
            "it waits as a real one would"
        );
        tokio::time::advance(Duration::from_millis(700)).await;
        reading.done(false);
        let expected = ReadingSample {
            took: Duration::from_millis(700),
            failed: false,
        };
        assert!(matches!(second.await, Imitation::Like(sample) if sample == expected));
        assert!(!like(&samples).await.failed);
        tokio::time::advance(limits::READING_SAMPLE_LIFE).await;
        assert!(matches!(samples.imitate().await, Imitation::Read(_)));
    }
}
