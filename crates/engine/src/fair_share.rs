//! Fair share of the awake budget: finds the clusters that use so much more than their share that
//! small ones would find no room.

use crate::limits::{BUDGET_SHARE_EXCESS_MIN, BUDGET_SHARE_PERCENT};
use std::collections::HashMap;
use std::time::{Duration, Instant};
use tidegate_model::ClusterId;

/// Returns the clusters far above their share, the largest first. The share is the budget divided
/// by the awake clusters and the one that wants to start. Ending a cluster that is far above its
/// share frees memory for one more engine without going below that share, so clusters of similar
/// size never end each other.
pub fn far_above_share(awake: &[(ClusterId, u64)], max_bytes: u64) -> Vec<(ClusterId, u64)> {
    let clusters = u64::try_from(awake.len())
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    let share = max_bytes / clusters;
    let bound =
        (share / 100 * BUDGET_SHARE_PERCENT).max(share.saturating_add(BUDGET_SHARE_EXCESS_MIN));
    let mut above: Vec<_> = awake
        .iter()
        .copied()
        .filter(|(_, bytes)| *bytes > bound)
        .collect();
    above.sort_unstable_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    above
}

/// Clusters that are far above their share while one start waits for room, and since when.
#[derive(Default)]
pub struct ShareContest {
    above: Vec<(ClusterId, u64)>,
    since: HashMap<ClusterId, Instant>,
}

impl ShareContest {
    /// Records the clusters that are far above their share now. The time of a cluster that is no
    /// longer above it starts again.
    pub fn record(&mut self, above: Vec<(ClusterId, u64)>, now: Instant) {
        // A cluster that is not in `above` loses its time: only time without a break is measured.
        let before = std::mem::take(&mut self.since);
        let since = |id: &ClusterId| before.get(id).copied().unwrap_or(now);
        self.since = above.iter().map(|(id, _)| (*id, since(id))).collect();
        self.above = above;
    }

    pub fn is_empty(&self) -> bool {
        self.above.is_empty()
    }

    pub fn contains(&self, id: ClusterId) -> bool {
        self.since.contains_key(&id)
    }

    /// Returns those that have been above it for this long, the largest first, and their memory.
    pub fn above_for(&self, patience: Duration, now: Instant) -> Vec<(ClusterId, u64)> {
        self.above
            .iter()
            .copied()
            .filter(|(id, _)| {
                let since = self.since.get(id);
                since.is_some_and(|since| now.saturating_duration_since(*since) >= patience)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn above(mb: &[u64], max_mb: u64) -> Vec<u64> {
        let awake: Vec<_> = mb.iter().map(|mb| (ClusterId(*mb), mb << 20)).collect();
        let above = far_above_share(&awake, max_mb << 20);
        above.into_iter().map(|(id, _)| id.0).collect()
    }

    #[test]
    fn one_that_locks_others_out_is_far_above_its_share_and_equal_ones_are_not() {
        assert_eq!(above(&[717], 750), [717]);
        assert_eq!(above(&[33, 717, 34], 790), [717]);
        assert_eq!(
            above(&[350, 33, 360], 760),
            [360, 350],
            "two together, the largest first"
        );
        for crowd in [&[370, 371][..], &[100; 10], &[1000; 10], &[33, 34]] {
            let budget = crowd.iter().sum::<u64>() + 10;
            let crowd_above = above(crowd, budget);
            if crowd.len() > 2 || crowd[0] < 100 {
                assert!(crowd_above.is_empty(), "{crowd:?}: {crowd_above:?}");
            }
        }
    }

    /// A cluster that leaves no room for a new engine beside small ones is selected, whatever the
    /// budget.
    #[test]
    fn nobody_locks_small_clusters_out_alone() {
        for small in 0..30_u64 {
            for budget in (45 * (small + 6)..4000).step_by(97) {
                let evil = budget - 40 * (small + 1) + 1;
                if small > 0 && evil <= 40 {
                    continue;
                }
                let mut crowd = vec![33; usize::try_from(small).unwrap()];
                crowd.push(evil);
                assert_eq!(
                    above(&crowd, budget),
                    [evil],
                    "{small} beside it, {budget} MB"
                );
            }
        }
    }

    #[test]
    fn time_above_the_share_counts_only_without_a_break() {
        let mut contest = ShareContest::default();
        let began = Instant::now();
        let second = Duration::from_secs(1);
        let patience = Duration::from_secs(5);
        let one = (ClusterId(1), 800);
        let two = (ClusterId(2), 700);
        contest.record(vec![one], began);
        contest.record(vec![one, two], began + 4 * second);
        assert!(
            contest.contains(two.0) && contest.above_for(patience, began + 4 * second).is_empty()
        );
        contest.record(vec![one, two], began + 5 * second);
        assert_eq!(contest.above_for(patience, began + 5 * second), [one]);
        contest.record(vec![two], began + 6 * second);
        contest.record(vec![one, two], began + 9 * second);
        assert_eq!(contest.above_for(patience, began + 9 * second), [two]);
        contest.record(vec![], began + 10 * second);
        assert!(contest.is_empty());
    }
}
