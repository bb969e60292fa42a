//! Behaviour of prefixes that no cluster has. Each imitates one cluster, its twin: it waits while
//! the twin recovers, and takes as long as a reading of the twin's accounts takes. See
//! `docs/decisions/0017-unknown-prefixes.md`.

use crate::limits;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tidegate_model::{ClusterId, PrefixTag};
use tokio::sync::Notify;
use tokio::time::Instant;

/// Chooses the twin of a prefix by rendezvous hashing: each cluster is chosen by an equal share of
/// all prefixes, and a cluster that comes or goes changes the twins of its own share only.
pub fn choose_twin(tag: PrefixTag, clusters: &[ClusterId]) -> Option<ClusterId> {
    clusters
        .iter()
        .copied()
        .max_by_key(|id| scramble(tag.0 ^ id.0.wrapping_mul(ODD)))
}

/// The increment of SplitMix64: spreads small numbers over all bits.
const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

/// The finalizer of SplitMix64. It need not be a secret: `PrefixTag` is keyed.
fn scramble(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(ODD);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// How one reading of a cluster's accounts went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadingSample {
    pub took: Duration,
    pub failed: bool,
}

/// The last readings of one cluster.
#[derive(Debug, Default)]
pub struct ReadingSamples {
    ring: Mutex<Ring>,
    /// A reading has ended.
    ended: Notify,
}

#[derive(Debug, Default)]
struct Ring {
    /// With the moments at which they ended.
    last: Vec<(ReadingSample, Instant)>,
    /// Where the newest of them is.
    newest: usize,
    under_way: usize,
}

/// What an unknown prefix does instead of a reading of its own.
pub enum Imitation<'a> {
    /// Reads the twin's accounts: nobody has for a while, or ever.
    Read(MeasuredReading<'a>),
    /// Takes as long as this reading took, and ends as it did.
    Like(ReadingSample),
}

impl ReadingSamples {
    /// Notes how long a reading takes from now until [`Measured::done`], or until its caller gives
    /// up.
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

    /// Waits for a reading that is under way, as a real one would, and else takes one of the last
    /// ones, by chance. Of many that come when the last one is too old, one alone reads.
    pub async fn imitate(&self) -> Imitation<'_> {
        let ended = self.ended.notified();
        {
            let mut ring = self.lock();
            if ring.under_way == 0 {
                let now = Instant::now();
                let fresh =
                    |at: Instant| now.saturating_duration_since(at) < limits::READING_SAMPLE_LIFE;
                let fresh: Vec<ReadingSample> = ring
                    .last
                    .iter()
                    .filter(|(_, at)| fresh(*at))
                    .map(|(sample, _)| *sample)
                    .collect();
                if let Some(sample) = draw(&fresh) {
                    return Imitation::Like(sample);
                }
                ring.under_way = 1;
                return Imitation::Read(self.begin());
            }
        }
        ended.await;
        let ring = self.lock();
        let newest = ring.last.get(ring.newest).map(|(sample, _)| *sample);
        // It has just ended, so there is one.
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
    // Without random bytes the first of them is as good.
    let _ = getrandom::fill(&mut random);
    let [random] = random;
    samples
        .get(usize::from(random).checked_rem(samples.len())?)
        .copied()
}

/// A reading under way. Dropped before its end, it counts as failed after the time it has taken.
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

    #[test]
    fn every_cluster_is_the_twin_of_an_equal_share_and_a_change_moves_its_own_share_only() {
        let clusters: Vec<ClusterId> = (1..=5).map(ClusterId).collect();
        let tags: Vec<PrefixTag> = (0..10_000).map(|n| PrefixTag(scramble(n))).collect();
        let of = |clusters: &[ClusterId]| -> Vec<ClusterId> {
            tags.iter()
                .map(|tag| choose_twin(*tag, clusters).unwrap())
                .collect()
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
        assert!(
            matches!(second.await, Imitation::Like(s) if s.took == Duration::from_millis(700) && !s.failed)
        );
        assert!(!like(&samples).await.failed);
        tokio::time::advance(limits::READING_SAMPLE_LIFE).await;
        assert!(matches!(samples.imitate().await, Imitation::Read(_)));
    }
}
