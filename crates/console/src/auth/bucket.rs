//! How much somebody may ask for: a bucket per asker that fills evenly. Bounded in memory; never a task of its own.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A bucket per key.
#[derive(Debug)]
pub struct Buckets<K> {
    /// Holds this many.
    size: u32,
    /// An empty one is full again after this long.
    fills_in: Duration,
    /// Askers remembered at once.
    askers_max: usize,
    buckets: Mutex<HashMap<K, Bucket>>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    taken: f64,
    at: Instant,
}

/// What is left after a request, or why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    pub limit: u32,
    pub remaining: u32,
    /// Until the bucket is full again; for one that was refused, until it holds one more.
    pub reset_seconds: u64,
}

impl<K: Eq + Hash + Clone> Buckets<K> {
    pub fn new(size: u32, fills_in: Duration, askers_max: usize) -> Self {
        Self { size, fills_in, askers_max, buckets: Mutex::default() }
    }

    /// Takes one, or says when there is one.
    pub fn take(&self, key: K) -> Result<Left, Left> {
        self.take_at(key, Instant::now())
    }

    fn take_at(&self, key: K, now: Instant) -> Result<Left, Left> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= self.askers_max && !buckets.contains_key(&key) {
            // A full bucket is as good as none; if none is full, the one that is nearest to it goes.
            buckets.retain(|_, bucket| self.taken_now(bucket, now) > 0.0);
            let least = |a: &f64, b: &f64| a.total_cmp(b);
            let nearest = buckets.iter().map(|(k, b)| (self.taken_now(b, now), k)).min_by(|a, b| least(&a.0, &b.0));
            let nearest = nearest.map(|(_, k)| k.clone()).filter(|_| buckets.len() >= self.askers_max);
            nearest.map(|k| buckets.remove(&k));
        }
        let bucket = buckets.entry(key).or_insert(Bucket { taken: 0.0, at: now });
        let (taken, size) = (self.taken_now(bucket, now), f64::from(self.size));
        let per_second = size / self.fills_in.as_secs_f64();
        let fits = taken + 1.0 <= size;
        *bucket = Bucket { taken: if fits { taken + 1.0 } else { taken }, at: now };
        let wait = if fits { bucket.taken / per_second } else { (taken + 1.0 - size) / per_second };
        let left = Left {
            limit: self.size,
            remaining: whole(size - bucket.taken),
            reset_seconds: u64::from(whole(wait.ceil())).max(1),
        };
        if fits { Ok(left) } else { Err(left) }
    }

    fn taken_now(&self, bucket: &Bucket, now: Instant) -> f64 {
        let filled = now.saturating_duration_since(bucket.at).as_secs_f64() / self.fills_in.as_secs_f64();
        (bucket.taken - filled * f64::from(self.size)).max(0.0)
    }
}

/// Rounded down; what no `u32` holds becomes its end.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates, which is what is wanted")]
fn whole(number: f64) -> u32 {
    number as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_fills_evenly() {
        let (buckets, began) = (Buckets::new(3, Duration::from_secs(30), 10), Instant::now());
        let at = |s| began + Duration::from_secs(s);
        assert_eq!(buckets.take_at("a", at(0)), Ok(Left { limit: 3, remaining: 2, reset_seconds: 10 }));
        assert_eq!(buckets.take_at("a", at(0)).unwrap().remaining, 1);
        assert_eq!(buckets.take_at("a", at(0)).unwrap().remaining, 0);
        assert_eq!(buckets.take_at("a", at(0)), Err(Left { limit: 3, remaining: 0, reset_seconds: 10 }));
        assert_eq!(buckets.take_at("a", at(7)), Err(Left { limit: 3, remaining: 0, reset_seconds: 3 }));
        assert!(buckets.take_at("b", at(7)).is_ok(), "another one's is another");
        assert!(buckets.take_at("a", at(10)).is_ok(), "a refusal costs nothing");
        assert!(buckets.take_at("a", at(10)).is_err());
        assert_eq!(buckets.take_at("a", at(100)).unwrap().remaining, 2);
    }

    #[test]
    fn many_askers_cost_bounded_memory_and_free_nobody_who_is_empty() {
        let (buckets, now) = (Buckets::new(2, Duration::from_secs(60), 4), Instant::now());
        for _ in 0..3 {
            let _ = buckets.take_at(0, now);
        }
        for asker in 1..100 {
            assert!(buckets.take_at(asker, now).is_ok());
        }
        assert!(buckets.buckets.lock().unwrap().len() <= 4);
        assert!(buckets.take_at(0, now).is_err(), "who asked most is remembered longest");
    }
}
