//! Quotas of btrfs, on a file system in a file: the kernel itself ends a cluster's growth, and a
//! neighbour's goes on.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed step is a failed test"
)]

mod common;

use common::{EnginesFixture, eventually, not_run};
use std::io::{self, Write};
use std::path::Path;
use std::process::Command;
use tidegate_engine::{Enforcer, LimitsInForce};
use tidegate_model::{ClusterLimits, ClusterState};

const MB: u64 = 1 << 20;

struct Btrfs(tempfile::TempDir);

impl Btrfs {
    /// `None` where this user, this kernel or this machine's programs can't.
    fn mount(quotas: bool) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("image");
        let mounted = folder.path().join("mounted");
        std::fs::create_dir(&mounted).unwrap();
        std::fs::File::create(&image)
            .unwrap()
            .set_len(2048 * MB)
            .unwrap();
        let ready = rustix::process::geteuid().is_root()
            && succeeds(Command::new("mkfs.btrfs").arg("-q").arg(&image))
            && succeeds(
                Command::new("mount")
                    .args(["-o", "loop"])
                    .args([&image, &mounted]),
            );
        if !ready {
            not_run("btrfs can't be mounted here (needs root, the kernel's btrfs and btrfs-progs)");
            return None;
        }
        let this = Self(folder);
        let mut enable = Command::new("btrfs");
        enable.args(["quota", "enable"]).arg(&mounted);
        assert!(!quotas || succeeds(&mut enable));
        std::fs::set_permissions(
            this.0.path(),
            std::os::unix::fs::PermissionsExt::from_mode(0o711),
        )
        .unwrap();
        Some(this)
    }

    fn data(&self) -> std::path::PathBuf {
        self.0.path().join("mounted/data")
    }
}

impl Drop for Btrfs {
    fn drop(&mut self) {
        let _ = Command::new("umount")
            .arg("-l")
            .arg(self.0.path().join("mounted"))
            .status();
    }
}

fn succeeds(command: &mut Command) -> bool {
    let output = command.output();
    output.is_ok_and(|output| output.status.success())
}

/// Writes this many bytes, of a kind that does not compress.
fn write_file(path: &Path, bytes: u64) -> io::Result<()> {
    let mut file = std::fs::File::create(path)?;
    let block: Vec<u8> = (0..MB).map(|n| (n * n % 251) as u8).collect();
    for _ in 0..bytes / MB {
        file.write_all(&block)?;
    }
    file.sync_all()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_system_ends_the_growth_of_one_cluster_and_of_no_other() {
    let Some(disk) = Btrfs::mount(true) else {
        return;
    };
    let fixture = EnginesFixture::open_with(|s| s.folder = disk.data()).await;
    let force = fixture.engines.limits_in_force().unwrap();
    assert_eq!(
        (force.disk.by, &force.disk.reason),
        (Enforcer::Quota, &None)
    );
    assert_eq!(
        LimitsInForce::probe(&fixture.settings.folder, &fixture.settings.local).disk,
        force.disk
    );
    let id = fixture.create_limited(1, limits(64 * MB)).await;
    let neighbour = fixture.create(2).await;
    for cluster in [id, neighbour] {
        let (lease, mut client) = fixture.root(cluster).await;
        client
            .run("CREATE TABLE test.t (a INT) ENGINE=InnoDB")
            .await;
        drop((client, lease));
        eventually("it sleeps", async || {
            fixture.engines.sleep(cluster).await.is_ok()
        })
        .await;
    }
    // Past every measurement, as a process in the engine's walls could. The hard limit is 320 MB.
    let filler = fixture.folder(id).join("data/filler");
    let refused = write_file(&filler, 400 * MB).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::QuotaExceeded, "{refused}");
    write_file(&fixture.folder(neighbour).join("data/filler"), 400 * MB).unwrap();
    std::fs::remove_file(&filler).unwrap();
    // A raised limit raises the quota with it.
    fixture
        .engines
        .set_limits(id, limits(1024 * MB))
        .await
        .unwrap();
    drop(fixture.attach(id).await);
    eventually("the quota is raised", async || {
        write_file(&filler, 400 * MB).is_ok()
    })
    .await;
    eventually("it sleeps", async || {
        fixture.engines.sleep(id).await.is_ok()
    })
    .await;
    assert_eq!(fixture.engines.state(id), ClusterState::Asleep);
    fixture.engines.remove(id).await.unwrap();
    assert!(
        !fixture.folder(id).exists(),
        "a subvolume is removed like a folder"
    );
    fixture.engines.shutdown().await;
}

fn limits(soft: u64) -> ClusterLimits {
    ClusterLimits {
        disk_max_bytes: soft,
        ..ClusterLimits::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_quotas_a_cluster_is_measured_and_the_reason_is_told() {
    let Some(disk) = Btrfs::mount(false) else {
        return;
    };
    let fixture = EnginesFixture::open_with(|s| s.folder = disk.data()).await;
    let force = fixture.engines.limits_in_force().unwrap();
    assert_eq!(force.disk.by, Enforcer::Measured);
    let reason = force.disk.reason.unwrap();
    assert!(reason.contains("hint: btrfs quota enable"), "{reason}");
    let id = fixture.create(1).await;
    drop(fixture.attach(id).await);
    assert!(fixture.engines.usage(id).await.unwrap().disk_bytes.unwrap() > 0);
    fixture.engines.shutdown().await;
}
