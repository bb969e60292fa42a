//! The gateway's own way into an engine whose tenant has all rights: each attack on it costs at
//! most that cluster's clean sleep, and the next start repairs what was broken.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed step is a failed test"
)]

mod common;

use common::{Client, House, eventually, stage2};
use std::time::{Duration, Instant};
use tidegate_model::{ClusterId, ClusterState, Event, Lease};

/// A house with one awake cluster, whose root has every right.
struct Siege {
    house: House,
    id: ClusterId,
    lease: Lease,
    root: Client,
}

impl Siege {
    async fn begin() -> Self {
        let house = House::open().await;
        let id = house.create(1).await;
        let lease = house.attach(id).await;
        let root = common::almighty(&lease.address).await;
        Self {
            house,
            id,
            lease,
            root,
        }
    }

    async fn reading(&self) -> Result<Vec<String>, String> {
        let book = self
            .house
            .engines
            .accounts(self.id, vec!["root".to_owned()], Instant::now())
            .await
            .map_err(|e| e.report())?;
        Ok(book.accounts.iter().map(|a| a.user.clone()).collect())
    }

    /// Ends the gateway's session, as KILL of any other.
    async fn kill_ours(&mut self) {
        let find = "SELECT ID FROM information_schema.PROCESSLIST WHERE USER = 'tidegate.admin'";
        let session = self.root.one(find).await;
        self.root.run(&format!("KILL CONNECTION {session}")).await;
    }

    /// The tenant's session was not cut, so this is still the first run.
    async fn engine_lives(&mut self) {
        assert_eq!(self.root.one("SELECT 1").await, "1");
        assert_eq!(self.house.memory.starts(), 1);
        assert_eq!(
            self.house
                .memory
                .count(|e| matches!(e, Event::EngineDied { .. })),
            0
        );
    }

    /// Sends the cluster to sleep, cleanly or not; its next run is as if nothing had happened.
    async fn next_run_is_whole(self, password: &str) -> House {
        let Self {
            house,
            id,
            lease,
            root,
        } = self;
        drop((root, lease));
        house.engines.sleep(id).await.unwrap();
        let lease = house.attach(id).await;
        Client::login(&lease.address, "root", password)
            .await
            .unwrap();
        let book = house
            .engines
            .accounts(id, vec!["root".to_owned()], Instant::now())
            .await
            .unwrap();
        assert!(book.accounts.iter().any(|a| a.user == "root"));
        drop(lease);
        house.engines.sleep(id).await.unwrap();
        assert_eq!(house.engines.state(id), Some(ClusterState::Asleep));
        assert!(!house.memory.row(id).awake, "asleep cleanly");
        house
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_administrative_session_is_replaced_unseen() {
    let mut siege = Siege::begin().await;
    for _ in 0..3 {
        siege.kill_ours().await;
        assert_eq!(siege.reading().await.unwrap(), ["root"]);
    }
    siege.engine_lives().await;
    let house = siege.next_run_is_whole("first").await;
    assert_eq!(house.memory.starts(), 2, "each sleep was clean");
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
        let mut siege = Siege::begin().await;
        siege.root.run(attack).await;
        // A session that is open stays; none is opened anew.
        siege.kill_ours().await;
        let refused = siege.reading().await.unwrap_err();
        assert!(refused.contains("login"), "{attack}: {refused}");
        siege.engine_lives().await;
        let house = siege.next_run_is_whole("first").await;
        assert_eq!(
            house
                .memory
                .count(|e| matches!(e, Event::EngineFailed { .. })),
            0,
            "{attack}"
        );
        house.engines.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_taken_from_us_cost_readings_only() {
    let mut siege = Siege::begin().await;
    siege
        .root
        .run("REVOKE ALL PRIVILEGES, GRANT OPTION FROM 'tidegate.admin'@'localhost'")
        .await;
    siege.kill_ours().await;
    assert!(siege.reading().await.is_err());
    siege.engine_lives().await;
    siege.next_run_is_whole("first").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_table_of_accounts_costs_a_reading() {
    let mut siege = Siege::begin().await;
    siege.root.run("LOCK TABLES mysql.global_priv WRITE").await;
    assert!(siege.reading().await.is_err());
    siege.root.run("UNLOCK TABLES").await;
    assert_eq!(siege.reading().await.unwrap(), ["root"]);
    siege.engine_lives().await;
    siege.next_run_is_whole("first").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_in_the_place_of_the_accounts_is_replaced_and_not_copied() {
    let mut siege = Siege::begin().await;
    siege
        .root
        .run("RENAME TABLE mysql.global_priv TO mysql.mine")
        .await;
    siege
        .root
        .run("CREATE VIEW mysql.global_priv AS SELECT * FROM mysql.mine")
        .await;
    siege.engine_lives().await;
    let Siege {
        house,
        id,
        lease,
        root,
    } = siege;
    drop((root, lease));
    house.engines.sleep(id).await.unwrap();
    let lease = house.attach(id).await;
    assert!(
        Client::login(&lease.address, "root", "first")
            .await
            .is_err(),
        "a view may have no end, so nothing is read from it"
    );
    house
        .engines
        .set_password(id, "root", stage2("second"))
        .await
        .unwrap();
    Client::login(&lease.address, "root", "second")
        .await
        .unwrap();
    house.engines.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_never_answers_is_replaced_at_the_next_start() {
    let mut siege = Siege::begin().await;
    siege
        .root
        .run("RENAME TABLE mysql.global_priv TO mysql.mine")
        .await;
    siege
        .root
        .run(
            "CREATE VIEW mysql.global_priv AS SELECT Host, User, Priv FROM mysql.mine WHERE \
         SLEEP(1000) = 0",
        )
        .await;
    assert!(siege.reading().await.is_err());
    siege.engine_lives().await;
    // Its accounts can't be read, so root comes back with a password that nobody has.
    let Siege {
        house,
        id,
        lease,
        root,
    } = siege;
    drop((root, lease));
    house.engines.sleep(id).await.unwrap();
    house
        .engines
        .set_password(id, "root", stage2("second"))
        .await
        .unwrap();
    let lease = house.attach(id).await;
    Client::login(&lease.address, "root", "second")
        .await
        .unwrap();
    house.engines.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dropped_or_masked_tables_of_the_engine_are_made_again() {
    let mut siege = Siege::begin().await;
    siege
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
        siege.root.run(&format!("DROP TABLE mysql.{table}")).await;
    }
    for table in ["db", "func", "event"] {
        siege
            .root
            .run(&format!("CREATE VIEW mysql.{table} AS SELECT 1 AS n"))
            .await;
    }
    siege.engine_lives().await;
    let Siege {
        house,
        id,
        lease,
        root,
    } = siege;
    drop((root, lease));
    house.engines.sleep(id).await.unwrap();
    house
        .engines
        .set_password(id, "root", stage2("second"))
        .await
        .unwrap();
    let lease = house.attach(id).await;
    let mut root = Client::login(&lease.address, "root", "second")
        .await
        .unwrap();
    assert_eq!(root.one("SELECT n FROM test.kept").await, "7");
    root.run("CREATE USER app@'%' IDENTIFIED BY 'app'").await;
    root.run("GRANT ALL ON app.* TO app@'%'").await;
    house.engines.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_constraint_against_our_account_goes_with_the_next_start() {
    let mut siege = Siege::begin().await;
    siege
        .root
        .run("DROP USER 'tidegate.admin'@'localhost'")
        .await;
    siege
        .root
        .run("ALTER TABLE mysql.global_priv ADD CONSTRAINT c CHECK (User <> 'tidegate.admin')")
        .await;
    siege.engine_lives().await;
    siege.next_run_is_whole("first").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_number_of_extra_connections_can_t_shut_us_out() {
    let mut siege = Siege::begin().await;
    siege.root.run("SET GLOBAL extra_max_connections = 1").await;
    siege
        .root
        .run("SET GLOBAL proxy_protocol_networks = ''")
        .await;
    siege
        .root
        .run("SET GLOBAL max_statement_time = 0.000001")
        .await;
    for _ in 0..3 {
        siege.kill_ours().await;
        assert_eq!(siege.reading().await.unwrap(), ["root"]);
    }
    siege.engine_lives().await;
    siege.next_run_is_whole("first").await;
}

/// Sessions that each compute until they are ended.
async fn saturate(lease: &Lease, sessions: usize) -> Vec<tokio::task::JoinHandle<()>> {
    let mut busy = Vec::new();
    for _ in 0..sessions {
        let mut session = Client::login(&lease.address, "root", "first")
            .await
            .unwrap();
        busy.push(tokio::spawn(async move {
            let _ = session.query("SELECT BENCHMARK(4000000000, MD5(1))").await;
        }));
    }
    busy
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saturated_engine_answers_our_statements_and_is_never_taken_for_frozen() {
    let house = House::open_with(|s| s.frozen_after = Duration::from_secs(2)).await;
    let id = house.create(1).await;
    let lease = house.attach(id).await;
    let busy = saturate(&lease, 60).await;
    // Longer than any statement of ours may take.
    let until = Instant::now() + Duration::from_secs(14);
    while Instant::now() < until {
        house
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
    assert_eq!(
        house
            .memory
            .count(|e| matches!(e, Event::EngineDied { .. } | Event::EngineFrozen { .. })),
        0
    );
    house.engines.remove(id).await.unwrap();
    for session in busy {
        session.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_engine_is_told_killed_and_recovered_and_an_idle_one_is_left_alone() {
    let patience = Duration::from_secs(1);
    let house = House::open_with(|s| s.frozen_after = patience).await;
    let id = house.create(1).await;
    let idle = house.create(2).await;
    let lease = house.attach(id).await;
    let quiet = house.attach(idle).await;
    let mut root = Client::login(&lease.address, "root", "first")
        .await
        .unwrap();
    root.run("CREATE TABLE test.t AS SELECT 7 AS n").await;
    let stopped = rustix::process::Pid::from_raw(house.pid(id).unwrap()).unwrap();
    rustix::process::kill_process(stopped, rustix::process::Signal::STOP).unwrap();
    eventually("the next run", async || {
        house.attach(id).await.run > lease.run
    })
    .await;
    let frozen = |e: &Event| matches!(e, Event::EngineFrozen { cluster, silent, .. } if (*cluster, *silent) == (id, patience));
    assert_eq!(house.memory.count(frozen), 1);
    let died =
        |e: &Event| matches!(e, Event::EngineDied { status, .. } if status.contains("frozen"));
    assert_eq!(house.memory.count(died), 1);
    let lease = house.attach(id).await;
    let mut root = Client::login(&lease.address, "root", "first")
        .await
        .unwrap();
    assert_eq!(root.one("SELECT n FROM test.t").await, "7");
    assert_eq!(
        house.attach(idle).await.run,
        quiet.run,
        "the idle one runs on"
    );
    assert_eq!(
        house
            .memory
            .count(|e| matches!(e, Event::EngineFrozen { .. })),
        1
    );
    house.engines.shutdown().await;
}
