//! The gateway's own access to an engine whose tenant has all rights: an attack on it costs that
//! cluster a clean sleep at most, and the next start repairs it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed step is a failed test"
)]

mod common;

use common::hostile_tenant::HostileTenant;
use common::{Client, EnginesFixture, eventually, stage2};
use std::time::{Duration, Instant};
use tidegate_model::{ClusterId, ClusterState, Event, Lease};

/// Reads root's account as the gateway does, and returns the names of the users.
async fn read_accounts(hostile: &HostileTenant) -> Result<Vec<String>, String> {
    let engines = &hostile.fixture.engines;
    let book = engines
        .accounts(hostile.id, vec!["root".to_owned()], Instant::now())
        .await
        .map_err(|e| e.report())?;
    Ok(book.accounts.iter().map(|a| a.user.clone()).collect())
}

/// Ends the gateway's session, as a tenant may with KILL.
async fn kill_ours(hostile: &mut HostileTenant) {
    let find = "SELECT ID FROM information_schema.PROCESSLIST WHERE USER = 'tidegate.admin'";
    let session = hostile.root.one(find).await;
    hostile
        .root
        .run(&format!("KILL CONNECTION {session}"))
        .await;
}

/// Asserts that this is still the first run: the tenant's session was not closed.
async fn assert_first_run(hostile: &mut HostileTenant) {
    assert_eq!(hostile.root.one("SELECT 1").await, "1");
    assert_eq!(hostile.fixture.memory.starts(), 1);
    assert_eq!(hostile.fixture.deaths(hostile.id, ""), 0);
}

/// Puts the cluster to sleep, cleanly or not, and asserts that its next run works as usual.
async fn assert_next_run_works(hostile: HostileTenant) -> EnginesFixture {
    let (fixture, id) = hostile.sleep().await;
    let lease = fixture.attach(id).await;
    Client::root(&lease.address).await;
    let book = fixture
        .engines
        .accounts(id, vec!["root".to_owned()], Instant::now())
        .await
        .unwrap();
    assert!(book.accounts.iter().any(|a| a.user == "root"));
    drop(lease);
    fixture.engines.sleep(id).await.unwrap();
    assert_eq!(fixture.engines.state(id), ClusterState::Asleep);
    assert!(!fixture.memory.row(id).awake, "asleep cleanly");
    fixture
}

/// Sets root's password to "second".
async fn renew_password(fixture: &EnginesFixture, id: ClusterId) {
    let verifier = stage2("second");
    let engines = &fixture.engines;
    engines.set_password(id, "root", verifier).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_administrative_session_is_replaced_unseen() {
    let mut hostile = HostileTenant::begin().await;
    for _ in 0..3 {
        kill_ours(&mut hostile).await;
        assert_eq!(read_accounts(&hostile).await.unwrap(), ["root"]);
    }
    assert_first_run(&mut hostile).await;
    let fixture = assert_next_run_works(hostile).await;
    assert_eq!(fixture.memory.starts(), 2, "each sleep was clean");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_taken_from_us_costs_readings_and_the_clean_sleep_only() {
    for attack in [
        "DROP USER 'tidegate.admin'@'localhost'",
        "ALTER USER 'tidegate.admin'@'localhost' ACCOUNT LOCK",
        "ALTER USER 'tidegate.admin'@'localhost' IDENTIFIED BY 'mine'",
        "RENAME USER 'tidegate.admin'@'localhost' TO mine@localhost",
        "CREATE OR REPLACE USER 'tidegate.admin'@'localhost' IDENTIFIED BY 'mine'",
    ] {
        let mut hostile = HostileTenant::begin().await;
        hostile.root.run(attack).await;
        // An open session stays open, but no new one can be opened.
        kill_ours(&mut hostile).await;
        let refused = read_accounts(&hostile).await.unwrap_err();
        assert!(refused.contains("login"), "{attack}: {refused}");
        assert_first_run(&mut hostile).await;
        let fixture = assert_next_run_works(hostile).await;
        assert_eq!(
            fixture
                .memory
                .count(|e| matches!(e, Event::EngineFailed { .. })),
            0,
            "{attack}"
        );
        fixture.engines.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_taken_from_us_cost_readings_only() {
    let mut hostile = HostileTenant::begin().await;
    hostile
        .root
        .run("REVOKE ALL PRIVILEGES, GRANT OPTION FROM 'tidegate.admin'@'localhost'")
        .await;
    kill_ours(&mut hostile).await;
    assert!(read_accounts(&hostile).await.is_err());
    assert_first_run(&mut hostile).await;
    assert_next_run_works(hostile).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_table_of_accounts_costs_a_reading() {
    let mut hostile = HostileTenant::begin().await;
    hostile
        .root
        .run("LOCK TABLES mysql.global_priv WRITE")
        .await;
    assert!(read_accounts(&hostile).await.is_err());
    hostile.root.run("UNLOCK TABLES").await;
    assert_eq!(read_accounts(&hostile).await.unwrap(), ["root"]);
    assert_first_run(&mut hostile).await;
    assert_next_run_works(hostile).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_in_the_place_of_the_accounts_is_replaced_and_not_copied() {
    let mut hostile = HostileTenant::begin().await;
    hostile
        .root
        .run("RENAME TABLE mysql.global_priv TO mysql.mine")
        .await;
    hostile
        .root
        .run("CREATE VIEW mysql.global_priv AS SELECT * FROM mysql.mine")
        .await;
    assert_first_run(&mut hostile).await;
    let (fixture, id) = hostile.sleep().await;
    let lease = fixture.attach(id).await;
    assert!(
        Client::login(&lease.address, "root", "first")
            .await
            .is_err(),
        "a view may have no end, so nothing is read from it"
    );
    renew_password(&fixture, id).await;
    Client::login(&lease.address, "root", "second")
        .await
        .unwrap();
    fixture.engines.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_never_answers_is_replaced_at_the_next_start() {
    let mut hostile = HostileTenant::begin().await;
    hostile
        .root
        .run("RENAME TABLE mysql.global_priv TO mysql.mine")
        .await;
    hostile
        .root
        .run(
            "CREATE VIEW mysql.global_priv AS SELECT Host, User, Priv FROM mysql.mine WHERE \
         SLEEP(1000) = 0",
        )
        .await;
    assert!(read_accounts(&hostile).await.is_err());
    assert_first_run(&mut hostile).await;
    // The accounts can't be read, so root gets a password that nobody knows.
    let (fixture, id) = hostile.sleep().await;
    renew_password(&fixture, id).await;
    let lease = fixture.attach(id).await;
    Client::login(&lease.address, "root", "second")
        .await
        .unwrap();
    fixture.engines.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dropped_or_masked_tables_of_the_engine_are_made_again() {
    let mut hostile = HostileTenant::begin().await;
    hostile
        .root
        .run("CREATE TABLE test.kept AS SELECT 7 AS n")
        .await;
    for table in [
        "global_priv",
        "db",
        "roles_mapping",
        "proxies_priv",
        "func",
        "plugin",
        "servers",
        "event",
    ] {
        hostile.root.run(&format!("DROP TABLE mysql.{table}")).await;
    }
    for table in ["db", "func", "event"] {
        hostile
            .root
            .run(&format!("CREATE VIEW mysql.{table} AS SELECT 1 AS n"))
            .await;
    }
    assert_first_run(&mut hostile).await;
    let (fixture, id) = hostile.sleep().await;
    renew_password(&fixture, id).await;
    let lease = fixture.attach(id).await;
    let mut root = Client::login(&lease.address, "root", "second")
        .await
        .unwrap();
    assert_eq!(root.one("SELECT n FROM test.kept").await, "7");
    root.run("CREATE USER app@'%' IDENTIFIED BY 'app'").await;
    root.run("GRANT ALL ON app.* TO app@'%'").await;
    fixture.engines.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_constraint_against_our_account_goes_with_the_next_start() {
    let mut hostile = HostileTenant::begin().await;
    hostile
        .root
        .run("DROP USER 'tidegate.admin'@'localhost'")
        .await;
    hostile
        .root
        .run("ALTER TABLE mysql.global_priv ADD CONSTRAINT c CHECK (User <> 'tidegate.admin')")
        .await;
    assert_first_run(&mut hostile).await;
    assert_next_run_works(hostile).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_number_of_extra_connections_can_t_shut_us_out() {
    let mut hostile = HostileTenant::begin().await;
    hostile
        .root
        .run("SET GLOBAL extra_max_connections = 1")
        .await;
    hostile
        .root
        .run("SET GLOBAL proxy_protocol_networks = ''")
        .await;
    hostile
        .root
        .run("SET GLOBAL max_statement_time = 0.000001")
        .await;
    for _ in 0..3 {
        kill_ours(&mut hostile).await;
        assert_eq!(read_accounts(&hostile).await.unwrap(), ["root"]);
    }
    assert_first_run(&mut hostile).await;
    assert_next_run_works(hostile).await;
}

/// Sessions that each compute until they are ended.
async fn saturate(lease: &Lease, sessions: usize) -> Vec<tokio::task::JoinHandle<()>> {
    // All log in before the first one computes: a saturated engine may end a login that is late.
    let mut idle = Vec::new();
    for _ in 0..sessions {
        idle.push(Client::root(&lease.address).await);
    }
    let compute = |mut session: Client| {
        tokio::spawn(async move {
            let _ = session.query("SELECT BENCHMARK(4000000000, MD5(1))").await;
        })
    };
    idle.into_iter().map(compute).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saturated_engine_answers_our_statements_and_is_never_taken_for_frozen() {
    let fixture = EnginesFixture::open_with(|s| s.frozen_after = Duration::from_secs(2)).await;
    let id = fixture.create(1).await;
    let lease = fixture.attach(id).await;
    let busy = saturate(&lease, 60).await;
    // Longer than any statement of ours may take.
    let until = Instant::now() + Duration::from_secs(14);
    while Instant::now() < until {
        fixture
            .engines
            .accounts(id, vec!["root".to_owned()], Instant::now())
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(
        busy.iter().all(|b| !b.is_finished()),
        "the engine was busy all the time"
    );
    assert_eq!(fixture.deaths(id, ""), 0);
    assert_eq!(frozen(&fixture, id), [Duration::ZERO; 0]);
    fixture.engines.remove(id).await.unwrap();
    for session in busy {
        session.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_engine_is_told_killed_and_recovered_and_an_idle_one_is_left_alone() {
    let patience = Duration::from_secs(1);
    let fixture = EnginesFixture::open_with(|s| s.frozen_after = patience).await;
    let id = fixture.create(1).await;
    let idle = fixture.create(2).await;
    let lease = fixture.attach(id).await;
    let quiet = fixture.attach(idle).await;
    let mut root = Client::root(&lease.address).await;
    root.run("CREATE TABLE test.t AS SELECT 7 AS n").await;
    fixture.signal(id, rustix::process::Signal::STOP);
    eventually("the next run", async || {
        fixture.attach(id).await.run > lease.run
    })
    .await;
    assert_eq!(frozen(&fixture, id), [patience]);
    assert_eq!(fixture.deaths(id, "frozen"), 1);
    let (_lease, mut root) = fixture.root(id).await;
    assert_eq!(root.one("SELECT n FROM test.t").await, "7");
    assert_eq!(
        fixture.attach(idle).await.run,
        quiet.run,
        "the idle one runs on"
    );
    assert_eq!(frozen(&fixture, idle), [Duration::ZERO; 0]);
    fixture.engines.shutdown().await;
}

/// Returns how long the cluster's engine did not answer, each time that it was found frozen.
fn frozen(fixture: &EnginesFixture, id: ClusterId) -> Vec<Duration> {
    let events = fixture.memory.events.lock().unwrap();
    let silences = events.iter().filter_map(|e| match e {
        Event::EngineFrozen {
            cluster, silent, ..
        } if *cluster == id => Some(*silent),
        _ => None,
    });
    silences.collect()
}
