//! Rate limits: a token bucket per source or key. Memory is bounded, and no task runs in the
//! background.

use std::hash::{BuildHasher, Hash, RandomState};
use std::marker::PhantomData;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Buckets of one set. If a set is full, the bucket with the fewest requests is replaced.
const WAYS: usize = 8;

/// Token buckets by key, in sets of a fixed size with a lock each. A request locks and reads one
/// set only, however many keys there are.
#[derive(Debug)]
pub struct TokenBuckets<K> {
    /// Requests that a full bucket allows at once.
    size: u32,
    /// Time in which an empty bucket becomes full.
    fills_in: Duration,
    /// Random per start, so that nobody outside can choose keys that fall into one set.
    keys: RandomState,
    sets: Vec<Mutex<[Option<TokenBucket>; WAYS]>>,
    key_type: PhantomData<fn(K)>,
}

#[derive(Debug, Clone, Copy)]
struct TokenBucket {
    /// Hash of the key.
    tag: u64,
    taken: f64,
    at: Instant,
}

/// Remaining requests of a key, after one was counted or refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemainingQuota {
    pub limit: u32,
    pub remaining: u32,
    /// Seconds until the bucket is full again, or, after a refusal, until the next request is
    /// allowed.
    pub reset_seconds: u64,
}

impl<K: Hash> TokenBuckets<K> {
    /// `keys_max` is the number of keys that are remembered at once. It is rounded up to a multiple
    /// of eight.
    pub fn new(size: u32, fills_in: Duration, keys_max: usize) -> Self {
        let sets = (0..keys_max.div_ceil(WAYS).max(1))
            .map(|_| Mutex::default())
            .collect();
        Self {
            size,
            fills_in,
            keys: RandomState::new(),
            sets,
            key_type: PhantomData,
        }
    }

    /// Counts one request. An error means that it must be refused.
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
                // A refused request is not counted, so that a client that retries gets through
                // again.
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

    /// Changes the bucket of this key. A new key takes a free place or else replaces the bucket
    /// with the fewest requests, so a flood of new keys does not free a key that has used up its
    /// own.
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
        let taken = set
            .iter()
            .map(|place| place.map_or(-1.0, |bucket| self.taken_now(&bucket, now)));
        let least = taken.enumerate().min_by(|a, b| a.1.total_cmp(&b.1));
        let at = known.or(least.map(|(at, _)| at))?;
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

/// Rounds down. A number out of range becomes 0 or `u32::MAX`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, as intended"
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
        let [after_7, after_10, after_100] =
            [7, 10, 100].map(|seconds| began + Duration::from_secs(seconds));
        assert_eq!(
            buckets.take_at("a", began),
            Ok(RemainingQuota {
                limit: 3,
                remaining: 2,
                reset_seconds: 10
            })
        );
        assert_eq!(buckets.take_at("a", began).unwrap().remaining, 1);
        assert_eq!(buckets.take_at("a", began).unwrap().remaining, 0);
        assert_eq!(
            buckets.take_at("a", began),
            Err(RemainingQuota {
                limit: 3,
                remaining: 0,
                reset_seconds: 10
            })
        );
        assert_eq!(
            buckets.take_at("a", after_7),
            Err(RemainingQuota {
                limit: 3,
                remaining: 0,
                reset_seconds: 3
            })
        );
        assert!(
            buckets.take_at("b", after_7).is_ok(),
            "each key has its own bucket"
        );
        assert!(
            buckets.take_at("a", after_10).is_ok(),
            "a refusal does not count as a request"
        );
        assert!(buckets.take_at("a", after_10).is_err());
        assert_eq!(buckets.take_at("a", after_100).unwrap().remaining, 2);
    }

    #[test]
    fn many_keys_use_bounded_memory_and_do_not_free_a_key_without_requests_left() {
        let buckets = TokenBuckets::new(2, Duration::from_secs(60), 4);
        let now = Instant::now();
        for _ in 0..3 {
            let _ = buckets.take_at(0, now);
        }
        for key in 1..1_000 {
            assert!(buckets.take_at(key, now).is_ok());
        }
        assert_eq!(buckets.sets.len(), 1);
        assert!(
            buckets.take_at(0, now).is_err(),
            "the key with the most requests is remembered longest"
        );
        let many = TokenBuckets::<u32>::new(2, Duration::from_secs(60), 10_000);
        assert!(
            many.sets.len() * std::mem::size_of_val(&many.sets[0]) < 1 << 20,
            "as the comment of SOURCES_MAX says"
        );
    }

    #[test]
    fn a_full_table_makes_no_request_wait_for_the_lock_of_another_set() {
        let buckets = TokenBuckets::<u32>::new(2, Duration::from_secs(60), 64);
        for key in 0..10_000 {
            let _ = buckets.take(key);
        }
        // While a request holds the lock of one set, requests in other sets continue.
        let _lock = buckets.sets[0].lock().unwrap();
        let in_another_set = |key: &u32| {
            !buckets
                .keys
                .hash_one(key)
                .is_multiple_of(buckets.sets.len() as u64)
        };
        for key in (20_000..21_000).filter(in_another_set) {
            assert!(buckets.take(key).is_ok());
        }
    }
}
