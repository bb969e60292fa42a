//! Limits of one cluster on real engines: a tenant at its limit gets an error, and its neighbours
//! notice nothing.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed step is a failed test"
)]

mod common;

use common::{Client, EnginesFixture, eventually};
use std::path::PathBuf;
use tidegate_engine::{CgroupChoice, Enforcer, LimitsInForce};
use tidegate_model::{ClusterId, ClusterLimits, ClusterState, ClusterUsage};

/// The directories of the groups that a process is in and that this server made.
fn groups(pid: i32) -> Vec<PathBuf> {
    let own = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    own.lines()
        .filter(|line| line.contains("/tidegate-"))
        .map(|line| line.splitn(3, ':').nth(2).unwrap().into())
        .collect()
}

fn proc_file(pid: i32, name: &str) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap()
}

/// Returns the limit of tasks of the first of these groups that has one, with control groups v1.
fn pids_max(groups: &[PathBuf]) -> Option<String> {
    groups.iter().find_map(|group| {
        let path = format!("/sys/fs/cgroup/pids{}/pids.max", group.display());
        std::fs::read_to_string(path).ok()
    })
}

/// Returns the rank by which the kernel kills processes when memory runs out.
fn oom_score(pid: impl std::fmt::Display) -> i32 {
    let score = std::fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).unwrap();
    score.trim().parse().unwrap()
}

/// Runs a statement that keeps half a gigabyte in memory.
async fn fill_memory(client: &mut Client) -> Result<Vec<Vec<String>>, String> {
    client.run("USE test").await;
    client
        .run("SET SESSION max_heap_table_size = 4294967296")
        .await;
    client
        .run("CREATE OR REPLACE TABLE filler (a CHAR(250)) ENGINE=MEMORY")
        .await;
    client
        .query("INSERT INTO filler SELECT REPEAT('x', 250) FROM seq_1_to_2000000")
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_at_its_memory_limit_gets_an_error_and_lives() {
    let fixture = EnginesFixture::open().await;
    let limits = ClusterLimits {
        memory_max_bytes: 256 << 20,
        ..ClusterLimits::default()
    };
    let small = fixture.create_limited(1, limits).await;
    let neighbour = fixture.create(2).await;
    let lease = fixture.attach(small).await;
    let other = fixture.attach(neighbour).await;
    let mut tenant = Client::root(&lease.address).await;
    let mut bystander = Client::root(&other.address).await;
    let engine = fixture.pid(small).unwrap();
    let gateway = std::process::id();
    for _ in 0..3 {
        let refused = fill_memory(&mut tenant).await.unwrap_err();
        assert!(!refused.contains("closed"), "the engine ended: {refused}");
        tenant.run("DROP TABLE filler").await;
    }
    assert_eq!(
        fixture.pid(small),
        Some(engine),
        "the same process as before"
    );
    assert_eq!(bystander.one("SELECT 1").await, "1");
    assert_eq!(fixture.memory.starts(), 2, "nothing was started again");
    assert!(oom_score(engine) > oom_score(gateway));
    fixture.engines.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_is_in_a_group_of_its_own_from_start_to_sleep() {
    let fixture = EnginesFixture::open().await;
    let force = fixture.engines.limits_in_force().unwrap();
    if force.memory.by == Enforcer::Rlimit {
        assert!(force.memory.reason.is_some());
        return common::not_run("no control groups of engines on this machine");
    }
    let limits = ClusterLimits {
        tasks_max: 100,
        cpu_weight: 50,
        ..ClusterLimits::default()
    };
    let id = fixture.create_limited(1, limits).await;
    let lease = fixture.attach(id).await;
    let pid = fixture.pid(id).unwrap();
    let before = groups(pid);
    assert!(
        !before.is_empty() && groups(std::process::id().cast_signed()).len() < before.len(),
        "{before:?}"
    );
    assert!(
        proc_file(pid, "limits")
            .lines()
            .any(|l| l.starts_with("Max processes") && l.contains(" 100 "))
    );
    let usage = fixture.engines.usage(id).await.unwrap();
    assert!(usage.memory_bytes.unwrap() > 10 << 20, "{usage:?}");
    assert!(
        usage.tasks.unwrap() > 5 && usage.cpu_micros.unwrap() > 1000,
        "{usage:?}"
    );
    // While it runs.
    fixture
        .engines
        .set_limits(
            id,
            ClusterLimits {
                memory_max_bytes: 2 << 30,
                tasks_max: 90,
                ..limits
            },
        )
        .await
        .unwrap();
    if force.tasks.by == Enforcer::CgroupV1 && pids_max(&before).is_some() {
        eventually("the new limit of tasks", async || {
            pids_max(&before).unwrap().trim() == "90"
        })
        .await;
    }
    drop(lease);
    fixture.engines.sleep(id).await.unwrap();
    assert_eq!(fixture.engines.state(id), ClusterState::Asleep);
    let asleep = fixture.engines.usage(id).await.unwrap();
    assert_eq!((asleep.memory_bytes, asleep.tasks), (Some(0), Some(0)));
    assert!(
        asleep.cpu_micros >= usage.cpu_micros,
        "what it used before is kept: {asleep:?}"
    );
    for group in before {
        let left = std::fs::read_dir("/sys/fs/cgroup")
            .unwrap()
            .flatten()
            .filter(|hierarchy| {
                hierarchy
                    .path()
                    .join(group.strip_prefix("/").unwrap())
                    .exists()
            });
        assert_eq!(left.count(), 0, "{}", group.display());
    }
    fixture.engines.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_groups_use_is_measured_and_the_memory_limit_is_kept_by_rlimit() {
    let fixture = EnginesFixture::open_with(|s| s.local.cgroup = CgroupChoice::Off).await;
    let limits = ClusterLimits {
        memory_max_bytes: 256 << 20,
        ..ClusterLimits::default()
    };
    let id = fixture.create_limited(1, limits).await;
    let force = fixture.engines.limits_in_force().unwrap();
    assert_eq!(
        (force.memory.by, force.cpu.by, force.kill.by),
        (Enforcer::Rlimit, Enforcer::Nothing, Enforcer::Nothing)
    );
    assert!(
        force.missing().iter().any(|m| m.contains("engine.cgroup")),
        "{force:?}"
    );
    assert_eq!(
        LimitsInForce::probe(&fixture.settings.folder, &fixture.settings.local),
        force
    );
    let lease = fixture.attach(id).await;
    assert_eq!(
        groups(fixture.pid(id).unwrap()),
        groups(std::process::id().cast_signed())
    );
    let usage = fixture.engines.usage(id).await.unwrap();
    assert!(
        usage.memory_bytes.unwrap() > 10 << 20 && usage.tasks.unwrap() > 5,
        "{usage:?}"
    );
    let mut tenant = Client::root(&lease.address).await;
    let refused = fill_memory(&mut tenant).await.unwrap_err();
    assert!(!refused.contains("closed"), "{refused}");
    assert_eq!(tenant.one("SELECT 1").await, "1");
    assert!(fixture.engines.usage(ClusterId(77)).await.is_err());
    assert_ne!(usage, ClusterUsage::default());
    fixture.engines.shutdown().await;
}
