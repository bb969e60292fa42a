//! Supervision of a driver that panics, dies and ends at chosen moments, which no real engine does.

use super::*;
use crate::budget::AwakeBudget;
use crate::error::{RunError, StartError};
use crate::ledger::{Ledger, LedgerError};
use crate::readings::ReadingAnswer;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use tidegate_model::{
    AccountBook, Accounts, AttachError, AttachRequest, BoxFuture, ClusterId, EngineAddress,
    EngineSession, Journal, ReadingOrder, SessionId,
};
use tokio::sync::{Notify, Semaphore};

/// The step that panics or dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Start,
    Reading,
    Drain,
    Stop,
    Death,
}

#[derive(Default)]
pub(super) struct RunFacts {
    fault: std::sync::Mutex<Option<Fault>>,
    pub starts: AtomicUsize,
    readings: AtomicU64,
    /// The driver can't be prepared.
    unprepared: bool,
    pub durable_start: AtomicBool,
    alive: Arc<AtomicBool>,
    /// A start waits for this if it is held.
    pub hold: AtomicBool,
    pub go_on: Notify,
}

impl RunFacts {
    pub fn unprepared() -> Self {
        Self {
            unprepared: true,
            ..Self::default()
        }
    }

    fn check(&self, step: Fault) {
        let fault = *self.fault.lock().unwrap();
        assert_ne!(fault, Some(step), "a panic in a task of the supervisor");
    }

    fn set(&self, fault: Option<Fault>) {
        *self.fault.lock().unwrap() = fault;
    }
}

pub(super) struct FaultyDriver(pub Arc<RunFacts>);

struct FaultyRun(Arc<RunFacts>);

impl Drop for FaultyRun {
    fn drop(&mut self) {
        self.0.alive.store(false, Ordering::SeqCst);
    }
}

impl Driver for FaultyDriver {
    fn prepare(&self) -> Result<(), StartError> {
        match self.0.unprepared {
            true => Err(StartError::new("no socket")),
            false => Ok(()),
        }
    }

    fn start(&self) -> BoxFuture<'_, Result<Arc<dyn Run>, StartError>> {
        Box::pin(async move {
            self.0.starts.fetch_add(1, Ordering::SeqCst);
            if self.0.hold.load(Ordering::SeqCst) {
                self.0.go_on.notified().await;
            }
            self.0.check(Fault::Start);
            assert!(
                !self.0.alive.swap(true, Ordering::SeqCst),
                "two engines on one data directory"
            );
            Ok(Arc::new(FaultyRun(Arc::clone(&self.0))) as Arc<dyn Run>)
        })
    }

    fn durable_start(&self) -> bool {
        self.0.durable_start.load(Ordering::SeqCst)
    }

    fn address(&self) -> EngineAddress {
        EngineAddress::Unix("/nonexistent".into())
    }

    fn remove(&self) -> BoxFuture<'_, Result<(), EngineError>> {
        let alive = self.0.alive.load(Ordering::SeqCst);
        Box::pin(async move {
            if alive {
                Err(EngineError::EndedMeanwhile)
            } else {
                Ok(())
            }
        })
    }
}

impl Run for FaultyRun {
    fn ended(&self) -> BoxFuture<'_, String> {
        Box::pin(async {
            if *self.0.fault.lock().unwrap() == Some(Fault::Death) {
                return "exit code 1".to_owned();
            }
            std::future::pending().await
        })
    }

    fn next_reading(&self) -> ReadingOrder {
        ReadingOrder(self.0.readings.fetch_add(1, Ordering::SeqCst) + 1)
    }

    fn accounts(&self) -> BoxFuture<'_, Result<Accounts, RunError>> {
        Box::pin(async {
            self.0.check(Fault::Reading);
            Ok(Accounts::default())
        })
    }

    fn set_password<'a>(
        &'a self,
        _: &'a str,
        _: &'a str,
        _: [u8; 20],
    ) -> BoxFuture<'a, Result<(), RunError>> {
        Box::pin(async { Ok(()) })
    }

    fn end_session(&self, _: EngineSession) -> BoxFuture<'_, Result<(), RunError>> {
        Box::pin(async { Ok(()) })
    }

    fn settle(&self, _: Duration) -> BoxFuture<'_, Result<bool, RunError>> {
        Box::pin(async {
            self.0.check(Fault::Drain);
            Ok(true)
        })
    }

    fn stop(&self) -> BoxFuture<'_, bool> {
        Box::pin(async {
            self.0.check(Fault::Stop);
            self.0.alive.store(false, Ordering::SeqCst);
            true
        })
    }
}

/// Ledger that forgets everything.
#[derive(Default)]
pub(super) struct Nowhere {
    /// The begin of a run waits for `go_on`.
    pub hold: AtomicBool,
    pub go_on: Notify,
}

impl Ledger for Nowhere {
    fn begin_run(&self, _: ClusterId) -> BoxFuture<'_, Result<RunEpoch, LedgerError>> {
        Box::pin(async {
            if self.hold.load(Ordering::SeqCst) {
                self.go_on.notified().await;
            }
            Ok(RunEpoch(1))
        })
    }

    fn end_run(
        &self,
        _: ClusterId,
        _: RunEpoch,
        _: Arc<AccountBook>,
    ) -> BoxFuture<'_, Result<(), LedgerError>> {
        Box::pin(async { Ok(()) })
    }

    fn save_accounts(
        &self,
        _: ClusterId,
        _: Arc<AccountBook>,
    ) -> BoxFuture<'_, Result<(), LedgerError>> {
        Box::pin(async { Ok(()) })
    }
}

impl Journal for Nowhere {
    fn record(&self, _: &journal::Event) {}
}

pub(super) fn services() -> SharedServices {
    SharedServices {
        ledger: Arc::new(Nowhere::default()),
        journal: Arc::new(Nowhere::default()),
        wakes: Arc::new(Semaphore::new(1)),
        recoveries: Arc::new(Semaphore::new(1)),
        budget: Arc::new(AwakeBudget::new(u64::MAX)),
        frozen_after: Duration::from_secs(30),
    }
}

struct Stage {
    shared: Arc<SharedCluster>,
    facts: Arc<RunFacts>,
    commands: mpsc::Sender<SupervisorCommand>,
}

impl Stage {
    fn new(failure: Option<String>) -> Self {
        let facts = Arc::new(RunFacts::default());
        let shared = Arc::new(SharedCluster::new(ClusterId(1), true));
        let common = services();
        let (commands, inbox) = mpsc::channel(8);
        let driver = Arc::new(FaultyDriver(Arc::clone(&facts)));
        Supervisor::spawn(
            Arc::clone(&shared),
            driver,
            common,
            SupervisorStart {
                limits: ClusterLimits::default(),
                failure,
                place: Weak::new(),
                commands: inbox,
            },
        );
        Self {
            shared,
            facts,
            commands,
        }
    }

    fn state(&self) -> ClusterState {
        self.shared.status.borrow().state
    }

    async fn sleep(&self) -> Result<(), EngineError> {
        let (reply, answer) = oneshot::channel();
        self.commands
            .send(SupervisorCommand::Sleep(reply))
            .await
            .unwrap();
        answer.await.unwrap()
    }

    async fn accounts(&self) -> ReadingAnswer {
        let (reply, answer) = oneshot::channel();
        self.commands
            .send(SupervisorCommand::Accounts {
                not_before: Instant::now(),
                users: vec!["root".to_owned()],
                reply,
            })
            .await
            .unwrap();
        answer.await.unwrap()
    }

    async fn remove(&self) -> Result<(), EngineError> {
        let (reply, answer) = oneshot::channel();
        self.commands
            .send(SupervisorCommand::End {
                remove: true,
                reply,
            })
            .await
            .unwrap();
        answer.await.unwrap()
    }

    /// Waits until a retry is allowed, and returns how far away that was.
    async fn wait_for_retry(&self) -> Duration {
        let at = self.shared.status.borrow().retry_at.unwrap();
        let wait = at.saturating_duration_since(Instant::now());
        tokio::time::sleep_until(at.into()).await;
        wait
    }
}

#[tokio::test]
async fn a_panic_in_a_start_is_a_failure_that_can_be_retried() {
    let stage = Stage::new(None);
    stage.facts.set(Some(Fault::Start));
    assert_eq!(
        stage.shared.attach_operator().await.unwrap_err(),
        AttachError::Failed(PANICKED.to_owned())
    );
    assert_eq!(stage.state(), ClusterState::Failed);
    stage.facts.set(None);
    stage.wait_for_retry().await;
    stage.shared.attach_operator().await.unwrap();
}

#[tokio::test]
async fn a_panic_in_a_reading_fails_that_reading() {
    let stage = Stage::new(None);
    drop(stage.shared.attach_operator().await.unwrap());
    stage.facts.set(Some(Fault::Reading));
    assert_eq!(stage.accounts().await.unwrap_err().to_string(), PANICKED);
    stage.facts.set(None);
    stage.accounts().await.unwrap();
    assert_eq!(stage.facts.starts.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_panic_while_it_goes_to_sleep_ends_the_engine_and_recovers_it() {
    for fault in [Fault::Drain, Fault::Stop] {
        let stage = Stage::new(None);
        drop(stage.shared.attach_operator().await.unwrap());
        stage.facts.set(Some(fault));
        stage.sleep().await.unwrap();
        stage.facts.set(None);
        stage.shared.awake().await.unwrap();
        assert_eq!(stage.facts.starts.load(Ordering::SeqCst), 2);
        stage.sleep().await.unwrap();
        assert_eq!(stage.state(), ClusterState::Asleep);
    }
}

#[tokio::test]
async fn a_cluster_removed_at_the_moment_its_engine_is_up_is_removed() {
    for round in 0..40 {
        let stage = Stage::new(None);
        stage.facts.hold.store(true, Ordering::SeqCst);
        let shared = Arc::clone(&stage.shared);
        let waiter = tokio::spawn(async move { shared.attach_operator().await });
        while stage.facts.starts.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        // Both become ready before the supervisor runs: it takes them in either order.
        stage.facts.go_on.notify_one();
        assert!(stage.remove().await.is_ok(), "round {round}");
        assert!(matches!(
            waiter.await.unwrap(),
            Err(AttachError::Gone) | Ok(_)
        ));
        assert!(!stage.facts.alive.load(Ordering::SeqCst));
    }
}

#[tokio::test]
async fn the_backoff_of_an_engine_that_starts_and_dies_grows() {
    let stage = Stage::new(None);
    stage.facts.set(Some(Fault::Death));
    let mut waits = Vec::new();
    for _ in 0..3 {
        let mut status = stage.shared.status.subscribe();
        let told = status.borrow().told;
        let attached = tokio::spawn({
            let shared = Arc::clone(&stage.shared);
            async move { shared.awake().await }
        });
        status
            .wait_for(|s| s.state == ClusterState::Failed && s.told > told)
            .await
            .unwrap();
        attached.abort();
        waits.push(stage.wait_for_retry().await);
    }
    assert!(
        waits.is_sorted_by(|a, b| *b > *a + RETRY_FIRST / 2),
        "{waits:?}"
    );
    let most = usize::try_from(crate::limits::DEATHS_MAX).unwrap() + 2;
    assert_eq!(
        stage.facts.starts.load(Ordering::SeqCst),
        most,
        "after the first failure one start each"
    );
}

#[tokio::test]
async fn a_cluster_that_cannot_be_reached_begins_failed_and_is_tried_again() {
    let stage = Stage::new(Some("its socket: taken".to_owned()));
    let mut status = stage.shared.status.subscribe();
    status
        .wait_for(|s| s.state == ClusterState::Failed)
        .await
        .unwrap();
    assert_eq!(
        stage.shared.attach_operator().await.unwrap_err(),
        AttachError::Failed("its socket: taken".to_owned())
    );
    stage.wait_for_retry().await;
    stage.shared.attach_operator().await.unwrap();
}

pub(super) fn session_request(session: u32) -> AttachRequest<'static> {
    AttachRequest {
        cluster: ClusterId(1),
        deadline: Instant::now(),
        session: SessionId::new(session),
        user: "root",
        client: "127.0.0.1:3306".parse().unwrap(),
    }
}
