//! Rows and clusters for the unit tests of this room.

use crate::store::{ClusterRow, Phase, Reservation, SqliteStore, Store, UnknownFolders};
use tidegate_model::{
    AccountBook, ClusterEngine, ClusterId, ClusterLimits, ClusterName, ClusterSettings, Prefix,
    RunEpoch,
};

/// Record of a new cluster with default limits.
pub fn reservation(name: &str) -> Reservation {
    Reservation {
        name: ClusterName::parse(name).unwrap(),
        prefix: Prefix::random().unwrap(),
        created_unix: 0,
        engine: ClusterEngine::default(),
        limits: ClusterLimits::default(),
    }
}

/// Stores a live cluster with these accounts.
pub async fn live_cluster(store: &SqliteStore, name: &str, book: &AccountBook) -> ClusterRow {
    let row = store
        .reserve(&reservation(name), None, &UnknownFolders::default())
        .await
        .unwrap();
    store.publish(row.id, book).await.unwrap()
}

/// Row of a live cluster that did not go to sleep cleanly.
pub fn unclean_row(id: u64) -> ClusterRow {
    let Reservation {
        name,
        prefix,
        created_unix,
        engine,
        limits,
    } = reservation(&format!("c{id}"));
    ClusterRow {
        id: ClusterId(id),
        name,
        prefix,
        created_unix,
        engine,
        uid: None,
        limits,
        settings: ClusterSettings::default(),
        phase: Phase::Live,
        run: RunEpoch(1),
        awake: true,
        accounts_run: RunEpoch(0),
        accounts_complete: true,
    }
}
