//! A cluster whose tenant attacks: its root has every right.

use super::{Client, House, almighty};
use tidegate_engine::EngineSettings;
use tidegate_model::{ClusterId, Lease};

/// A house with one awake cluster, whose root has every right.
pub struct Siege {
    pub house: House,
    pub id: ClusterId,
    pub lease: Lease,
    pub root: Client,
}

impl Siege {
    pub async fn begin() -> Self {
        Self::begin_with(|_| {}).await
    }

    pub async fn begin_with(change: impl FnOnce(&mut EngineSettings)) -> Self {
        let house = House::open_with(change).await;
        let id = house.create(1).await;
        let lease = house.attach(id).await;
        let mut root = almighty(&lease.address).await;
        root.run("USE test").await;
        Self {
            house,
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
    pub async fn sleep(self) -> (House, ClusterId) {
        drop((self.root, self.lease));
        self.house.engines.sleep(self.id).await.unwrap();
        (self.house, self.id)
    }
}
