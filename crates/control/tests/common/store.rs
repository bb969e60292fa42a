//! Set-up of the store's tests: clusters and account books to put into it.

use sqlx::{Connection, SqliteConnection};
use std::path::Path;
use std::sync::Arc;
use tidegate_control::store::{ClusterRow, Reservation, SqliteStore, Store, UnknownFolders};
use tidegate_model::{
    Account, AccountBook, ClusterEngine, ClusterLimits, ClusterName, Prefix, Requirement, RunEpoch,
    Unsupported, Verifier,
};

pub fn wanted(name: &str) -> Reservation {
    Reservation {
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
        read_began: None,
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
        read_began: None,
    })
}

pub async fn open(dir: &Path) -> SqliteStore {
    SqliteStore::open(&dir.join("store.sqlite")).await.unwrap()
}

pub async fn live(store: &SqliteStore, name: &str) -> ClusterRow {
    let row = store
        .reserve(&wanted(name), None, &UnknownFolders::default())
        .await
        .unwrap();
    store.publish(row.id, &book(0, "root")).await.unwrap()
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
