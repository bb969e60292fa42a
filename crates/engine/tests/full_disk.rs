//! A full disk is nobody's failure: starts are refused for now, sleeps are recorded later.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed step is a failed test"
)]

mod common;

use common::{EnginesFixture, eventually};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tidegate_model::{AttachError, ClusterId, ClusterState, RefusalKind, Waker};

/// A small file system for one test, unmounted at the end.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// `None` where this user may not mount.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = std::process::Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", "size=192m,mode=711", "tmpfs"])
            .arg(folder.path());
        let mounted = rustix::process::geteuid().is_root() && mount.status().unwrap().success();
        if !mounted {
            common::not_run("no file system can be mounted here");
        }
        mounted.then(|| Self(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Fills it to the last block.
    fn fill(&self) -> PathBuf {
        let path = self.path().join("filler");
        let mut file = std::fs::File::create(&path).unwrap();
        let block = vec![7; 1 << 20];
        while file.write_all(&block).is_ok() {}
        while file.write_all(&[7]).is_ok() {}
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount")
            .arg("-l")
            .arg(self.path())
            .status();
    }
}

async fn refusal(fixture: &EnginesFixture, id: ClusterId) -> RefusalKind {
    match fixture
        .engines
        .attach(common::request(
            id,
            Instant::now() + Duration::from_secs(120),
        ))
        .await
    {
        Err(AttachError::Refused { kind, .. }) => kind,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_engine_starts_on_a_full_disk_and_none_has_failed() {
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    let data = disk.path().join("data");
    let fixture = EnginesFixture::open_with(|s| s.folder = data).await;
    let asleep = fixture.create(1).await;
    let awake = fixture.create(2).await;
    let (_lease, mut client) = fixture.root(awake).await;
    client
        .run("CREATE TABLE test.t (a INT) ENGINE=InnoDB")
        .await;
    client.run("INSERT INTO test.t VALUES (1)").await;
    let filler = disk.fill();
    for _ in 0..3 {
        assert_eq!(refusal(&fixture, asleep).await, RefusalKind::DiskFull);
    }
    assert_eq!(fixture.engines.state(asleep), ClusterState::Asleep);
    assert_eq!(
        client.one("SELECT a FROM test.t").await,
        "1",
        "who is awake goes on"
    );
    // One that dies now is not restarted into the full disk, and has not failed either.
    common::kill_9(fixture.pid(awake).unwrap());
    eventually("asleep", async || {
        fixture.engines.state(awake) == ClusterState::Asleep
    })
    .await;
    assert_eq!(refusal(&fixture, awake).await, RefusalKind::DiskFull);
    assert_eq!(
        fixture
            .memory
            .count(|e| matches!(e, tidegate_model::Event::EngineFailed { .. })),
        0
    );
    std::fs::remove_file(filler).unwrap();
    eventually("both wake", async || {
        let until = Instant::now() + Duration::from_secs(120);
        fixture
            .engines
            .attach(common::request(asleep, until))
            .await
            .is_ok()
            && fixture
                .engines
                .attach(common::request(awake, until))
                .await
                .is_ok()
    })
    .await;
    let (lease, mut client) = fixture.root(awake).await;
    assert_eq!(
        client.one("SELECT a FROM test.t").await,
        "1",
        "what was committed is kept"
    );
    drop((client, lease));
    fixture.engines.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sleep_that_cannot_be_noted_is_noted_later() {
    let fixture = EnginesFixture::open().await;
    let id = fixture.create(1).await;
    drop(fixture.attach(id).await);
    fixture.memory.ends_refused.store(2, Ordering::Release);
    fixture.engines.sleep(id).await.unwrap();
    assert_eq!(
        fixture.engines.state(id),
        ClusterState::Asleep,
        "the engine is not started again for it"
    );
    assert!(fixture.memory.row(id).awake);
    eventually("the sleep is recorded", async || {
        !fixture.memory.row(id).awake
    })
    .await;
    assert_eq!(fixture.memory.starts(), 1);
    assert_eq!(fixture.memory.ends_refused.load(Ordering::Acquire), 0);
    fixture.engines.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_before_a_sleep_is_noted_takes_its_place() {
    let fixture = EnginesFixture::open().await;
    let id = fixture.create(1).await;
    drop(fixture.attach(id).await);
    fixture.memory.ends_refused.store(1, Ordering::Release);
    fixture.engines.sleep(id).await.unwrap();
    drop(fixture.attach(id).await);
    assert_eq!(fixture.memory.row(id).run, 2);
    fixture.engines.sleep(id).await.unwrap();
    let row = fixture.memory.row(id);
    assert_eq!(
        (row.run, row.awake),
        (2, false),
        "only the newest run is recorded"
    );
    fixture.engines.shutdown().await;
}
