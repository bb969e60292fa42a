//! Limit on the processor time of unauthenticated connections: accepting them, TLS handshakes and
//! other TLS work. While sessions run, all such work together gets half a core, shared fairly
//! between the clients' networks.

use crate::lock::locked;
use rustix::time::{ClockId, clock_gettime};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tidegate_model::admission::{FairQueue, NetworkPath};
use tokio::sync::oneshot;

/// Nanoseconds of real time per nanosecond of processor time while sessions run: half a core.
const REAL_PER_WORK: i64 = 2;
/// Processor time that may be used at once after a pause: about fifty handshakes. A pool that
/// starts does not wait, and a session waits no longer than this.
const BURST: Duration = Duration::from_millis(10);
/// Age from which a session is protected. Clients that connect, query and disconnect don't slow
/// each other's handshakes.
const SETTLED_AFTER: Duration = Duration::from_secs(1);
/// Initial estimate of a turn's processor time, and the smallest estimate (measured: 20 to 300 µs).
const TYPICAL_TURN: Duration = Duration::from_micros(100);
const SHORTEST_TURN: Duration = Duration::from_micros(5);
/// Time between two distributions of turns while connections wait: the resolution of timers.
const PACE: Duration = Duration::from_millis(1);

/// Budget of processor time for handshakes. Cheap to clone; all clones share one budget.
#[derive(Debug, Clone, Default)]
pub struct Handshakes {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<HandshakeState>,
}

#[derive(Debug)]
struct HandshakeState {
    /// Nanoseconds of processor time that may be used now.
    balance: i64,
    /// Number of turns that were delayed.
    waits: u64,
    filled_at: Instant,
    /// Average processor time of a turn, in nanoseconds.
    typical: i64,
    queue: FairQueue<oneshot::Sender<Turn>>,
    /// Whether a task that distributes turns is running.
    distributing: bool,
    /// Running sessions with their start, oldest first.
    sessions: BTreeMap<u64, Instant>,
    next_session: u64,
}

impl Default for HandshakeState {
    fn default() -> Self {
        Self {
            balance: nanos(BURST),
            waits: 0,
            filled_at: Instant::now(),
            typical: nanos(TYPICAL_TURN),
            queue: FairQueue::default(),
            distributing: false,
            sessions: BTreeMap::new(),
            next_session: 0,
        }
    }
}

fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

impl HandshakeState {
    fn fill(&mut self, now: Instant) {
        let passed = nanos(now.saturating_duration_since(self.filled_at));
        self.filled_at = now;
        // Debt is bounded like credit, so that one expensive turn can't delay all others for long.
        self.balance = (self.balance + passed / REAL_PER_WORK).clamp(-nanos(BURST), nanos(BURST));
    }

    /// Takes a turn's average time from the balance. None if the balance is used up and a session
    /// must be protected.
    fn grant(&mut self, now: Instant) -> Option<i64> {
        self.fill(now);
        let oldest = self.sessions.first_key_value().map(|(_, since)| *since);
        let protects =
            oldest.is_some_and(|since| now.saturating_duration_since(since) >= SETTLED_AFTER);
        // Without an older session there is nobody to protect: handshakes may use the whole
        // processor.
        if protects && self.balance <= 0 {
            return None;
        }
        // An estimate: the real time is known only after the work, and `settle` corrects it.
        self.balance -= self.typical;
        Some(self.typical)
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, HandshakeState> {
        locked(&self.state)
    }
}

impl Handshakes {
    /// Counts a running session until the guard is dropped.
    pub fn session(&self) -> RunningSession {
        let mut state = self.inner.lock();
        let id = state.next_session;
        state.next_session += 1;
        state.sessions.insert(id, Instant::now());
        RunningSession {
            handshakes: self.clone(),
            id,
        }
    }

    /// Returns how often work of unauthenticated connections had to wait for a turn.
    pub fn waits(&self) -> u64 {
        self.inner.lock().waits
    }

    /// Asks for a turn, or joins the queue. Must be called on a runtime's thread.
    fn ask(&self, path: &NetworkPath, known: bool) -> Result<Turn, oneshot::Receiver<Turn>> {
        let mut state = self.inner.lock();
        // A new connection must not overtake those that already wait.
        if state.queue.is_empty()
            && let Some(taken) = state.grant(Instant::now())
        {
            return Ok(Turn {
                handshakes: self.clone(),
                taken,
            });
        }
        let (sender, receiver) = oneshot::channel();
        state.waits += 1;
        state.queue.push(path, known, sender);
        // One task distributes the turns of all connections.
        if !std::mem::replace(&mut state.distributing, true) {
            tokio::spawn(self.clone().distribute());
        }
        Err(receiver)
    }

    /// Distributes turns until no connection waits.
    async fn distribute(self) {
        loop {
            while let Some((sender, taken)) = self.next() {
                // If the connection has ended meanwhile, the turn comes back in the error and its
                // drop returns the time.
                drop(sender.send(Turn {
                    handshakes: self.clone(),
                    taken,
                }));
            }
            if self.ends_distribution() {
                return;
            }
            tokio::time::sleep(PACE).await;
        }
    }

    fn ends_distribution(&self) -> bool {
        let mut state = self.inner.lock();
        // Decided under the lock: no connection can join the queue between the test and the task's
        // end.
        let ends = state.queue.is_empty();
        state.distributing = !ends;
        ends
    }

    fn next(&self) -> Option<(oneshot::Sender<Turn>, i64)> {
        let mut state = self.inner.lock();
        if state.queue.is_empty() {
            return None;
        }
        let taken = state.grant(Instant::now())?;
        loop {
            match state.queue.pop() {
                // A connection that has ended needs no turn.
                Some(sender) if sender.is_closed() => {}
                Some(sender) => return Some((sender, taken)),
                None => {
                    state.balance += taken;
                    return None;
                }
            }
        }
    }

    fn settle(&self, taken: i64, used: Option<Duration>) {
        let mut state = self.inner.lock();
        state.balance += taken;
        if let Some(used) = used.map(nanos) {
            state.balance -= used;
            // A moving average: one slow turn changes the estimate by a sixteenth only.
            state.typical = ((state.typical * 15 + used) / 16).max(nanos(SHORTEST_TURN));
        }
    }
}

/// Guard of a running session that handshakes must not slow down.
#[derive(Debug)]
pub struct RunningSession {
    handshakes: Handshakes,
    id: u64,
}

impl Drop for RunningSession {
    fn drop(&mut self) {
        self.handshakes.inner.lock().sessions.remove(&self.id);
    }
}

/// Permission for one piece of work. Dropped unused, its time returns to the budget.
#[derive(Debug)]
pub struct Turn {
    handshakes: Handshakes,
    taken: i64,
}

impl Turn {
    /// Runs the work and charges the processor time that it used on this thread.
    pub fn run<T>(self, work: impl FnOnce() -> T) -> T {
        self.run_and_charge(|| (work(), Duration::ZERO))
    }

    /// As [`Self::run`], and charges the time that the work returns: what it causes elsewhere.
    pub fn run_and_charge<T>(mut self, work: impl FnOnce() -> (T, Duration)) -> T {
        let before = thread_time();
        let (done, elsewhere) = work();
        let used = thread_time().saturating_sub(before) + elsewhere;
        self.handshakes
            // Taken, so that the drop of this turn does not return the estimate a second time.
            .settle(std::mem::take(&mut self.taken), Some(used));
        done
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if self.taken > 0 {
            self.handshakes.settle(self.taken, None);
        }
    }
}

fn thread_time() -> Duration {
    // Not real time: on a busy machine the thread is interrupted in the middle of a handshake.
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// The turns of one connection.
#[derive(Debug)]
pub struct Turns {
    handshakes: Handshakes,
    path: NetworkPath,
    known: bool,
    waiting: Option<oneshot::Receiver<Turn>>,
}

impl Turns {
    /// Makes the turns of a connection. `known`: a client at this address proved a password
    /// recently.
    pub fn new(handshakes: Handshakes, path: NetworkPath, known: bool) -> Self {
        Self {
            handshakes,
            path,
            known,
            waiting: None,
        }
    }

    /// Polls for a turn. Ready without one if the runtime stops.
    pub fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<Option<Turn>> {
        if self.waiting.is_none() {
            match self.handshakes.ask(&self.path, self.known) {
                Ok(turn) => return Poll::Ready(Some(turn)),
                Err(receiver) => self.waiting = Some(receiver),
            }
        }
        let Some(waiting) = &mut self.waiting else {
            return Poll::Ready(None);
        };
        let turn = std::task::ready!(std::pin::Pin::new(waiting).poll(cx)).ok();
        self.waiting = None;
        Poll::Ready(turn)
    }

    /// Makes the turns of a loop that accepts connections. It is no network: it gets its turns
    /// beside all of them, as a source that proved a password does.
    pub fn of_accept_loop(handshakes: Handshakes) -> Self {
        let nowhere = NetworkPath::of(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        Self::new(handshakes, nowhere, true)
    }

    pub async fn turn(&mut self) -> Option<Turn> {
        std::future::poll_fn(|cx| self.poll_turn(cx)).await
    }
}

#[cfg(test)]
#[path = "handshakes_tests.rs"]
mod tests;
