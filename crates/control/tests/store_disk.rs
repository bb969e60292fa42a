//! The store on a full disk: a small file system that each test mounts and fills.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test program: a panic is its verdict"
)]

mod common;

use common::store::{clusters, end_run, hosts, live, long_book, open};
use common::{not_run, until};
use std::io::Write;
use std::sync::Arc;
use tidegate_control::store::{
    AccessStore, ClusterStore, HostRow, HostStore, KeyRow, SqliteStore, Store, StoreError,
};

/// A separate file system of a few megabytes, mounted while this value exists.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(megabytes: u64) -> Option<Self> {
        let disk = Self(tempfile::tempdir().unwrap());
        let size = format!("size={megabytes}m");
        let mut mount = std::process::Command::new("mount");
        let mounted = mount
            .args(["-t", "tmpfs", "-o", &size, "none"])
            .arg(disk.0.path())
            .status();
        if !mounted.is_ok_and(|status| status.success()) {
            not_run("no file system can be mounted here");
            return None;
        }
        Some(disk)
    }

    /// Fills the disk with a file that [`SmallDisk::free`] removes.
    fn fill(&self) {
        let mut file = std::fs::File::options()
            .append(true)
            .create(true)
            .open(self.0.path().join("filler"))
            .unwrap();
        while file.write_all(&[1; 4096]).is_ok() {}
    }

    fn free(&self) {
        std::fs::remove_file(self.0.path().join("filler")).unwrap();
    }

    fn reserve(&self) -> bool {
        self.0.path().join("store.reserve").exists()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount")
            .arg("-l")
            .arg(self.0.path())
            .status();
    }
}

async fn only_host(store: &SqliteStore) -> HostRow {
    hosts(store).await.remove(0)
}

fn numbered_key(n: usize) -> KeyRow {
    let name = format!("{n:064}");
    KeyRow {
        id: name.clone(),
        name,
        hash: [u8::try_from(n % 251).unwrap(); 32].map(|b| b ^ u8::try_from(n / 251).unwrap()),
        scopes: "all".to_owned(),
        created_unix: 0,
        expires_unix: None,
        used_unix: None,
    }
}

#[tokio::test]
async fn a_sleep_on_a_full_disk_is_recorded_from_the_reserve_or_waits_for_room() {
    let Some(disk) = SmallDisk::mount(48) else {
        return;
    };
    let store = Arc::new(open(disk.0.path()).await);
    until("the reserve", || disk.reserve()).await;
    let id = live(&*store, "demo").await.id;
    let mut run = store.begin_run(id).await.unwrap();
    disk.fill();
    // New accounts, which need space in the journal.
    end_run(&*store, id, run, long_book(run, 5_000)).await;
    assert!(
        !only_host(&store).await.awake && !disk.reserve(),
        "the reserve was used"
    );
    assert!(!store.is_disk_full(), "nothing waits");

    // The reserve is used up, and this book needs more than the space it left.
    let accounts = 40_000;
    run = store.begin_run(id).await.unwrap();
    disk.fill();
    let ending = Arc::clone(&store);
    let book = long_book(run, accounts);
    let waiting = tokio::spawn(async move { end_run(&*ending, id, run, book).await });
    until("a full disk", || store.is_disk_full()).await;
    assert!(
        only_host(&store).await.awake,
        "what could not be written has not happened"
    );
    let add = store.add_key(numbered_key(1));
    assert!(!waiting.is_finished());
    disk.free();
    waiting.await.unwrap();
    add.await.unwrap();
    let host = only_host(&store).await;
    assert_eq!((host.awake, host.run), (false, run));
    assert!(host.is_settled(clusters(&*store).await[0].book));
    until("the end of it", || !store.is_disk_full() && disk.reserve()).await;
    store.close().await;
    assert_eq!(
        open(disk.0.path())
            .await
            .book(id)
            .await
            .unwrap()
            .accounts
            .len(),
        accounts
    );
}

#[tokio::test]
async fn a_full_disk_is_told_to_operators_and_spoils_no_connection() {
    let Some(disk) = SmallDisk::mount(32) else {
        return;
    };
    let store = open(disk.0.path()).await;
    until("the reserve", || disk.reserve()).await;
    disk.fill();
    let mut made = 0;
    let refused = loop {
        match store.add_key(numbered_key(made)).await {
            Ok(()) => made += 1,
            Err(refused) => break refused,
        }
        disk.fill();
    };
    assert!(
        matches!(refused, StoreError::DiskFull),
        "{refused:?} after {made}"
    );
    assert!(disk.reserve(), "it is kept for sleeps");
    assert!(
        matches!(
            store.add_key(numbered_key(made)).await,
            Err(StoreError::DiskFull)
        ),
        "again"
    );
    disk.free();
    store.add_key(numbered_key(made)).await.unwrap();
    assert_eq!(
        store.load_access().await.unwrap().keys.len(),
        made + 1,
        "none by halves"
    );
}
