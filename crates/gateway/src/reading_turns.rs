//! Rate limit for the readings of accounts that wrong passwords cause. Each prefix has a bounded
//! number of turns per second; logins that come between two turns wait for the next one and share
//! its reading. Logins to unknown prefixes wait in the same way.

use crate::limits::{READING_TURN, READING_TURN_SLOTS};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tidegate_model::PrefixTag;
use tokio::time::Instant;

/// Turns of all prefixes. The prefixes share a fixed number of slots, chosen by a random hash, so
/// the memory is bounded and nothing is ever evicted. Two prefixes in one slot delay each other by
/// one turn at most.
#[derive(Debug)]
pub(crate) struct ReadingTurns {
    keys: RandomState,
    began: Instant,
    /// Milliseconds from `began` to the last turn that was assigned, which may lie in the future.
    slots: Vec<AtomicU64>,
}

impl Default for ReadingTurns {
    fn default() -> Self {
        let slots = (0..READING_TURN_SLOTS).map(|_| AtomicU64::new(0)).collect();
        // As if it had begun one turn ago, so that the first login of a prefix does not wait.
        let began = Instant::now()
            .checked_sub(READING_TURN)
            .unwrap_or_else(Instant::now);
        Self {
            keys: RandomState::new(),
            began,
            slots,
        }
    }
}

impl ReadingTurns {
    /// Returns the moment at which a reading for this prefix may begin.
    pub fn next_turn(&self, tag: PrefixTag) -> Instant {
        let now = millis(self.began.elapsed());
        let at = self.keys.hash_one(tag) % self.slots.len().max(1) as u64;
        let Some(slot) = usize::try_from(at).ok().and_then(|at| self.slots.get(at)) else {
            return self.began;
        };
        let mut turn = now;
        // The closure never returns `None`, so this always succeeds.
        let _ = slot.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
            turn = turn_after(last, now);
            Some(turn)
        });
        self.began + Duration::from_millis(turn)
    }
}

/// Returns the turn for a login that comes `now`: the last one if that is still ahead, else a new
/// one at the required distance.
fn turn_after(last: u64, now: u64) -> u64 {
    if last >= now {
        last
    } else {
        now.max(last + millis(READING_TURN))
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_prefix_gets_one_reading_a_turn_and_those_between_share_the_next() {
        let turns = ReadingTurns::default();
        let tag = PrefixTag(7);
        let other = PrefixTag(8);
        let began = Instant::now();
        assert_eq!(
            turns.next_turn(tag),
            began,
            "the first one waits for nobody"
        );
        tokio::time::advance(Duration::from_millis(1)).await;
        let second = turns.next_turn(tag);
        assert_eq!(second, began + READING_TURN);
        assert_eq!(
            turns.next_turn(other),
            Instant::now(),
            "others are not touched"
        );
        tokio::time::advance(READING_TURN / 2).await;
        assert_eq!(
            turns.next_turn(tag),
            second,
            "it shares the turn that is given out already"
        );
        tokio::time::advance(READING_TURN).await;
        assert_eq!(
            turns.next_turn(tag),
            began + READING_TURN * 2,
            "readings keep their distance"
        );
        tokio::time::advance(READING_TURN * 9).await;
        assert_eq!(turns.next_turn(tag), Instant::now());
    }
}
