//! A cluster whose tenant attacks: its root has all rights.

use super::{Client, EnginesFixture, almighty};
use tidegate_engine::EngineSettings;
use tidegate_model::{ClusterId, Lease};

/// An awake cluster whose root has all rights, and its engines.
pub struct HostileTenant {
    pub fixture: EnginesFixture,
    pub id: ClusterId,
    pub lease: Lease,
    pub root: Client,
}

impl HostileTenant {
    pub async fn begin() -> Self {
        Self::begin_with(|_| {}).await
    }

    pub async fn begin_with(change: impl FnOnce(&mut EngineSettings)) -> Self {
        let fixture = EnginesFixture::open_with(change).await;
        let id = fixture.create(1).await;
        let lease = fixture.attach(id).await;
        let mut root = almighty(&lease.address).await;
        root.run("USE test").await;
        Self {
            fixture,
            id,
            lease,
            root,
        }
    }

    /// Runs a statement that may be refused, and returns its error.
    pub async fn attempt(&mut self, sql: &str) -> Option<String> {
        self.root.query(sql).await.err()
    }

    /// Closes the tenant's session and puts the cluster to sleep.
    pub async fn sleep(self) -> (EnginesFixture, ClusterId) {
        drop((self.root, self.lease));
        self.fixture.engines.sleep(self.id).await.unwrap();
        (self.fixture, self.id)
    }
}
