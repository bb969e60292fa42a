//! Lifecycle of a cluster with the real engine: creation, wake, sleep, recovery from a failed
//! start, removal. Crashes are in `crash.rs`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed step is a failed test"
)]

mod common;

use common::{Client, EnginesFixture, eventually};
use std::time::{Duration, Instant};
use tidegate_model::{
    AttachError, ClusterLimits, ClusterState, EngineSession, Event, RunEpoch, Waker,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_made_woken_put_to_sleep_and_woken_again() {
    let fixture = EnginesFixture::open().await;
    let id = fixture.create(1).await;
    assert_eq!(fixture.engines.state(id), ClusterState::Asleep);
    let (lease, mut root) = fixture.root(id).await;
    root.run("CREATE TABLE test.t (a INT PRIMARY KEY, b TEXT)")
        .await;
    root.run("INSERT INTO test.t VALUES (1, 'kept')").await;
    drop((root, lease));
    fixture.engines.sleep(id).await.unwrap();
    assert_eq!(fixture.engines.state(id), ClusterState::Asleep);
    assert_eq!(fixture.pid(id), None, "no process stays");
    let row = fixture.memory.row(id);
    assert!(!row.awake);
    let names: Vec<_> = row
        .book
        .unwrap()
        .accounts
        .iter()
        .map(|a| format!("{}@{}", a.user, a.host))
        .collect();
    assert_eq!(names, ["root@%"], "the gateway's own account is nobody's");

    let (lease, mut root) = fixture.root(id).await;
    assert_eq!(root.one("SELECT b FROM test.t").await, "kept");
    assert_eq!(lease.run.0, 2);
    fixture.engines.shutdown().await;
    assert_eq!(fixture.pid(id), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn any_number_of_waiters_cause_one_start_and_one_who_leaves_frees_its_place() {
    let fixture = EnginesFixture::open().await;
    let id = fixture.create(1).await;
    let far = Instant::now() + Duration::from_secs(60);
    let leaves = fixture.engines.clone();
    let leaver = tokio::spawn(async move { leaves.attach(common::request(id, far)).await });
    let waiters: Vec<_> = (0..50)
        .map(|_| {
            let engines = fixture.engines.clone();
            tokio::spawn(async move { engines.attach(common::request(id, far)).await })
        })
        .collect();
    leaver.abort();
    let mut leases = Vec::new();
    for waiter in waiters {
        leases.push(waiter.await.unwrap().unwrap());
    }
    assert_eq!(fixture.memory.starts(), 1);
    assert!(leases.iter().all(|l| l.run.0 == 1));
    fixture.engines.shutdown().await;
    let after = fixture.engines.attach(common::request(id, far)).await;
    assert_eq!(after.unwrap_err(), AttachError::Gone);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_that_passed_ends_the_wait_and_not_the_start() {
    let fixture = EnginesFixture::open().await;
    let id = fixture.create(1).await;
    assert_eq!(
        fixture
            .engines
            .attach(common::request(id, Instant::now()))
            .await
            .unwrap_err(),
        AttachError::Deadline
    );
    fixture.attach(id).await;
    fixture.engines.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_engine_on_one_data_directory_is_impossible() {
    let fixture = EnginesFixture::open().await;
    let id = fixture.create(1).await;
    let lease = fixture.attach(id).await;
    // Another server with the same data directory, as if it had got its lock too.
    let other = std::sync::Arc::new(common::Memory::default());
    let mut settings = fixture.settings.clone();
    let engines_folder = fixture.settings.folder.join("engines");
    settings.folder = fixture.temp.path().join("other");
    std::fs::create_dir(&settings.folder).unwrap();
    std::os::unix::fs::symlink(engines_folder, settings.folder.join("engines")).unwrap();
    let second = EnginesFixture::engines(&settings, &other).await;
    second
        .adopt(fixture.spec(1, ClusterLimits::default()), true)
        .await
        .unwrap();
    let refused = second.wake(id).await.unwrap_err().report();
    assert!(refused.contains("another engine still runs"), "{refused}");
    let mut root = Client::root(&lease.address).await;
    assert_eq!(root.one("SELECT 1").await, "1", "the first is unharmed");
    fixture.engines.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_whose_client_is_gone_is_ended_in_the_engine() {
    let fixture = EnginesFixture::open().await;
    let id = fixture.create(1).await;
    let (lease, mut root) = fixture.root(id).await;
    let session: u64 = root.one("SELECT CONNECTION_ID()").await.parse().unwrap();
    let work = tokio::spawn(async move { root.query("SELECT SLEEP(600)").await });
    let mut observer = Client::root(&lease.address).await;
    let count = format!(
        "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID={session} AND INFO LIKE \
         '%600%'"
    );
    eventually("at work", async || observer.one(&count).await == "1").await;
    for run in [RunEpoch(99), lease.run] {
        fixture
            .engines
            .end_session(id, EngineSession::of_single(run, session));
    }
    assert!(work.await.unwrap().is_err());
    fixture.engines.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn removing_leaves_nothing_and_tells_those_who_wait() {
    let fixture = EnginesFixture::open().await;
    let id = fixture.create(1).await;
    let mut lease = fixture.attach(id).await;
    let pid = fixture.pid(id).unwrap();
    fixture.engines.remove(id).await.unwrap();
    assert!(!fixture.folder(id).exists());
    assert!(!std::path::Path::new(&format!("/proc/{pid}/exe")).exists());
    // The session was asked to end and did not answer; the removal did not wait for it.
    while lease.yield_request().await.is_some() {}
    assert!(fixture.engines.wake(id).await.is_err());
    assert_eq!(
        std::fs::read_dir(fixture.settings.folder.join("engines"))
            .unwrap()
            .count(),
        0
    );
    assert_eq!(
        fixture
            .engines
            .attach(common::request(id, Instant::now()))
            .await
            .unwrap_err(),
        AttachError::Gone
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_cannot_start_says_why_and_starts_once_it_is_repaired() {
    let fixture = EnginesFixture::open().await;
    let id = fixture.create(1).await;
    let file = fixture.folder(id).join("data/ibdata1");
    let good = std::fs::read(&file).unwrap();
    std::fs::write(&file, b"not a tablespace").unwrap();
    let far = Instant::now() + Duration::from_secs(60);
    let AttachError::Failed(reason) = fixture
        .engines
        .attach(common::request(id, far))
        .await
        .unwrap_err()
    else {
        panic!("started")
    };
    assert!(
        reason.contains("ibdata1") && reason.contains("engine.log"),
        "{reason}"
    );
    assert_eq!(fixture.engines.state(id), ClusterState::Failed);
    assert_eq!(fixture.engines.failure(id).unwrap(), reason);
    assert_eq!(
        fixture
            .memory
            .count(|e| matches!(e, Event::EngineFailed { .. })),
        1
    );
    // Until the next attempt is due, logins get the same error, and nothing is started.
    assert_eq!(
        fixture
            .engines
            .attach(common::request(id, far))
            .await
            .unwrap_err(),
        AttachError::Failed(reason)
    );
    assert!(
        fixture
            .engines
            .accounts(id, vec!["root".to_owned()], Instant::now())
            .await
            .is_err()
    );
    std::fs::write(&file, good).unwrap();
    eventually("repaired", async || {
        fixture
            .engines
            .attach(common::request(id, far))
            .await
            .is_ok()
    })
    .await;
    assert_eq!(fixture.engines.failure(id), None);
    fixture.engines.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn data_of_another_major_version_are_not_touched() {
    let fixture = EnginesFixture::open().await;
    let id = fixture.create(1).await;
    let version = fixture.folder(id).join("version");
    // Recorded when the template is copied, so that the first start is guarded too.
    let recorded = std::fs::read_to_string(&version).unwrap();
    assert!(recorded.ends_with("-MariaDB"), "{recorded}");
    std::fs::write(version, "11.8.6-MariaDB").unwrap();
    let refused = fixture.engines.wake(id).await.unwrap_err().report();
    assert!(refused.contains("11.8.6"), "{refused}");
    assert_eq!(fixture.pid(id), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_cluster_is_what_users_of_a_hosted_mysql_expect() {
    let fixture = EnginesFixture::open().await;
    let id = fixture.create(1).await;
    let (_lease, mut root) = fixture.root(id).await;
    assert_eq!(
        root.one("SELECT USER()").await,
        "root@203.0.113.9",
        "the engine knows the client's address"
    );
    let got = root
        .query(
            "SELECT @@character_set_server, @@collation_server, @@sql_mode LIKE \
         '%STRICT_TRANS_TABLES%', @@max_allowed_packet >= 64*1024*1024, @@local_infile, \
         @@max_connections, @@port + @@skip_networking",
        )
        .await
        .unwrap();
    assert_eq!(
        got[0][..6],
        ["utf8mb4", "utf8mb4_general_ci", "1", "1", "1", "200"]
    );
    assert!(root.one("SHOW CREATE DATABASE test").await == "test");
    root.run("CREATE DATABASE app; ").await;
    root.run("CREATE TABLE app.t (t TEXT)").await;
    root.run("INSERT INTO app.t VALUES ('\u{1F30A}')").await;
    assert_eq!(root.one("SELECT t FROM app.t").await, "\u{1F30A}");
    root.run("CREATE USER other@'%' IDENTIFIED BY 'x'").await;
    root.run("GRANT SELECT ON app.* TO other@'%'").await;
    // Filled by a tool of the package mariadb-client; the tests' script brings it.
    if std::env::var_os("TIDEGATE_TZINFO_TO_SQL").is_some() {
        let summer = root
            .one("SELECT CONVERT_TZ('2026-07-01 12:00:00', 'UTC', 'Europe/Berlin')")
            .await;
        assert_eq!(summer, "2026-07-01 14:00:00");
        let crash_safe = "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_NAME LIKE \
         'time_zone%' AND CREATE_OPTIONS LIKE '%transactional=1%'";
        assert_eq!(root.one(crash_safe).await, "5");
    } else {
        common::not_run("named time zones: TIDEGATE_TZINFO_TO_SQL is not set");
    }
    let users = root
        .query("SELECT user FROM mysql.global_priv ORDER BY user")
        .await
        .unwrap();
    assert_eq!(
        users.into_iter().flatten().collect::<Vec<_>>(),
        ["mariadb.sys", "other", "root", "tidegate.admin"]
    );
    fixture.engines.shutdown().await;
}
