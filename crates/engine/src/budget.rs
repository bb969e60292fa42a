//! The awake budget: the memory that all awake engines together may use. Before a start that would
//! exceed it, clusters that nobody uses are put to sleep. A cluster that is busy or in a
//! transaction is ended only if it is far above its share of the budget; a cluster that is always
//! on is never ended.

use crate::error::StartError;
use crate::fair_share::{ShareContest, far_above_share};
use crate::limits::{
    BUDGET_ABOVE_SHARE_MAX, BUDGET_ASK_AGAIN, BUDGET_IDLE_MIN, BUDGET_MEASURED_FOR,
    BUDGET_SLEEP_MAX, BUDGET_SLEEP_USUAL, BUDGET_WAIT_MAX, BUDGET_WAKE_BYTES, MEMORY_FRESH_FOR,
};
use crate::messages::SupervisorCommand;
use crate::status::SharedCluster;
use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tidegate_model::{ClusterId, ClusterState, RefusalKind, Size};
use tokio::sync::{mpsc, oneshot};

/// A cluster that may be put to sleep.
#[derive(Clone)]
struct BudgetMember {
    shared: Arc<SharedCluster>,
    /// Weak, so that the budget keeps no supervisor that nobody needs.
    commands: mpsc::WeakSender<SupervisorCommand>,
}

/// A measurement of all engines.
struct Measured {
    at: Instant,
    awake: Vec<(ClusterId, u64)>,
}

#[derive(Default)]
struct BudgetState {
    members: HashMap<ClusterId, BudgetMember>,
    /// Starts that were admitted and are not over.
    starting: u64,
    /// Starts that ended after the last measurement and are not included in it.
    started_since: u64,
    /// Clusters that did not fall asleep when asked, and when.
    stayed: HashMap<ClusterId, Instant>,
}

/// Memory of all awake engines together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AwakeMemory {
    pub used_bytes: u64,
    pub max_bytes: u64,
}

pub struct AwakeBudget {
    max_bytes: u64,
    state: Arc<Mutex<BudgetState>>,
    /// The last measurement. Locked while a start is decided on, so that two starts never use the
    /// same free memory.
    last_measured: tokio::sync::Mutex<Option<Measured>>,
}

/// A start's place in the budget, until its engine is measured like the others. Dropping it frees
/// the place.
pub struct BudgetPlace(Arc<Mutex<BudgetState>>);

impl Drop for BudgetPlace {
    fn drop(&mut self) {
        let mut state = lock(&self.0);
        state.starting -= 1;
        state.started_since += 1;
    }
}

fn lock(state: &Mutex<BudgetState>) -> MutexGuard<'_, BudgetState> {
    // Every critical section leaves the counts consistent.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl AwakeBudget {
    pub fn new(max_bytes: u64) -> Self {
        Self {
            max_bytes,
            state: Arc::default(),
            last_measured: tokio::sync::Mutex::new(None),
        }
    }

    pub fn join(&self, shared: Arc<SharedCluster>, commands: mpsc::WeakSender<SupervisorCommand>) {
        lock(&self.state)
            .members
            .insert(shared.id, BudgetMember { shared, commands });
    }

    pub fn leave(&self, cluster: ClusterId) {
        let mut state = lock(&self.state);
        state.members.remove(&cluster);
        state.stayed.remove(&cluster);
    }

    /// Admits the start of a cluster's engine, after freeing memory for it if need be. The refusal
    /// says why there is too little.
    pub async fn admit(&self, cluster: ClusterId) -> Result<BudgetPlace, StartError> {
        let began = Instant::now();
        let mut contest = ShareContest::default();
        loop {
            let used = match self.make_room(cluster, &mut contest).await {
                Ok(place) => return Ok(place),
                Err(used) => used,
            };
            // Waiting helps only while a cluster is above its share: it will be ended. Otherwise
            // the refusal is immediate.
            if contest.is_empty() || began.elapsed() >= BUDGET_WAIT_MAX {
                return Err(self.refusal(used));
            }
            tokio::time::sleep(BUDGET_ASK_AGAIN).await;
        }
    }

    /// Frees memory as far as possible now and admits the start. `Err`: memory that all engines and
    /// this one would use.
    async fn make_room(
        &self,
        cluster: ClusterId,
        contest: &mut ShareContest,
    ) -> Result<BudgetPlace, u64> {
        let mut last_measured = self.last_measured.lock().await;
        let fresh = |recent: &&Measured| recent.at.elapsed() < MEMORY_FRESH_FOR;
        // The last measurement may admit a start, but a refusal needs a new one.
        if let Some(recent) = last_measured.as_ref().filter(fresh)
            && self.with_one_more(recent) <= self.max_bytes
        {
            return Ok(self.place());
        }
        let measured = self.measure().await;
        let used = self.with_one_more(&measured);
        if used <= self.max_bytes {
            *last_measured = Some(measured);
            return Ok(self.place());
        }
        // Clusters are put to sleep below, so this measurement is not valid for the next start.
        *last_measured = None;
        let mut above = far_above_share(&measured.awake, self.max_bytes);
        // The operator has decided that clusters which are always on stay awake.
        above.retain(|(id, _)| self.member(*id).is_some_and(|m| !m.shared.always_on()));
        contest.record(above, measured.at);
        let need = used - self.max_bytes;
        let candidates = self.candidates(cluster, contest);
        let mut freed = self.free_memory(candidates, &measured.awake, need).await;
        // Last, since it costs sessions: only if idle clusters do not free enough.
        for (id, bytes) in contest.above_for(BUDGET_ABOVE_SHARE_MAX, measured.at) {
            if freed >= need {
                break;
            }
            if self.yield_memory(id, bytes).await {
                freed = freed.saturating_add(bytes);
            }
        }
        if freed >= need {
            return Ok(self.place());
        }
        Err(used.saturating_sub(freed))
    }

    fn refusal(&self, used: u64) -> StartError {
        let reason = format!(
            "awake engines use {} and this one would use about {}, which is over the budget of {}; \
             all others are busy",
            Size(used.saturating_sub(BUDGET_WAKE_BYTES)).rounded(),
            Size(BUDGET_WAKE_BYTES).rounded(),
            Size(self.max_bytes).rounded()
        );
        StartError::refused(RefusalKind::AwakeBudget, reason)
    }

    fn member(&self, id: ClusterId) -> Option<BudgetMember> {
        lock(&self.state).members.get(&id).cloned()
    }

    /// Returns the memory that all engines use when one more runs.
    fn with_one_more(&self, measured: &Measured) -> u64 {
        let unmeasured = {
            let state = lock(&self.state);
            state.starting + state.started_since + 1
        };
        let awake: u64 = measured.awake.iter().map(|(_, bytes)| bytes).sum();
        awake.saturating_add(BUDGET_WAKE_BYTES.saturating_mul(unmeasured))
    }

    fn place(&self) -> BudgetPlace {
        lock(&self.state).starting += 1;
        BudgetPlace(Arc::clone(&self.state))
    }

    /// Memory of each awake engine. For an engine that can't be measured, that of a fresh start is
    /// assumed.
    async fn measure(&self) -> Measured {
        // Reset before measuring: a start that ends meanwhile may be counted twice for a second,
        // but never missed.
        lock(&self.state).started_since = 0;
        self.measure_awake().await
    }

    /// Returns the memory of all awake engines, and what they may use together.
    pub async fn memory(&self) -> AwakeMemory {
        let measured = self.measure_awake().await;
        AwakeMemory {
            used_bytes: measured.awake.iter().map(|(_, bytes)| bytes).sum(),
            max_bytes: self.max_bytes,
        }
    }

    async fn measure_awake(&self) -> Measured {
        let awake: Vec<BudgetMember> = {
            let state = lock(&self.state);
            let awake = state
                .members
                .values()
                .filter(|m| m.shared.status.borrow().state != ClusterState::Asleep);
            awake.cloned().collect()
        };
        let one = async |member: &BudgetMember| {
            let run = member.shared.any_run()?;
            Some((
                member.shared.id,
                run.usage().await.memory_bytes.unwrap_or(BUDGET_WAKE_BYTES),
            ))
        };
        let measured =
            tokio::time::timeout(BUDGET_MEASURED_FOR, join_all(awake.iter().map(one))).await;
        Measured {
            at: Instant::now(),
            awake: measured.unwrap_or_default().into_iter().flatten().collect(),
        }
    }

    /// Puts clusters to sleep until this much is free, those without a session first. Returns the
    /// memory that was freed. If a cluster is slow to fall asleep, further ones are asked as well,
    /// so that it does not delay the start for long.
    async fn free_memory(
        &self,
        candidates: Vec<BudgetMember>,
        awake: &[(ClusterId, u64)],
        need: u64,
    ) -> u64 {
        let memory: HashMap<ClusterId, u64> = awake.iter().copied().collect();
        let mut candidates = candidates.into_iter();
        let mut asked = FuturesUnordered::new();
        // `hoped`: free memory once all clusters that are not late are asleep.
        let mut freed = 0u64;
        let mut hoped = 0u64;
        while freed < need {
            while hoped < need
                && let Some(member) = candidates.next()
            {
                let bytes = memory.get(&member.shared.id).copied().unwrap_or(0);
                hoped = hoped.saturating_add(bytes);
                asked.push(self.put_to_sleep(member, bytes));
            }
            match tokio::time::timeout(BUDGET_SLEEP_USUAL, asked.next()).await {
                Ok(Some(SleepOutcome::Yes(bytes))) => freed = freed.saturating_add(bytes),
                Ok(Some(SleepOutcome::No(bytes))) => hoped = hoped.saturating_sub(bytes).max(freed),
                Ok(None) => break,
                // Late clusters are no longer counted on, so further ones are asked.
                Err(_) => hoped = freed,
            }
        }
        freed
    }

    /// Clusters that nobody uses at the moment: those without a session first, then the one idle
    /// longest. While a cluster is far above its share, the others keep their sessions.
    fn candidates(&self, but: ClusterId, contest: &ShareContest) -> Vec<BudgetMember> {
        let mut state = lock(&self.state);
        state
            .stayed
            .retain(|_, at| at.elapsed() < BUDGET_SLEEP_MAX * 4);
        let mut idle: Vec<_> = state
            .members
            .values()
            .filter(|member| {
                member.shared.id != but && !state.stayed.contains_key(&member.shared.id)
            })
            .filter_map(|member| {
                let shared = &member.shared;
                let may = shared.status.borrow().state == ClusterState::Awake
                    && shared.waiting() == 0
                    && !shared.always_on();
                let (sessions, since) = may.then(|| shared.gate().idle()).flatten()?;
                let spared = sessions > 0 && !contest.is_empty() && !contest.contains(shared.id);
                // A recently used cluster would probably be woken again immediately.
                (since.elapsed() >= BUDGET_IDLE_MIN && !spared)
                    .then(|| ((sessions > 0, since), member.clone()))
            })
            .collect();
        // Those without a session first: their sleep costs the next login a wake, and nobody a
        // session.
        idle.sort_by_key(|(order, _)| *order);
        idle.into_iter().map(|(_, member)| member).collect()
    }

    /// Asks one cluster to sleep; its sessions can still refuse.
    async fn put_to_sleep(&self, member: BudgetMember, bytes: u64) -> SleepOutcome {
        let (reply, answer) = oneshot::channel();
        let id = member.shared.id;
        // Recorded before the request, so that it is also known if the start no longer waits for
        // the answer.
        lock(&self.state).stayed.insert(id, Instant::now());
        let asked = async {
            let commands = member.commands.upgrade()?;
            commands.send(SupervisorCommand::Sleep(reply)).await.ok()?;
            answer.await.ok()?.ok()
        };
        // A tenant can delay its own sleep. Such a cluster stays in `stayed` and is not asked again
        // for a while.
        if let Ok(Some(())) = tokio::time::timeout(BUDGET_SLEEP_MAX, asked).await {
            tracing::info!(cluster = %id, bytes, "put to sleep to make room in the awake budget");
            lock(&self.state).stayed.remove(&id);
            return SleepOutcome::Yes(bytes);
        }
        SleepOutcome::No(bytes)
    }

    /// Ends the sessions of a cluster that is far above its share, and puts it to sleep. Returns
    /// whether it sleeps.
    async fn yield_memory(&self, id: ClusterId, bytes: u64) -> bool {
        let Some(member) = self.member(id) else {
            return false;
        };
        let (reply, answer) = oneshot::channel();
        tracing::warn!(
            cluster = %id, bytes,
            "it is far above its share of the awake budget and others wait for room: its sessions \
             are ended"
        );
        let asked = async {
            let commands = member.commands.upgrade()?;
            commands.send(SupervisorCommand::Yield(reply)).await.ok()?;
            answer.await.ok()?.ok()
        };
        let slept = tokio::time::timeout(BUDGET_SLEEP_MAX, asked).await;
        matches!(slept, Ok(Some(())))
    }
}

/// Memory of a cluster that was asked to sleep.
enum SleepOutcome {
    Yes(u64),
    No(u64),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn starts_that_are_under_way_take_their_place() {
        let budget = AwakeBudget::new(2 * BUDGET_WAKE_BYTES);
        let first = budget.admit(ClusterId(1)).await.unwrap();
        let _second = budget.admit(ClusterId(2)).await.unwrap();
        let refused = budget.admit(ClusterId(3)).await.err().unwrap();
        assert_eq!(refused.refusal, Some(RefusalKind::AwakeBudget));
        drop(first);
        assert!(budget.admit(ClusterId(3)).await.is_ok());
    }
}
