//! A cluster that takes the disk: by one statement, by many files, above its limit or below it.
//! The others go on, and the operator gets the space back without deleting the cluster.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed step is a failed test"
)]

mod common;

use common::{Client, EnginesFixture, almighty, eventually};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use tidegate_model::{AttachError, ClusterId, ClusterLimits, ClusterState, RefusalKind, Waker};

const MB: u64 = 1 << 20;

/// An ext4 file system in a sparse file. It is unmounted when dropped.
struct Ext4 {
    folder: tempfile::TempDir,
    _image: tempfile::NamedTempFile,
}

impl Ext4 {
    /// `None` where this user may not mount.
    fn mount(bytes: u64, inodes: u32) -> Option<Self> {
        let image = tempfile::NamedTempFile::new().unwrap();
        image.as_file().set_len(bytes).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let made = Command::new("mkfs.ext4")
            .args(["-q", "-F", "-m", "0", "-N", &inodes.to_string()])
            .arg(image.path())
            .status();
        let mounted = rustix::process::geteuid().is_root()
            && made.is_ok_and(|made| made.success())
            && Command::new("mount")
                .args(["-o", "loop"])
                .args([image.path(), folder.path()])
                .status()
                .unwrap()
                .success();
        if !mounted {
            common::not_run("no file system can be mounted here");
            return None;
        }
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
        Some(Self {
            folder,
            _image: image,
        })
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn free(&self) -> u64 {
        let stat = rustix::fs::statvfs(self.path()).unwrap();
        stat.f_bavail * stat.f_frsize
    }

    fn free_inodes(&self) -> u64 {
        rustix::fs::statvfs(self.path()).unwrap().f_favail
    }
}

impl Drop for Ext4 {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

fn limits(soft: u64) -> ClusterLimits {
    ClusterLimits {
        disk_max_bytes: soft,
        ..ClusterLimits::default()
    }
}

async fn set_redo(client: &mut Client, bytes: u64) -> Result<Vec<Vec<String>>, String> {
    client
        .query(&format!("SET GLOBAL innodb_log_file_size = {bytes}"))
        .await
}

async fn used(fixture: &EnginesFixture, id: ClusterId) -> u64 {
    fixture.engines.usage(id).await.unwrap().disk_bytes.unwrap()
}

async fn refusal(fixture: &EnginesFixture, id: ClusterId) -> (RefusalKind, String) {
    let until = Instant::now() + Duration::from_secs(120);
    match fixture.engines.attach(common::request(id, until)).await {
        Err(AttachError::Refused { kind, reason }) => (kind, reason),
        other => panic!("{other:?}"),
    }
}

async fn is_asleep(fixture: &EnginesFixture, id: ClusterId) {
    eventually("stopped and asleep", async || {
        fixture.engines.state(id) == ClusterState::Asleep
    })
    .await;
}

/// Whether this process has CAP_SYS_RESOURCE.
fn may_change_running_engines() -> bool {
    const CAP_SYS_RESOURCE: u32 = 24;
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let bits = u64::from_str_radix(line.unwrap().trim(), 16).unwrap();
    bits & (1 << CAP_SYS_RESOURCE) != 0
}

/// Whether a new limit of file sizes is in force only from the next wake on.
async fn file_size_waits(fixture: &EnginesFixture, id: ClusterId) -> bool {
    fixture.engines.usage(id).await.unwrap().file_size_waits
}

#[tokio::test(flavor = "multi_thread")]
async fn one_statement_takes_no_more_than_the_hard_limit() {
    let fixture = EnginesFixture::open().await;
    let id = fixture.create_limited(1, limits(64 * MB)).await;
    let lease = fixture.attach(id).await;
    let mut root = almighty(&lease.address).await;
    let refused = set_redo(&mut root, 1024 * MB).await.unwrap_err();
    assert!(
        refused.contains("(1501)"),
        "an error, not a signal: {refused}"
    );
    assert_eq!(root.one("SELECT 1").await, "1");
    assert_eq!(fixture.deaths(id, ""), 0);
    assert!(used(&fixture, id).await < 64 * MB, "nothing is left of it");
    // A raised limit is valid from the next start. For a running engine this server needs the
    // right CAP_SYS_RESOURCE, which not every root has.
    fixture
        .engines
        .set_limits(id, limits(4096 * MB))
        .await
        .unwrap();
    assert_eq!(
        file_size_waits(&fixture, id).await,
        !may_change_running_engines()
    );
    drop((root, lease));
    eventually("it sleeps", async || {
        fixture.engines.sleep(id).await.is_ok()
    })
    .await;
    assert!(!file_size_waits(&fixture, id).await, "asleep");
    let (_lease, mut root) = fixture.root(id).await;
    assert!(!file_size_waits(&fixture, id).await, "the next wake has it");
    set_redo(&mut root, 1024 * MB).await.unwrap();
    fixture
        .engines
        .set_limits(id, limits(64 * MB))
        .await
        .unwrap();
    is_asleep(&fixture, id).await;
    assert_eq!(refusal(&fixture, id).await.0, RefusalKind::DiskLimit);
    fixture.engines.shutdown().await;
}

/// A cluster whose limit is larger than the disk. Another cluster is busy and within its limits.
#[tokio::test(flavor = "multi_thread")]
async fn the_one_that_takes_the_disk_is_stopped_and_the_operator_gets_it_back() {
    let Some(disk) = Ext4::mount(640 * MB, 65_536) else {
        return;
    };
    let data = disk.path().join("data");
    let fixture = EnginesFixture::open_with(|s| s.folder = data).await;
    let evil = fixture.create_limited(1, limits(4096 * MB)).await;
    let good = fixture.create(2).await;
    let sleeping = fixture.create(3).await;
    let lease = fixture.attach(evil).await;
    let mut attacker = almighty(&lease.address).await;
    let neighbour = fixture.attach(good).await;
    let mut tenant = Client::root(&neighbour.address).await;
    tenant
        .run("CREATE TABLE test.t (a INT) ENGINE=InnoDB")
        .await;
    eventually("the reserve is made", async || {
        fixture.settings.folder.join("run/start.reserve").exists()
    })
    .await;
    let take = disk.free() - 20 * MB;
    let _ = set_redo(&mut attacker, take / MB * MB).await;
    is_asleep(&fixture, evil).await;
    assert_eq!(fixture.deaths(evil, "grew most"), 1);
    assert!(disk.free() < 32 * MB, "{}", disk.free());
    tenant.run("INSERT INTO test.t VALUES (1)").await;
    assert_eq!(fixture.deaths(good, ""), 0, "the innocent one goes on");
    assert_eq!(refusal(&fixture, sleeping).await.0, RefusalKind::DiskFull);
    assert_eq!(refusal(&fixture, evil).await.0, RefusalKind::DiskFull);
    // Nothing is left at all: the start has the reserve only.
    let filler = std::fs::File::create(disk.path().join("filler")).unwrap();
    while std::io::Write::write_all(&mut &filler, &[7; 4096]).is_ok() {}
    // The operator's way out, without deleting anything.
    fixture
        .engines
        .allow_shrink(evil, Duration::from_secs(600))
        .await
        .unwrap();
    fixture.engines.wake(evil).await.unwrap();
    assert!(disk.free() > take - 64 * MB, "{}", disk.free());
    eventually("the measurement shows it", async || {
        used(&fixture, evil).await < 64 * MB
    })
    .await;
    // The refusal of a moment ago is told again for a second.
    eventually("the others wake", async || {
        fixture.engines.wake(sleeping).await.is_ok()
    })
    .await;
    assert_eq!(fixture.deaths(good, ""), 0);
    fixture.engines.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_makes_files_without_end_leaves_the_others_theirs() {
    let Some(disk) = Ext4::mount(640 * MB, 40_000) else {
        return;
    };
    let data = disk.path().join("data");
    let fixture = EnginesFixture::open_with(|s| s.folder = data).await;
    let evil = fixture.create(1).await;
    let good = fixture.create(2).await;
    let lease = fixture.attach(evil).await;
    let mut attacker = almighty(&lease.address).await;
    let usage = fixture.engines.usage(evil).await.unwrap();
    let most = usage.files_max.unwrap();
    assert!((3_000..=4_100).contains(&most), "a tenth: {most}");
    assert!(usage.files.unwrap() < 500);
    let mut made = 0;
    let ended = loop {
        let table = format!("CREATE TABLE test.t{made} (a INT) ENGINE=MyISAM");
        if let Err(ended) = attacker.query(&table).await {
            break ended;
        }
        made += 1;
        assert!(made < 20_000, "nothing stopped it");
    };
    assert!(
        !ended.contains("1290"),
        "an administrator is not read-only: {ended}"
    );
    is_asleep(&fixture, evil).await;
    let (kind, reason) = refusal(&fixture, evil).await;
    assert!(
        kind == RefusalKind::DiskLimit && reason.contains("files"),
        "{reason}"
    );
    assert!(disk.free_inodes() > 10_000, "{}", disk.free_inodes());
    fixture.engines.wake(good).await.unwrap();
    fixture.create(3).await;
    fixture
        .engines
        .allow_shrink(evil, Duration::from_secs(600))
        .await
        .unwrap();
    fixture.engines.wake(evil).await.unwrap();
    fixture.engines.shutdown().await;
}
