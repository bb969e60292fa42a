//! The disk limit of a cluster, with real engines: read-only above the soft limit, stopped above
//! the hard one, and the ways back.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed step is a failed test"
)]

mod common;

use common::{Client, EnginesFixture, almighty, eventually};
use std::time::{Duration, Instant};
use tidegate_model::{AttachError, ClusterId, ClusterLimits, ClusterState, RefusalKind, Waker};

const MB: u64 = 1 << 20;
const SHRINK: Duration = Duration::from_secs(600);

/// The hard limit is 256 MB above this.
fn limits(soft: u64) -> ClusterLimits {
    ClusterLimits {
        disk_max_bytes: soft,
        ..ClusterLimits::default()
    }
}

async fn login(fixture: &EnginesFixture, id: ClusterId) -> Client {
    let (_lease, mut client) = fixture.root(id).await;
    client.run("USE test").await;
    client
}

/// Adds about 16 MB.
async fn grow(client: &mut Client) -> Result<Vec<Vec<String>>, String> {
    client
        .query("INSERT INTO t SELECT REPEAT('x', 8000) FROM seq_1_to_2000")
        .await
}

async fn grow_until_refused(client: &mut Client) -> String {
    let until = Instant::now() + Duration::from_secs(120);
    loop {
        if let Err(refused) = grow(client).await {
            return refused;
        }
        assert!(Instant::now() < until, "nothing stopped it");
    }
}

async fn used(fixture: &EnginesFixture, id: ClusterId) -> u64 {
    fixture.engines.usage(id).await.unwrap().disk_bytes.unwrap()
}

async fn try_attach(fixture: &EnginesFixture, id: ClusterId) -> Result<(), AttachError> {
    fixture
        .engines
        .attach(common::request(
            id,
            Instant::now() + Duration::from_secs(120),
        ))
        .await
        .map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_at_its_soft_limit_is_read_only_until_it_has_deleted() {
    let fixture = EnginesFixture::open().await;
    let id = fixture.create_limited(1, limits(64 * MB)).await;
    let neighbour = fixture.create(2).await;
    assert!(
        used(&fixture, id).await < 64 * MB,
        "an empty cluster is below the limit"
    );
    let mut client = login(&fixture, id).await;
    let mut other = login(&fixture, neighbour).await;
    client
        .run("CREATE TABLE t (a VARCHAR(8000)) ENGINE=InnoDB")
        .await;
    let refused = grow_until_refused(&mut client).await;
    assert!(
        refused.contains("read-only") && refused.contains("(1290)"),
        "{refused}"
    );
    assert!(used(&fixture, id).await > 64 * MB);
    assert_ne!(
        client.one("SELECT COUNT(*) FROM t").await,
        "0",
        "reading works"
    );
    assert!(
        client
            .query("DROP TABLE t")
            .await
            .unwrap_err()
            .contains("1290"),
        "deleting does not"
    );
    other.run("CREATE TABLE t (a INT)").await;
    // The operator's password change is no matter of the tenant's limit.
    fixture
        .engines
        .set_password(id, "root", common::stage2("second"))
        .await
        .unwrap();
    fixture
        .engines
        .set_password(id, "root", common::stage2("first"))
        .await
        .unwrap();
    // Asleep and awake again it is read-only from its start.
    drop(client);
    eventually("it sleeps", async || {
        fixture.engines.sleep(id).await.is_ok()
    })
    .await;
    let mut client = login(&fixture, id).await;
    assert!(
        client
            .query("TRUNCATE t")
            .await
            .unwrap_err()
            .contains("1290")
    );
    fixture.engines.allow_shrink(id, SHRINK).await.unwrap();
    eventually("it may write", async || {
        client.one("SELECT @@read_only").await == "0"
    })
    .await;
    client.run("DROP TABLE t").await;
    eventually("its use falls", async || used(&fixture, id).await < 60 * MB).await;
    assert_eq!(
        fixture
            .memory
            .count(|e| matches!(e, tidegate_model::Event::EngineDied { .. })),
        0
    );
    fixture.engines.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_raised_limit_is_valid_for_a_running_engine_and_a_lowered_one_too() {
    let fixture = EnginesFixture::open().await;
    let id = fixture.create_limited(1, limits(1 << 40)).await;
    let mut client = login(&fixture, id).await;
    client
        .run("CREATE TABLE t (a VARCHAR(8000)) ENGINE=InnoDB")
        .await;
    for _ in 0..3 {
        grow(&mut client).await.unwrap();
    }
    fixture
        .engines
        .set_limits(id, limits(32 * MB))
        .await
        .unwrap();
    eventually("read-only", async || {
        client.one("SELECT @@read_only").await == "1"
    })
    .await;
    fixture
        .engines
        .set_limits(id, limits(1 << 40))
        .await
        .unwrap();
    eventually("writable", async || {
        client.one("SELECT @@read_only").await == "0"
    })
    .await;
    fixture.engines.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_writes_all_the_same_is_stopped_at_the_hard_limit_and_can_come_back() {
    let fixture = EnginesFixture::open().await;
    let id = fixture.create_limited(1, limits(64 * MB)).await;
    // A user with all rights may write to a read-only engine.
    let mut client = almighty(&fixture.attach(id).await.address).await;
    client.run("USE test").await;
    client
        .run("CREATE TABLE t (a VARCHAR(8000)) ENGINE=InnoDB")
        .await;
    let refused = grow_until_refused(&mut client).await;
    assert!(
        !refused.contains("1290"),
        "an administrator of the engine is stopped by its process only: {refused}"
    );
    eventually("asleep, not failed", async || {
        fixture.engines.state(id) == ClusterState::Asleep
    })
    .await;
    let hard = 64 * MB + 256 * MB;
    assert_eq!(fixture.deaths(id, "hard limit"), 1);
    // A disk that writes faster than the measurements are apart may be over it by that much.
    assert!(
        used(&fixture, id).await < 3 * hard,
        "{}",
        used(&fixture, id).await
    );
    for _ in 0..3 {
        let Err(AttachError::Refused { kind, reason }) = try_attach(&fixture, id).await else {
            panic!("let in")
        };
        assert!(
            kind == RefusalKind::DiskLimit && reason.contains("hard limit"),
            "{reason}"
        );
    }
    assert_eq!(fixture.engines.state(id), ClusterState::Asleep);
    assert_eq!(
        fixture.memory.starts(),
        1,
        "no engine was started for a refused login"
    );
    // The way back.
    fixture.engines.allow_shrink(id, SHRINK).await.unwrap();
    let mut client = login(&fixture, id).await;
    client.run("DROP TABLE t").await;
    drop(client);
    eventually("its use falls", async || used(&fixture, id).await < 64 * MB).await;
    eventually("it sleeps", async || {
        fixture.engines.sleep(id).await.is_ok()
    })
    .await;
    try_attach(&fixture, id).await.unwrap();
    fixture.engines.shutdown().await;
}
