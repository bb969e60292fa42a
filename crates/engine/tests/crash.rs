//! Engines and servers that are killed, with the real engine: no committed row is lost and nothing
//! is left behind.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed step is a failed test"
)]

mod common;

use common::{Client, EnginesFixture, eventually, kill_9};
use std::time::{Duration, Instant};
use tidegate_model::{EngineAddress, Event, Waker};

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_killed_in_the_middle_keeps_what_was_committed_and_recovers_by_itself() {
    let fixture = EnginesFixture::open().await;
    let id = fixture.create(1).await;
    let mut lease = fixture.attach(id).await;
    let mut root = Client::root(&lease.address).await;
    root.run("CREATE TABLE test.t (a INT PRIMARY KEY)").await;
    for n in 0..100 {
        root.run(&format!("INSERT INTO test.t VALUES ({n})")).await;
    }
    root.run("CREATE USER app@'%' IDENTIFIED BY 'secret'").await;
    kill_9(fixture.pid(id).unwrap());
    assert!(
        lease.yield_request().await.is_none(),
        "the lease learns that its engine is gone"
    );
    eventually("up again", async || fixture.memory.starts() == 2).await;
    assert_eq!(
        fixture
            .memory
            .count(|e| matches!(e, Event::EngineDied { .. })),
        1
    );
    let book = fixture.memory.row(id).book.unwrap();
    assert!(
        book.accounts.iter().any(|a| a.user == "app"),
        "read again before anybody was let in"
    );
    let (_lease, mut root) = fixture.root(id).await;
    assert_eq!(root.one("SELECT COUNT(*) FROM test.t").await, "100");
    fixture.engines.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whenever_an_engine_is_killed_no_row_that_was_acknowledged_is_lost() {
    let fixture = EnginesFixture::open().await;
    let id = fixture.create(1).await;
    let (lease, mut root) = fixture.root(id).await;
    root.run("CREATE TABLE test.t (a INT PRIMARY KEY)").await;
    drop((root, lease));
    let mut acknowledged = 0u64;
    // Each round dies at another moment of a login or of a write.
    for round in 0u64..6 {
        let run = {
            let lease = fixture.attach(id).await;
            let pid = fixture.pid(id).expect("it is awake");
            let killer = tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(3 + round * 17)).await;
                kill_9(pid);
            });
            if let Ok(mut root) = Client::login(&lease.address, "root", "first").await {
                // A row that was written and not acknowledged may be there already.
                while root
                    .query(&format!(
                        "INSERT IGNORE INTO test.t VALUES ({acknowledged})"
                    ))
                    .await
                    .is_ok()
                {
                    acknowledged += 1;
                }
            }
            killer.await.unwrap();
            lease.run
        };
        eventually("the next run", async || fixture.attach(id).await.run > run).await;
    }
    let (_lease, mut root) = fixture.root(id).await;
    let kept: u64 = root
        .one(&format!(
            "SELECT COUNT(*) FROM test.t WHERE a < {acknowledged}"
        ))
        .await
        .parse()
        .unwrap();
    assert_eq!(kept, acknowledged);
    fixture.engines.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_killed_while_waking_is_started_once_more_unseen() {
    let fixture = EnginesFixture::open().await;
    let id = fixture.create(1).await;
    let engines = fixture.engines.clone();
    let waiter = tokio::spawn(async move {
        engines
            .attach(common::request(
                id,
                Instant::now() + Duration::from_secs(120),
            ))
            .await
    });
    // Read once: a second reading might come after its end.
    let mut killed = 0;
    eventually("a process", async || {
        killed = fixture.pid(id).unwrap_or(0);
        killed != 0
    })
    .await;
    kill_9(killed);
    let lease = waiter.await.unwrap().unwrap();
    // Killed before or after it was ready, depending on the machine; either way the next login
    // works.
    let mut tries = 0;
    eventually("a login", async || {
        tries += 1;
        let address = lease.address.clone();
        Client::login(&address, "root", "first").await.is_ok()
    })
    .await;
    assert!(
        fixture.pid(id).is_some_and(|pid| pid != killed),
        "another process"
    );
    fixture.engines.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_kill_9_of_the_server_no_engine_stays_and_the_next_server_recovers() {
    let fixture = EnginesFixture::open().await;
    let id = fixture.create(1).await;
    // A server in another process, which keeps the cluster awake until it is killed.
    let mut server = common::holder(&fixture);
    let engine = fixture.pid(id).expect("its engine runs");
    let address = EngineAddress::Unix(fixture.settings.folder.join("run/engine-1.sock"));
    let mut root = Client::root(&address).await;
    root.run("CREATE TABLE test.t (a INT)").await;
    root.run("INSERT INTO test.t VALUES (7)").await;
    server.kill().unwrap();
    server.wait().unwrap();
    // The next server starts at once. It waits for the lock of an engine that may still be ending.
    let fixture = fixture.reopen(|_| {}).await;
    fixture.adopt(1, false).await;
    fixture.engines.recover(id).await.unwrap();
    assert!(
        !std::path::Path::new(&format!("/proc/{engine}/exe")).exists(),
        "no orphan"
    );
    assert_eq!(
        fixture
            .memory
            .count(|e| matches!(e, Event::EngineStarted { recovery: true, .. })),
        1
    );
    let (_lease, mut root) = fixture.root(id).await;
    assert_eq!(root.one("SELECT a FROM test.t").await, "7");
    fixture.engines.shutdown().await;
}
