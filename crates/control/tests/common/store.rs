//! Set-up of the store's tests: clusters and account books to put into it.

use sqlx::{Connection, SqliteConnection};
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use tidegate_control::store::{
    ClusterRow, HostRow, OperationClaim, Reservation, SqliteStore, Store,
};
use tidegate_model::{
    Account, AccountBook, ClusterEngine, ClusterId, ClusterLimits, ClusterName, Prefix,
    ReadingOrder, Requirement, RunEpoch, Unsupported, Verifier,
};

/// A database that stores can be opened on, one after the other.
pub trait StoreFactory {
    type Opened: Store;

    fn open(&self) -> impl Future<Output = Self::Opened>;
}

/// A folder with a SQLite file.
pub struct SqliteFolder(pub TempDir);

impl SqliteFolder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
}

impl StoreFactory for SqliteFolder {
    type Opened = SqliteStore;

    async fn open(&self) -> SqliteStore {
        open(self.0.path()).await
    }
}

/// Runs each test over new folders with a SQLite file.
#[macro_export]
macro_rules! over_sqlite {
    ($($test:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $test() {
                suite::$test(&$crate::common::store::SqliteFolder::new()).await;
            }
        )*
    };
}

/// All clusters but tombstones, by name.
pub async fn clusters(store: &impl Store) -> Vec<ClusterRow> {
    let mut rows = store.load().await.unwrap().clusters;
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    rows
}

/// Facts of the host about a cluster.
pub async fn host_of(store: &impl Store, id: ClusterId) -> Option<HostRow> {
    store.host_row(id).await.unwrap()
}

/// Facts of the host about all clusters but tombstones.
pub async fn hosts(store: &impl Store) -> Vec<HostRow> {
    let mut found = Vec::new();
    for row in clusters(store).await {
        found.extend(host_of(store, row.id).await);
    }
    found
}

pub fn wanted(name: &str) -> Reservation {
    Reservation {
        id: ClusterId::random().unwrap(),
        name: ClusterName::parse(name).unwrap(),
        prefix: Prefix::random().unwrap(),
        created_unix: 1_700_000_000,
        engine: ClusterEngine::default(),
        limits: ClusterLimits::default(),
    }
}

pub fn book(run: u64, user: &str) -> AccountBook {
    let accounts = vec![
        Account {
            user: user.to_owned(),
            host: "%".to_owned(),
            verifiers: vec![
                Verifier::Native([9; 20]),
                Verifier::Unsupported(Unsupported::Ed25519),
            ],
            locked: false,
            requires: Requirement::None,
        },
        Account {
            user: user.to_owned(),
            host: "10.%".to_owned(),
            verifiers: vec![Verifier::Empty],
            locked: true,
            requires: Requirement::None,
        },
    ];
    AccountBook {
        accounts: accounts.into_iter().collect(),
        run: RunEpoch(run),
        order: ReadingOrder::default(),
    }
}

/// A book of so many accounts.
pub fn long_book(run: RunEpoch, accounts: usize) -> Arc<AccountBook> {
    let account = |n| Account {
        user: format!("user{n}"),
        host: "%".to_owned(),
        verifiers: vec![Verifier::Native([9; 20])],
        locked: false,
        requires: Requirement::None,
    };
    Arc::new(AccountBook {
        accounts: (0..accounts).map(account).collect(),
        run,
        order: ReadingOrder::default(),
    })
}

pub async fn open(dir: &Path) -> SqliteStore {
    SqliteStore::open(&dir.join("store.sqlite")).await.unwrap()
}

pub async fn live(store: &impl Store, name: &str) -> ClusterRow {
    let id = store.reserve(wanted(name)).await.unwrap().id;
    store.take_cluster(id, None).await.unwrap();
    store
        .publish(OperationClaim::of_new(id), &book(0, "root"))
        .await
        .unwrap()
}

/// Ends a run with these accounts.
pub async fn end_run(store: &impl Store, id: ClusterId, run: RunEpoch, book: Arc<AccountBook>) {
    store.save_accounts(id, book).await.unwrap();
    store.end_run(id, run).await.unwrap();
}

/// Takes the store's write lock, as a slow transaction does, until the connection is closed. In
/// exclusive mode, so that readers wait for it too if the file is not in WAL mode.
pub async fn hold_writer(file: &Path) -> SqliteConnection {
    let url = format!("sqlite://{}", file.display());
    let mut held = SqliteConnection::connect(&url).await.unwrap();
    sqlx::query("BEGIN EXCLUSIVE")
        .execute(&mut held)
        .await
        .unwrap();
    held
}
