//! Rows and clusters for the unit tests of this room.

use crate::store::{
    BookHead, ClusterRow, ClusterStore, HostRow, HostStore, OperationClaim, Phase, Reservation,
    SqliteStore, StoredCluster,
};
use tidegate_model::{
    AccountBook, ClusterEngine, ClusterId, ClusterLimits, ClusterName, ClusterSettings, Prefix,
    RunEpoch,
};

/// Record of a new cluster with default limits.
pub fn reservation(name: &str) -> Reservation {
    Reservation {
        id: ClusterId::random().unwrap(),
        name: ClusterName::parse(name).unwrap(),
        prefix: Prefix::random().unwrap(),
        created_unix: 0,
        engine: ClusterEngine::default(),
        limits: ClusterLimits::default(),
    }
}

/// Stores a live cluster with these accounts, whose engine runs on this host.
pub async fn live_cluster(store: &SqliteStore, name: &str, book: &AccountBook) -> StoredCluster {
    let id = store.reserve(reservation(name)).await.unwrap().id;
    store.take_cluster(id, None).await.unwrap();
    StoredCluster {
        row: store
            .publish(OperationClaim::of_new(id), book)
            .await
            .unwrap(),
        host: HostRow::new(id),
    }
}

/// Live cluster that did not go to sleep cleanly.
pub fn unclean_cluster(id: u64) -> StoredCluster {
    let Reservation {
        name,
        prefix,
        created_unix,
        engine,
        limits,
        ..
    } = reservation(&format!("c{id}"));
    let id = ClusterId(id);
    StoredCluster {
        row: ClusterRow {
            id,
            name,
            prefix,
            created_unix,
            engine,
            limits,
            settings: ClusterSettings::default(),
            phase: Phase::Live,
            version: 1,
            book: BookHead {
                run: RunEpoch(0),
                complete: true,
            },
        },
        host: HostRow {
            run: RunEpoch(1),
            awake: true,
            ..HostRow::new(id)
        },
    }
}

/// Live cluster that sleeps.
pub fn settled_cluster(id: u64) -> StoredCluster {
    let StoredCluster { row, .. } = unclean_cluster(id);
    StoredCluster {
        host: HostRow::new(row.id),
        row,
    }
}
