//! A session's hold on a running engine. It is all that the rooms `engine` and `gateway` know of each other.
//!
//! The gateway holds the [`Lease`]; the engine's supervisor keeps the [`LeaseHandle`]. Dropping the lease
//! detaches: the supervisor sees the closed channel, and an open yield request counts as answered yes.

use crate::id::{ClusterId, RunEpoch};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

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

/// Activity and the moment it began, in one word: written on every command, so it must cost nothing.
#[derive(Debug)]
struct ActivityCell {
    origin: Instant,
    /// Milliseconds since `origin`, shifted left by two; the activity in the low two bits.
    word: AtomicU64,
}

impl ActivityCell {
    fn new(activity: Activity) -> Self {
        Self { origin: Instant::now(), word: AtomicU64::new(activity as u64) }
    }

    fn set(&self, activity: Activity) {
        let ms = u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX >> 2);
        self.word.store(ms << 2 | activity as u64, Ordering::Release);
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
}

/// The engine asks: may this session be ended so that its cluster can sleep?
#[derive(Debug)]
pub struct YieldRequest {
    pub epoch: u64,
    /// The transaction this session holds open has been idle for longer than its cluster allows: it may be ended.
    pub past_idle_transaction: bool,
    answer: oneshot::Sender<bool>,
    verdict: oneshot::Receiver<Verdict>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Send 4031 and close.
    Evicted,
    /// Somebody else said no: carry on.
    Resume,
}

impl YieldRequest {
    /// Says yes. From here on no byte of the client may be forwarded until the verdict is in.
    pub async fn yes(self) -> Verdict {
        if self.answer.send(true).is_err() {
            return Verdict::Resume;
        }
        // A supervisor that went away without a verdict is stopping its engine.
        self.verdict.await.unwrap_or(Verdict::Evicted)
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
    /// The engine's Unix socket. Every connection to it starts with a PROXY v2 header.
    pub socket: PathBuf,
    activity: Arc<ActivityCell>,
    yields: mpsc::Receiver<YieldRequest>,
}

impl Lease {
    /// Called on every change; one atomic store.
    pub fn report(&self, activity: Activity) {
        self.activity.set(activity);
    }

    /// What the relay's driver writes to, so that the lease itself can wait for yield requests.
    pub fn reporter(&self) -> Reporter {
        Reporter(Arc::clone(&self.activity))
    }

    /// The next request to yield. `None` when the engine has let go of this lease: it is stopping or dead.
    pub async fn yield_request(&mut self) -> Option<YieldRequest> {
        self.yields.recv().await
    }
}

/// Writes a lease's activity.
#[derive(Debug)]
pub struct Reporter(Arc<ActivityCell>);

impl Reporter {
    pub fn report(&self, activity: Activity) {
        self.0.set(activity);
    }
}

/// The supervisor's end.
#[derive(Debug)]
pub struct LeaseHandle {
    activity: Arc<ActivityCell>,
    yields: mpsc::Sender<YieldRequest>,
}

impl LeaseHandle {
    /// A lease begins busy: somebody is logging in with it.
    pub fn pair(cluster: ClusterId, run: RunEpoch, socket: PathBuf) -> (Lease, LeaseHandle) {
        let activity = Arc::new(ActivityCell::new(Activity::Busy));
        let (tx, rx) = mpsc::channel(1);
        let lease = Lease { cluster, run, socket, activity: Arc::clone(&activity), yields: rx };
        (lease, LeaseHandle { activity, yields: tx })
    }

    /// What the session does, and since when.
    pub fn activity(&self) -> (Activity, Instant) {
        self.activity.get()
    }

    pub fn is_detached(&self) -> bool {
        self.yields.is_closed()
    }

    /// Ends when the lease has been dropped.
    pub async fn detached(&self) {
        self.yields.closed().await;
    }

    /// Asks the session to yield. `Ok(None)`: it is gone already, which counts as yes.
    /// `Ok(Some(verdict))`: it said yes and waits for the verdict. `Err`: it said no, or nothing in time.
    ///
    /// `patience` is the timer after which silence counts as no (the caller owns the clock).
    pub async fn ask(
        &self,
        epoch: u64,
        past_idle_transaction: bool,
        patience: impl Future<Output = ()>,
    ) -> Result<Option<oneshot::Sender<Verdict>>, Refused> {
        let (answer_tx, answer_rx) = oneshot::channel();
        let (verdict_tx, verdict_rx) = oneshot::channel();
        let request = YieldRequest { epoch, past_idle_transaction, answer: answer_tx, verdict: verdict_rx };
        if self.yields.try_send(request).is_err() {
            return if self.yields.is_closed() { Ok(None) } else { Err(Refused) };
        }
        let mut sleep = std::pin::pin!(patience);
        let mut answer_rx = std::pin::pin!(answer_rx);
        std::future::poll_fn(|cx| {
            use std::task::Poll;
            if let Poll::Ready(answer) = answer_rx.as_mut().poll(cx) {
                return Poll::Ready(match answer {
                    Ok(true) => Ok(true),
                    Ok(false) => Err(Refused),
                    Err(_) if self.yields.is_closed() => Ok(false),
                    Err(_) => Err(Refused),
                });
            }
            match sleep.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(Err(Refused)),
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
pub struct Refused;
