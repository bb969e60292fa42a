//! How much somebody may ask for: a bucket per asker that fills evenly. Bounded in memory; never a
//! task of its own.

use std::hash::{BuildHasher, Hash, RandomState};
use std::marker::PhantomData;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Buckets that an asker's may be one of. All others of a full set must be emptier than one that is
/// forgotten.
const WAYS: usize = 8;

/// A bucket per key, in sets of a fixed size with a lock each: no request reads more than one set,
/// however many askers there are.
#[derive(Debug)]
pub struct TokenBuckets<K> {
    /// Holds this many.
    size: u32,
    /// An empty one is full again after this long.
    fills_in: Duration,
    /// Random per start: nobody outside can choose askers that meet in one set.
    keys: RandomState,
    sets: Vec<Mutex<[Option<TokenBucket>; WAYS]>>,
    askers: PhantomData<fn(K)>,
}

#[derive(Debug, Clone, Copy)]
struct TokenBucket {
    /// Hash of the asker.
    tag: u64,
    taken: f64,
    at: Instant,
}

/// What is left after a request, or why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemainingQuota {
    pub limit: u32,
    pub remaining: u32,
    /// Until the bucket is full again; for one that was refused, until it holds one more.
    pub reset_seconds: u64,
}

impl<K: Hash> TokenBuckets<K> {
    /// `askers_max`: those that are remembered at once, rounded up to a multiple of eight.
    pub fn new(size: u32, fills_in: Duration, askers_max: usize) -> Self {
        let sets = (0..askers_max.div_ceil(WAYS).max(1))
            .map(|_| Mutex::default())
            .collect();
        Self {
            size,
            fills_in,
            keys: RandomState::new(),
            sets,
            askers: PhantomData,
        }
    }

    /// Takes one, or says when there is one.
    pub fn take(&self, key: K) -> Result<RemainingQuota, RemainingQuota> {
        self.take_at(key, Instant::now())
    }

    fn take_at(&self, key: K, now: Instant) -> Result<RemainingQuota, RemainingQuota> {
        let tag = self.keys.hash_one(&key);
        let before = self.bucket(tag, now, |bucket| {
            let taken = self.taken_now(bucket, now);
            let fits = taken + 1.0 <= f64::from(self.size);
            *bucket = TokenBucket {
                tag,
                taken: if fits { taken + 1.0 } else { taken },
                at: now,
            };
            taken
        });
        let taken = before.unwrap_or(0.0);
        let size = f64::from(self.size);
        let per_second = size / self.fills_in.as_secs_f64();
        let fits = taken + 1.0 <= size;
        let after = if fits { taken + 1.0 } else { taken };
        let wait = if fits {
            after / per_second
        } else {
            (taken + 1.0 - size) / per_second
        };
        let left = RemainingQuota {
            limit: self.size,
            remaining: whole(size - after),
            reset_seconds: u64::from(whole(wait.ceil())).max(1),
        };
        if fits { Ok(left) } else { Err(left) }
    }

    /// Changes the bucket of this asker. A new one takes a free place, or else that of the bucket
    /// that is nearest to full: who asked most is remembered longest.
    fn bucket<T>(
        &self,
        tag: u64,
        now: Instant,
        change: impl FnOnce(&mut TokenBucket) -> T,
    ) -> Option<T> {
        let at = usize::try_from(tag % self.sets.len() as u64).ok()?;
        let mut set = self
            .sets
            .get(at)?
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let known = set
            .iter()
            .position(|place| place.is_some_and(|bucket| bucket.tag == tag));
        let least = || {
            let taken = |place: &Option<TokenBucket>| {
                place.map_or(-1.0, |bucket| self.taken_now(&bucket, now))
            };
            let places = set.iter().map(taken).enumerate();
            places.min_by(|a, b| a.1.total_cmp(&b.1)).map(|(at, _)| at)
        };
        let at = known.or_else(least)?;
        let place = set.get_mut(at)?;
        let fresh = TokenBucket {
            tag,
            taken: 0.0,
            at: now,
        };
        let bucket = match place {
            Some(bucket) if bucket.tag == tag => bucket,
            _ => place.insert(fresh),
        };
        Some(change(bucket))
    }

    fn taken_now(&self, bucket: &TokenBucket, now: Instant) -> f64 {
        let filled =
            now.saturating_duration_since(bucket.at).as_secs_f64() / self.fills_in.as_secs_f64();
        (bucket.taken - filled * f64::from(self.size)).max(0.0)
    }
}

/// Rounded down; what no `u32` holds becomes its end.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, which is what is wanted"
)]
fn whole(number: f64) -> u32 {
    number as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_fills_evenly() {
        let buckets = TokenBuckets::new(3, Duration::from_secs(30), 10);
        let began = Instant::now();
        let at = |s| began + Duration::from_secs(s);
        assert_eq!(
            buckets.take_at("a", at(0)),
            Ok(RemainingQuota {
                limit: 3,
                remaining: 2,
                reset_seconds: 10
            })
        );
        assert_eq!(buckets.take_at("a", at(0)).unwrap().remaining, 1);
        assert_eq!(buckets.take_at("a", at(0)).unwrap().remaining, 0);
        assert_eq!(
            buckets.take_at("a", at(0)),
            Err(RemainingQuota {
                limit: 3,
                remaining: 0,
                reset_seconds: 10
            })
        );
        assert_eq!(
            buckets.take_at("a", at(7)),
            Err(RemainingQuota {
                limit: 3,
                remaining: 0,
                reset_seconds: 3
            })
        );
        assert!(
            buckets.take_at("b", at(7)).is_ok(),
            "another one's is another"
        );
        assert!(
            buckets.take_at("a", at(10)).is_ok(),
            "a refusal costs nothing"
        );
        assert!(buckets.take_at("a", at(10)).is_err());
        assert_eq!(buckets.take_at("a", at(100)).unwrap().remaining, 2);
    }

    #[test]
    fn many_askers_cost_bounded_memory_and_free_nobody_who_is_empty() {
        let buckets = TokenBuckets::new(2, Duration::from_secs(60), 4);
        let now = Instant::now();
        for _ in 0..3 {
            let _ = buckets.take_at(0, now);
        }
        for asker in 1..1_000 {
            assert!(buckets.take_at(asker, now).is_ok());
        }
        assert_eq!(buckets.sets.len(), 1);
        assert!(
            buckets.take_at(0, now).is_err(),
            "who asked most is remembered longest"
        );
        let many = TokenBuckets::<u32>::new(2, Duration::from_secs(60), 10_000);
        assert!(
            many.sets.len() * std::mem::size_of_val(&many.sets[0]) < 1 << 20,
            "as the bound's comment says"
        );
    }

    #[test]
    fn a_full_table_makes_nobody_wait_for_another_ones_lock() {
        let buckets = TokenBuckets::<u32>::new(2, Duration::from_secs(60), 64);
        for asker in 0..10_000 {
            let _ = buckets.take(asker);
        }
        // Somebody is in the middle of a request in one set; the others go on.
        let _held = buckets.sets[0].lock().unwrap();
        let elsewhere = |asker: &u32| {
            !buckets
                .keys
                .hash_one(asker)
                .is_multiple_of(buckets.sets.len() as u64)
        };
        for asker in (20_000..21_000).filter(elsewhere) {
            assert!(buckets.take(asker).is_ok());
        }
    }
}
