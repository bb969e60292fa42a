//! A kind of engine without engines, for tests with more clusters than the machine has memory for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tidegate_engine::{ClusterSpec, Driver, EngineError, EngineKind, Run, RunError, StartError};
use tidegate_model::{
    Abilities, Account, Accounts, BoxFuture, EngineAddress, EngineSession, KindDescription,
    PasswordVerifier, ReadingOrder, Requirement, Verifier,
};

pub const STUB: &str = "stub";

static DESCRIPTION: KindDescription = KindDescription {
    name: STUB,
    summary: "nothing",
    page: "engines/README.md",
    parameters: &[],
    login_check: PasswordVerifier::KnownAccounts,
    abilities: Abilities {
        sleeps: true,
        backs_up: false,
        branches: false,
    },
};

/// Beginnings of the names of clusters whose starts never end, and whose stops take
/// [`SLOW_STOP`].
pub const STUCK: &str = "stuck";
pub const SLOW: &str = "slow";
pub const SLOW_STOP: Duration = Duration::from_secs(6);

/// Numbers of starts and clean stops of all clusters of this kind.
#[derive(Default)]
pub struct StubCounts {
    pub starts: AtomicUsize,
    pub stops: AtomicUsize,
    pub readings: AtomicU64,
    /// Stops that took long.
    pub slow_stops: AtomicUsize,
}

#[derive(Clone, Default)]
pub struct StubKind(pub Arc<StubCounts>);

impl EngineKind for StubKind {
    fn description(&self) -> &'static KindDescription {
        &DESCRIPTION
    }

    fn create<'a>(
        &'a self,
        _: &'a ClusterSpec,
        _: [u8; 20],
    ) -> BoxFuture<'a, Result<(), EngineError>> {
        Box::pin(async { Ok(()) })
    }

    fn driver(&self, cluster: &ClusterSpec) -> Arc<dyn Driver> {
        Arc::new(Stub {
            counts: Arc::clone(&self.0),
            stuck: cluster.name.as_str().starts_with(STUCK),
            slow: cluster.name.as_str().starts_with(SLOW),
        })
    }
}

/// Driver of a cluster, and each of its runs.
#[derive(Clone)]
struct Stub {
    counts: Arc<StubCounts>,
    stuck: bool,
    slow: bool,
}

impl Driver for Stub {
    fn start(&self) -> BoxFuture<'_, Result<Arc<dyn Run>, StartError>> {
        Box::pin(async {
            self.counts.starts.fetch_add(1, Ordering::SeqCst);
            if self.stuck {
                std::future::pending::<()>().await;
            }
            Ok(Arc::new(self.clone()) as Arc<dyn Run>)
        })
    }

    fn address(&self) -> EngineAddress {
        EngineAddress::Unix("/nonexistent".into())
    }

    fn remove(&self) -> BoxFuture<'_, Result<(), EngineError>> {
        Box::pin(async { Ok(()) })
    }
}

impl Run for Stub {
    fn next_reading(&self) -> ReadingOrder {
        ReadingOrder(self.counts.readings.fetch_add(1, Ordering::SeqCst) + 1)
    }

    fn accounts(&self) -> BoxFuture<'_, Result<Accounts, RunError>> {
        let account = |n| Account {
            user: format!("user{n}"),
            host: "%".to_owned(),
            verifiers: vec![Verifier::Native([9; 20])],
            locked: false,
            requires: Requirement::None,
        };
        Box::pin(async move { Ok((0..20).map(account).collect()) })
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

    /// Takes as long as a real engine that is idle.
    fn stop(&self) -> BoxFuture<'_, bool> {
        Box::pin(async {
            if self.slow {
                tokio::time::sleep(SLOW_STOP).await;
                self.counts.slow_stops.fetch_add(1, Ordering::SeqCst);
            } else {
                tokio::time::sleep(Duration::from_millis(20)).await;
                self.counts.stops.fetch_add(1, Ordering::SeqCst);
            }
            true
        })
    }
}
