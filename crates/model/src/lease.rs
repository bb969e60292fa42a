//! Lease of a running engine for one session: the only link between the rooms `engine` and
//! `gateway`.
//!
//! The gateway has the [`Lease`]; the engine's supervisor has the [`LeaseHandle`]. Dropping the
//! lease detaches the session: the supervisor is notified, and an open yield request is answered
//! with yes.

use crate::cluster_settings::LiveSwitch;
use crate::engine_address::{EngineAddress, EngineCertificate, EngineEndpoint};
use crate::id::{ClusterId, RunEpoch};
use crate::session_id::SessionId;
use crate::session_places::SessionPlace;
use futures_util::task::AtomicWaker;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, oneshot};

/// Activity of a session, as far as it matters for sleep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub enum Activity {
    /// No command is running and no transaction is open.
    Idle = 0,
    /// A command is running, or the login is in progress.
    Busy = 1,
    /// No command is running, but a transaction is open.
    InTransaction = 2,
}

/// State that both ends share, in one small allocation per session: a channel would allocate a
/// block of 32 places.
#[derive(Debug)]
struct LeaseState {
    origin: Instant,
    /// Activity in the low two bits, and above them its start in milliseconds since `origin`. It is
    /// written for every command, so it is one atomic.
    word: AtomicU64,
    /// The open request, at most one; who takes it out answers it.
    request: Mutex<Option<YieldRequest>>,
    asked: AtomicWaker,
    /// Set with `request`, so that a session without a request takes no lock.
    has_request: AtomicBool,
    left: Notify,
    lease_gone: AtomicBool,
    handle_gone: AtomicBool,
    /// The session must end, because its cluster must give memory to others.
    yields_memory: AtomicBool,
}

impl LeaseState {
    fn new(activity: Activity) -> Self {
        Self {
            origin: Instant::now(),
            word: AtomicU64::new(activity as u64),
            request: Mutex::new(None),
            asked: AtomicWaker::new(),
            has_request: AtomicBool::new(false),
            left: Notify::new(),
            lease_gone: AtomicBool::new(false),
            handle_gone: AtomicBool::new(false),
            yields_memory: AtomicBool::new(false),
        }
    }

    fn set(&self, activity: Activity) {
        // Two bits are the activity, so a time has 62.
        let ms = u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX >> 2);
        self.word
            .store(ms << 2 | activity as u64, Ordering::Release);
    }

    fn get(&self) -> (Activity, Instant) {
        let word = self.word.load(Ordering::Acquire);
        let activity = match word & 3 {
            0 => Activity::Idle,
            2 => Activity::InTransaction,
            // 3 is never written. Busy is the careful reading: it only delays a sleep.
            _ => Activity::Busy,
        };
        (activity, self.origin + Duration::from_millis(word >> 2))
    }

    fn request(&self) -> MutexGuard<'_, Option<YieldRequest>> {
        self.request.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Request to end this session so that its cluster can sleep.
#[derive(Debug)]
pub struct YieldRequest {
    pub epoch: u64,
    /// The session's open transaction has been idle for longer than its cluster allows, so the
    /// session may be ended.
    pub past_idle_transaction: bool,
    answer: oneshot::Sender<bool>,
    verdict: oneshot::Receiver<YieldVerdict>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum YieldVerdict {
    /// Send 4031 and close.
    Evicted,
    /// Another session refused: go on.
    Resume,
}

impl YieldRequest {
    /// Agrees. No byte of the client may be forwarded until the verdict arrives.
    pub async fn yes(self) -> YieldVerdict {
        if self.answer.send(true).is_err() {
            return YieldVerdict::Resume;
        }
        // A supervisor that is gone without a verdict is stopping its engine.
        self.verdict.await.unwrap_or(YieldVerdict::Evicted)
    }

    pub fn no(self) {
        let _ = self.answer.send(false);
    }
}

/// The gateway's end of a lease.
#[derive(Debug)]
pub struct Lease {
    pub cluster: ClusterId,
    pub run: RunEpoch,
    /// Address at which the engine accepts sessions.
    pub address: Arc<EngineAddress>,
    /// Certificate of this run, if the engine offers TLS.
    pub certificate: Option<Arc<EngineCertificate>>,
    /// On while the engine is read-only because of the cluster's disk limit.
    pub at_disk_limit: LiveSwitch,
    shared: Arc<LeaseState>,
    /// Place within the cluster's limit; an operator's lease has none.
    _place: Option<SessionPlace>,
}

impl Lease {
    /// Whether the run that it was given for is still running. Once false, it stays false: a
    /// connection made with this lease since then may have reached the next run.
    pub fn is_current(&self) -> bool {
        !self.shared.handle_gone.load(Ordering::Acquire)
    }

    /// Whether the session must end now, because its cluster must give memory to others. The client
    /// is told so.
    pub fn yields_memory(&self) -> bool {
        self.shared.yields_memory.load(Ordering::Acquire)
    }

    /// Notes the session's activity. Called on every change; one atomic store.
    pub fn report(&self, activity: Activity) {
        self.shared.set(activity);
    }

    /// Returns a writer of the activity for the relay's driver, because waiting for yield requests
    /// borrows the lease.
    pub fn reporter(&self) -> Reporter {
        Reporter(Arc::clone(&self.shared))
    }

    /// The next request to yield. `None` if the engine has dropped its handle: it is stopping, or
    /// it died.
    pub async fn yield_request(&mut self) -> Option<YieldRequest> {
        std::future::poll_fn(|cx| self.poll_yield_request(cx)).await
    }

    /// As [`Self::yield_request`], for a driver that polls after every wake-up of a session. Takes
    /// no lock if there is no request.
    pub fn poll_yield_request(&mut self, cx: &mut Context<'_>) -> Poll<Option<YieldRequest>> {
        // Registered before the flags are read: what is set in between wakes the task.
        self.shared.asked.register(cx.waker());
        if self.shared.has_request.swap(false, Ordering::AcqRel)
            && let Some(request) = self.shared.request().take()
        {
            return Poll::Ready(Some(request));
        }
        match self.shared.handle_gone.load(Ordering::Acquire) {
            true => Poll::Ready(None),
            false => Poll::Pending,
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // A session that is dropped while busy was active until now.
        if self.shared.get().0 != Activity::Idle {
            self.shared.set(Activity::Busy);
        }
        // Set before the request is dropped: `ask` takes a closed answer for a yes only if the
        // lease is gone.
        self.shared.lease_gone.store(true, Ordering::Release);
        // Drops the sender of the answer with an open request, so the supervisor notices at once.
        drop(self.shared.request().take());
        self.shared.left.notify_one();
    }
}

/// Writer of a lease's activity.
#[derive(Debug)]
pub struct Reporter(Arc<LeaseState>);

impl Reporter {
    pub fn report(&self, activity: Activity) {
        self.0.set(activity);
    }
}

/// The supervisor's end of a lease.
#[derive(Debug)]
pub struct LeaseHandle {
    /// The session that has the lease; `None` for an operator's.
    pub session: Option<SessionId>,
    shared: Arc<LeaseState>,
}

impl Drop for LeaseHandle {
    fn drop(&mut self) {
        self.shared.handle_gone.store(true, Ordering::Release);
        self.shared.asked.wake();
    }
}

impl LeaseHandle {
    /// Makes both ends. A lease starts busy, because a client is logging in with it. `place`: that
    /// of its session within the cluster's limit.
    pub fn pair(
        cluster: ClusterId,
        run: RunEpoch,
        engine: EngineEndpoint,
        place: Option<SessionPlace>,
    ) -> (Lease, LeaseHandle) {
        let shared = Arc::new(LeaseState::new(Activity::Busy));
        let session = place.as_ref().map(SessionPlace::session);
        (
            Lease {
                cluster,
                run,
                address: engine.address,
                certificate: engine.certificate,
                at_disk_limit: LiveSwitch::default(),
                shared: Arc::clone(&shared),
                _place: place,
            },
            LeaseHandle { session, shared },
        )
    }

    /// Activity of the session, and its start.
    pub fn activity(&self) -> (Activity, Instant) {
        self.shared.get()
    }

    /// Tells the session to end at once, because its cluster must give memory to others.
    pub fn end_for_memory(&self) {
        // Set before `handle_gone`: a session that finds its handle gone then asks why.
        self.shared.yields_memory.store(true, Ordering::Release);
        self.shared.handle_gone.store(true, Ordering::Release);
        self.shared.asked.wake();
    }

    pub fn is_detached(&self) -> bool {
        self.shared.lease_gone.load(Ordering::Acquire)
    }

    /// Waits until the lease has been dropped.
    pub async fn detached(&self) {
        while !self.is_detached() {
            self.shared.left.notified().await;
        }
        // `Notify` stores one permit only, so it is passed on to the next waiter.
        self.shared.left.notify_one();
    }

    /// Asks the session to yield. `Ok(None)`: it is gone already, which means yes.
    /// `Ok(Some(verdict))`: it agreed and waits for the verdict. `Err`: it refused, or did not
    /// answer in time.
    ///
    /// `patience` is the timer after which no answer means no. The caller makes it, so that tests
    /// control the clock.
    pub async fn ask(
        &self,
        epoch: u64,
        past_idle_transaction: bool,
        patience: impl Future<Output = ()>,
    ) -> Result<Option<oneshot::Sender<YieldVerdict>>, YieldRefused> {
        let (answer_tx, answer_rx) = oneshot::channel();
        let (verdict_tx, verdict_rx) = oneshot::channel();
        let request = YieldRequest {
            epoch,
            past_idle_transaction,
            answer: answer_tx,
            verdict: verdict_rx,
        };
        // Replaces a request that was never taken out: its caller has given up.
        *self.shared.request() = Some(request);
        self.shared.has_request.store(true, Ordering::Release);
        self.shared.asked.wake();
        // Checked after the request was set: a lease that was dropped before could not drop it.
        if self.is_detached() {
            return Ok(None);
        }
        let mut patience = std::pin::pin!(patience);
        let mut answer_rx = std::pin::pin!(answer_rx);
        std::future::poll_fn(|cx| {
            // Before the timer: an answer that arrives together with its end is valid.
            if let Poll::Ready(answer) = answer_rx.as_mut().poll(cx) {
                return Poll::Ready(match answer {
                    Ok(true) => Ok(true),
                    // Dropped without an answer: by the end of the lease, or by a newer request.
                    Err(_) if self.is_detached() => Ok(false),
                    Ok(false) | Err(_) => Err(YieldRefused),
                });
            }
            match patience.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(Err(YieldRefused)),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
        .map(|waits| waits.then_some(verdict_tx))
    }
}

/// Answer of a session that does not yield now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the session is busy")]
pub struct YieldRefused;

#[cfg(test)]
#[path = "lease_tests.rs"]
mod tests;
