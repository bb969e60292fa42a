//! State of a cluster that other tasks see, and the gate where leases are given out. It decides
//! nothing: the supervisor opens and closes the gate.

use crate::driver::Run;
use crate::limits::{ALWAYS_ON, END_KNOWN_MAX, KILLS_AT_ONCE_MAX, NEXT_RUN_CHECK};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;
use tidegate_model::{
    Activity, AttachError, AttachRequest, ClusterId, ClusterLimits, ClusterState, EngineEndpoint,
    Lease, LeaseHandle, LiveSwitch, RefusalKind, RunEpoch, SessionId, SessionPlace, SessionPlaces,
};
use tokio::sync::{Notify, Semaphore, watch};

#[derive(Debug, Clone)]
pub struct Status {
    pub state: ClusterState,
    pub failure: Option<Arc<str>>,
    /// The failure is a refusal of this kind, and the cluster sleeps as before.
    pub refusal: Option<RefusalKind>,
    /// Until then waiters get the last failure, and no new start is tried.
    pub retry_at: Option<Instant>,
    /// Number of failures reported, so that a waiter recognizes one that came after it.
    pub told: u64,
    pub gone: bool,
    pub stopping: bool,
}

impl Status {
    /// Returns why nobody can attach, if the last start failed.
    fn why(&self) -> Option<AttachError> {
        let reason = self.failure.as_ref()?.to_string();
        Some(match self.refusal {
            Some(kind) => AttachError::Refused { kind, reason },
            None => AttachError::Failed(reason),
        })
    }
}

/// Gate where leases are given out. One lock covers all of it, so that closing it and taking the
/// leases is one step.
#[derive(Debug, Default)]
pub struct LeaseGate {
    open: Option<(RunEpoch, EngineEndpoint)>,
    leases: Vec<LeaseHandle>,
    /// On while the run is read-only because of the cluster's disk limit.
    at_disk_limit: LiveSwitch,
    /// Latest activity of dropped leases.
    newest: Option<Instant>,
    /// Number of leases at which detached ones are removed.
    prune_at: usize,
}

const PRUNE_FIRST: usize = 32;

impl LeaseGate {
    /// Opens the gate. `newest`: the latest activity until a session comes.
    pub fn open(
        &mut self,
        run: RunEpoch,
        engine: EngineEndpoint,
        newest: Instant,
        at_disk_limit: LiveSwitch,
    ) {
        self.at_disk_limit = at_disk_limit;
        self.open = Some((run, engine));
        self.newest = Some(newest);
        self.prune_at = PRUNE_FIRST;
    }

    pub fn reopen(&mut self, run: RunEpoch, engine: EngineEndpoint, leases: Vec<LeaseHandle>) {
        self.open = Some((run, engine));
        self.leases.extend(leases);
    }

    /// Closes the gate, and returns the leases that were given out.
    pub fn close(&mut self) -> Vec<LeaseHandle> {
        self.open = None;
        self.prune();
        std::mem::take(&mut self.leases)
    }

    /// Gives out a lease, with the session's place if it is for one.
    fn lease(&mut self, cluster: ClusterId, place: &mut Option<SessionPlace>) -> Option<Lease> {
        let (run, engine) = self.open.clone()?;
        if self.leases.len() >= self.prune_at {
            self.prune();
            // Doubled, so that pruning costs each lease a constant time.
            self.prune_at = (self.leases.len() * 2).max(PRUNE_FIRST);
        }
        let (mut lease, handle) = LeaseHandle::pair(cluster, run, engine, place.take());
        lease.at_disk_limit = self.at_disk_limit.clone();
        self.leases.push(handle);
        Some(lease)
    }

    fn prune(&mut self) {
        let mut newest = self.newest;
        self.leases.retain(|lease| {
            if !lease.is_detached() {
                return true;
            }
            // A lease dropped while busy counts as active until it was dropped.
            let (_, last) = lease.activity();
            newest = newest.max(Some(last));
            false
        });
        self.newest = newest;
    }

    /// Number of sessions and the latest activity, if no session is busy or in a transaction.
    pub fn idle(&mut self) -> Option<(usize, Instant)> {
        // However long a transaction has been idle: only its own limit ends it.
        let (held, newest) = self.idle_state(std::time::Duration::MAX);
        (!held).then_some((self.leases.len(), newest))
    }

    /// Returns whether a session keeps the cluster awake, and the latest activity. Both decide on
    /// sleep.
    pub fn idle_state(&mut self, transaction_idle_max: std::time::Duration) -> (bool, Instant) {
        self.prune();
        let now = Instant::now();
        let mut held = false;
        let mut newest = self.newest.unwrap_or(now);
        for lease in &self.leases {
            let (activity, since) = lease.activity();
            held |= match activity {
                Activity::Idle => false,
                Activity::Busy => true,
                Activity::InTransaction => {
                    now.saturating_duration_since(since) < transaction_idle_max
                }
            };
            newest = newest.max(since);
        }
        (held, newest)
    }
}

/// State shared by the supervisor and all tasks that ask for the cluster.
pub struct SharedCluster {
    pub id: ClusterId,
    pub status: watch::Sender<Status>,
    pub gate: Mutex<LeaseGate>,
    /// Places of its sessions, within the limit on its connections.
    places: SessionPlaces,
    /// The last run ended cleanly, or there was none: the next start is no recovery.
    clean: AtomicBool,
    /// Its limits never let it sleep by itself for lack of use.
    always_on: AtomicBool,
    /// The run that is alive, for requests that do not go through the supervisor.
    pub run: Mutex<Option<(RunEpoch, Weak<dyn Run>)>>,
    /// Notified when a waiter comes.
    pub wanted: Notify,
    waiting: AtomicUsize,
    /// KILLs on their way to this cluster's engine.
    pub kills: Arc<Semaphore>,
}

/// A waiter, counted until this is dropped.
struct WaiterPlace<'a>(&'a SharedCluster);

impl Drop for WaiterPlace<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

impl SharedCluster {
    pub fn new(id: ClusterId, clean: bool) -> Self {
        let status = Status {
            state: ClusterState::Asleep,
            failure: None,
            refusal: None,
            retry_at: None,
            told: 0,
            gone: false,
            stopping: false,
        };
        Self {
            id,
            status: watch::Sender::new(status),
            gate: Mutex::default(),
            places: SessionPlaces::default(),
            clean: AtomicBool::new(clean),
            always_on: AtomicBool::new(false),
            run: Mutex::new(None),
            wanted: Notify::new(),
            waiting: AtomicUsize::new(0),
            kills: Arc::new(Semaphore::new(KILLS_AT_ONCE_MAX)),
        }
    }

    pub fn gate(&self) -> MutexGuard<'_, LeaseGate> {
        // Every critical section leaves the gate consistent, so a poisoned lock is still good.
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn clean(&self) -> bool {
        self.clean.load(Ordering::Acquire)
    }

    pub fn set_clean(&self, clean: bool) {
        self.clean.store(clean, Ordering::Release);
    }

    pub fn always_on(&self) -> bool {
        self.always_on.load(Ordering::Acquire)
    }

    /// Applies the limits that are not the engine's. `sleeps`: its kind of engine can sleep at all.
    pub fn apply_limits(&self, limits: &ClusterLimits, sleeps: bool) {
        let always_on = !sleeps || limits.sleep_after >= ALWAYS_ON;
        self.always_on.store(always_on, Ordering::Release);
        self.places.set_max(limits.connections_max);
    }

    pub fn set_run(&self, run: Option<(RunEpoch, Weak<dyn Run>)>) {
        *self.run.lock().unwrap_or_else(PoisonError::into_inner) = run;
    }

    /// Returns the engine of this run, if it is still the current one.
    pub fn run(&self, epoch: RunEpoch) -> Option<Arc<dyn Run>> {
        let run = self.run.lock().unwrap_or_else(PoisonError::into_inner);
        run.as_ref()
            .filter(|(e, _)| *e == epoch)
            .and_then(|(_, run)| run.upgrade())
    }

    /// Whether the run has ended, or ends now: its connections close a moment before its end is
    /// known.
    pub async fn has_ended(&self, run: RunEpoch) -> bool {
        let until = Instant::now() + END_KNOWN_MAX;
        while self.run(run).is_some() {
            if Instant::now() >= until {
                return false;
            }
            tokio::time::sleep(NEXT_RUN_CHECK).await;
        }
        true
    }

    /// Returns the engine that is alive, of whichever run.
    pub fn any_run(&self) -> Option<Arc<dyn Run>> {
        let run = self.run.lock().unwrap_or_else(PoisonError::into_inner);
        run.as_ref().and_then(|(_, run)| run.upgrade())
    }

    /// Forgets a refusal, so that the next login causes a new start.
    pub fn forget_refusal(&self) {
        self.status.send_if_modified(|status| {
            let refused = status.refusal.take().is_some();
            if refused {
                (status.failure, status.retry_at) = (None, None);
            }
            refused
        });
    }

    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Acquire)
    }

    /// Waits for the engine, and returns a lease on it for a session.
    pub async fn attach(&self, request: &AttachRequest<'_>) -> Result<Lease, AttachError> {
        let AttachRequest {
            session: SessionId(session),
            user,
            client,
            ..
        } = request;
        // Before the wait: a session that waits for the engine has its place.
        let Some(place) = self.places.take(request.session) else {
            tracing::debug!(cluster = %self.id, session, user, %client, "no place is free");
            return Err(AttachError::Full);
        };
        if self.status.borrow().state != ClusterState::Awake {
            tracing::debug!(cluster = %self.id, session, user, %client, "waits for the engine");
        }
        let mut place = Some(place);
        self.until(|| self.gate().lease(self.id, &mut place)).await
    }

    /// As [`Self::attach`], for an operator's work, which the limit on connections does not hinder.
    pub async fn attach_operator(&self) -> Result<Lease, AttachError> {
        self.until(|| self.gate().lease(self.id, &mut None)).await
    }

    /// Waits until the engine runs.
    pub async fn awake(&self) -> Result<(), AttachError> {
        self.until(|| (self.status.borrow().state == ClusterState::Awake).then_some(()))
            .await
    }

    async fn until<T>(&self, mut get: impl FnMut() -> Option<T>) -> Result<T, AttachError> {
        let mut status = self.status.subscribe();
        // Counted before the state is read: a drain that ends meanwhile sees the waiter and starts
        // the engine again.
        self.waiting.fetch_add(1, Ordering::AcqRel);
        let _place = WaiterPlace(self);
        let told = {
            let now = status.borrow_and_update();
            // Repeated logins to a broken cluster must not cost a start each.
            let told_already = now.state == ClusterState::Failed || now.refusal.is_some();
            if let (true, Some(at), Some(why)) = (told_already, now.retry_at, now.why())
                && Instant::now() < at
            {
                return Err(why);
            }
            now.told
        };
        // `Notify` keeps the permit if the supervisor is busy, so the request is not lost.
        self.wanted.notify_one();
        loop {
            {
                let now = status.borrow_and_update();
                if now.gone {
                    return Err(AttachError::Gone);
                }
                if now.stopping {
                    return Err(AttachError::Stopping);
                }
                // A failure that was reported before this waiter came is not that of its start.
                if let (true, Some(why)) = (now.told > told, now.why()) {
                    return Err(why);
                }
            }
            // Tried after the status was marked as seen, so that a change in between wakes this
            // loop again.
            if let Some(got) = get() {
                return Ok(got);
            }
            if status.changed().await.is_err() {
                return Err(AttachError::Gone);
            }
        }
    }
}
