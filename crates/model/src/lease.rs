//! A session's hold on a running engine. It is all that the rooms `engine` and `gateway` know of
//! each other.
//!
//! The gateway holds the [`Lease`]; the engine's supervisor keeps the [`LeaseHandle`]. Dropping the
//! lease detaches: the supervisor hears of it, and an open yield request counts as answered yes.

use crate::engine_address::EngineAddress;
use crate::id::{ClusterId, RunEpoch};
use futures_util::task::AtomicWaker;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, oneshot};

/// What a session is doing, as far as it matters for sleep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub enum Activity {
    /// Nothing outstanding, no open transaction.
    Idle = 0,
    /// A command is outstanding, or the login is under way.
    Busy = 1,
    /// Nothing outstanding, but a transaction is open.
    InTransaction = 2,
}

/// What both ends share. One small allocation per session: a channel would bring a block of 32
/// places.
#[derive(Debug)]
struct LeaseState {
    origin: Instant,
    /// Activity and the moment it began, in one word: milliseconds since `origin`, shifted left by
    /// two; the activity in the low two bits. Written on every command, so it must cost nothing.
    word: AtomicU64,
    /// The one open request; whoever takes it out answers it.
    request: Mutex<Option<YieldRequest>>,
    asked: AtomicWaker,
    /// Whether `request` is worth its lock.
    has_request: AtomicBool,
    left: Notify,
    lease_gone: AtomicBool,
    handle_gone: AtomicBool,
    /// The session must end: its cluster yields its memory to others.
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
        let ms = u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX >> 2);
        self.word
            .store(ms << 2 | activity as u64, Ordering::Release);
    }

    fn get(&self) -> (Activity, Instant) {
        let word = self.word.load(Ordering::Acquire);
        let activity = match word & 3 {
            0 => Activity::Idle,
            2 => Activity::InTransaction,
            _ => Activity::Busy,
        };
        (activity, self.origin + Duration::from_millis(word >> 2))
    }

    fn request(&self) -> MutexGuard<'_, Option<YieldRequest>> {
        self.request.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The engine asks: may this session be ended so that its cluster can sleep?
#[derive(Debug)]
pub struct YieldRequest {
    pub epoch: u64,
    /// The transaction this session holds open has been idle for longer than its cluster allows: it
    /// may be ended.
    pub past_idle_transaction: bool,
    answer: oneshot::Sender<bool>,
    verdict: oneshot::Receiver<YieldVerdict>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum YieldVerdict {
    /// Send 4031 and close.
    Evicted,
    /// Somebody else said no: carry on.
    Resume,
}

impl YieldRequest {
    /// Says yes. From here on no byte of the client may be forwarded until the verdict is in.
    pub async fn yes(self) -> YieldVerdict {
        if self.answer.send(true).is_err() {
            return YieldVerdict::Resume;
        }
        // A supervisor that went away without a verdict is stopping its engine.
        self.verdict.await.unwrap_or(YieldVerdict::Evicted)
    }

    pub fn no(self) {
        let _ = self.answer.send(false);
    }
}

/// The gateway's end.
#[derive(Debug)]
pub struct Lease {
    pub cluster: ClusterId,
    pub run: RunEpoch,
    /// Address at which the engine accepts sessions.
    pub address: EngineAddress,
    shared: Arc<LeaseState>,
}

impl Lease {
    /// Whether the run it was given for still knows of it. False for good once that run has ended:
    /// what was begun with this lease since then may have reached the next run.
    pub fn is_current(&self) -> bool {
        !self.shared.handle_gone.load(Ordering::Acquire)
    }

    /// Whether the engine has let go of this lease because its cluster must yield its memory to
    /// others: the session must end now and tell its client so.
    pub fn yields_memory(&self) -> bool {
        self.shared.yields_memory.load(Ordering::Acquire)
    }

    /// Called on every change; one atomic store.
    pub fn report(&self, activity: Activity) {
        self.shared.set(activity);
    }

    /// What the relay's driver writes to, so that the lease itself can wait for yield requests.
    pub fn reporter(&self) -> Reporter {
        Reporter(Arc::clone(&self.shared))
    }

    /// The next request to yield. `None` when the engine has let go of this lease: it is stopping
    /// or dead.
    pub async fn yield_request(&mut self) -> Option<YieldRequest> {
        std::future::poll_fn(|cx| self.poll_yield_request(cx)).await
    }

    /// As [`Self::yield_request`], for a driver that polls: after every wake-up of a session, so it
    /// takes no lock.
    pub fn poll_yield_request(&mut self, cx: &mut Context<'_>) -> Poll<Option<YieldRequest>> {
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
        // A session that was busy was active until now.
        if self.shared.get().0 != Activity::Idle {
            self.shared.set(Activity::Busy);
        }
        self.shared.lease_gone.store(true, Ordering::Release);
        // An open request is dropped with its answer's sender: the supervisor hears of it at once.
        drop(self.shared.request().take());
        self.shared.left.notify_one();
    }
}

/// Writes a lease's activity.
#[derive(Debug)]
pub struct Reporter(Arc<LeaseState>);

impl Reporter {
    pub fn report(&self, activity: Activity) {
        self.0.set(activity);
    }
}

/// The supervisor's end.
#[derive(Debug)]
pub struct LeaseHandle {
    shared: Arc<LeaseState>,
}

impl Drop for LeaseHandle {
    fn drop(&mut self) {
        self.shared.handle_gone.store(true, Ordering::Release);
        self.shared.asked.wake();
    }
}

impl LeaseHandle {
    /// A lease begins busy: somebody is logging in with it.
    pub fn pair(cluster: ClusterId, run: RunEpoch, address: EngineAddress) -> (Lease, LeaseHandle) {
        let shared = Arc::new(LeaseState::new(Activity::Busy));
        (
            Lease {
                cluster,
                run,
                address,
                shared: Arc::clone(&shared),
            },
            LeaseHandle { shared },
        )
    }

    /// What the session does, and since when.
    pub fn activity(&self) -> (Activity, Instant) {
        self.shared.get()
    }

    /// Lets go of the lease and tells its session to end at once, because the cluster must yield
    /// its memory to others.
    pub fn end_for_memory(&self) {
        self.shared.yields_memory.store(true, Ordering::Release);
        self.shared.handle_gone.store(true, Ordering::Release);
        self.shared.asked.wake();
    }

    pub fn is_detached(&self) -> bool {
        self.shared.lease_gone.load(Ordering::Acquire)
    }

    /// Ends when the lease has been dropped.
    pub async fn detached(&self) {
        while !self.is_detached() {
            self.shared.left.notified().await;
        }
        // One permit only is kept: pass it on to whoever else waits.
        self.shared.left.notify_one();
    }

    /// Asks the session to yield. `Ok(None)`: it is gone already, which counts as yes.
    /// `Ok(Some(verdict))`: it said yes and waits for the verdict. `Err`: it said no, or nothing in
    /// time.
    ///
    /// `patience` is the timer after which silence counts as no (the caller owns the clock).
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
        // A request that was never taken out is replaced: whoever asked it has long given up.
        *self.shared.request() = Some(request);
        self.shared.has_request.store(true, Ordering::Release);
        self.shared.asked.wake();
        // After the request: a lease that went before it was there could not drop it.
        if self.is_detached() {
            return Ok(None);
        }
        let mut patience = std::pin::pin!(patience);
        let mut answer_rx = std::pin::pin!(answer_rx);
        std::future::poll_fn(|cx| {
            if let Poll::Ready(answer) = answer_rx.as_mut().poll(cx) {
                return Poll::Ready(match answer {
                    Ok(true) => Ok(true),
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

/// A session that will not yield now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the session is busy")]
pub struct YieldRefused;

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{pending, ready};
    use std::pin::pin;
    use std::task::Waker;

    fn pair() -> (Lease, LeaseHandle) {
        LeaseHandle::pair(
            ClusterId(1),
            RunEpoch(1),
            EngineAddress::Unix("/none".into()),
        )
    }

    fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_request_is_answered_and_its_verdict_arrives() {
        let (mut lease, handle) = pair();
        let mut ask = pin!(handle.ask(7, false, pending()));
        assert!(poll(ask.as_mut()).is_pending());
        let Poll::Ready(Some(request)) = poll(pin!(lease.yield_request())) else {
            panic!("no request")
        };
        assert_eq!(request.epoch, 7);
        let mut yes = pin!(request.yes());
        assert!(poll(yes.as_mut()).is_pending());
        let Poll::Ready(Ok(Some(verdict))) = poll(ask) else {
            panic!("no answer")
        };
        verdict.send(YieldVerdict::Resume).unwrap();
        assert_eq!(poll(yes), Poll::Ready(YieldVerdict::Resume));
    }

    #[test]
    fn no_silence_and_a_lease_that_is_gone_each_have_their_meaning() {
        let (mut lease, handle) = pair();
        let mut ask = pin!(handle.ask(1, false, pending()));
        assert!(poll(ask.as_mut()).is_pending());
        let Poll::Ready(Some(request)) = poll(pin!(lease.yield_request())) else {
            panic!("no request")
        };
        request.no();
        assert!(matches!(poll(ask), Poll::Ready(Err(YieldRefused))));
        assert!(
            matches!(
                poll(pin!(handle.ask(2, false, ready(())))),
                Poll::Ready(Err(YieldRefused))
            ),
            "silence is no"
        );
        let mut ask = pin!(handle.ask(3, false, pending()));
        assert!(poll(ask.as_mut()).is_pending());
        drop(lease);
        assert!(
            matches!(poll(ask), Poll::Ready(Ok(None))),
            "gone while asked is yes"
        );
        assert!(
            matches!(
                poll(pin!(handle.ask(4, false, pending()))),
                Poll::Ready(Ok(None))
            ),
            "gone before is yes"
        );
        assert!(poll(pin!(handle.detached())).is_ready());
        assert!(
            poll(pin!(handle.detached())).is_ready(),
            "as often as one asks"
        );
    }

    #[test]
    fn a_lease_learns_that_its_engine_is_gone() {
        let (mut lease, handle) = pair();
        assert!(poll(pin!(lease.yield_request())).is_pending());
        assert!(lease.is_current());
        drop(handle);
        assert!(!lease.is_current());
        assert!(matches!(
            poll(pin!(lease.yield_request())),
            Poll::Ready(None)
        ));
        assert!(!lease.yields_memory());
    }

    #[test]
    fn a_session_that_must_end_for_memory_learns_why_and_its_end_is_noticed() {
        let (mut lease, handle) = pair();
        assert!(poll(pin!(lease.yield_request())).is_pending());
        handle.end_for_memory();
        assert!(!lease.is_current() && lease.yields_memory());
        let request = poll(pin!(lease.yield_request()));
        assert!(matches!(request, Poll::Ready(None)));
        assert!(poll(pin!(handle.detached())).is_pending());
        drop(lease);
        assert!(poll(pin!(handle.detached())).is_ready());
    }
}
