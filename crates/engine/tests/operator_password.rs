//! `cluster password` lets the operator in, whatever the tenant did to the engine's accounts, and
//! the accounts that can be read are kept.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed step is a failed test"
)]

mod common;

use common::{Client, EnginesFixture, eventually, stage2};
use tidegate_model::{ClusterId, ClusterState, Verifier};

const GONE: &[&str] = &["DROP TABLE mysql.global_priv"];
const ENDLESS_VIEW: &[&str] = &[
    "RENAME TABLE mysql.global_priv TO mysql.mine",
    "CREATE VIEW mysql.global_priv AS SELECT 'x' AS host, CONCAT('u', seq) AS user, \
     REPEAT('a', 1000) AS priv FROM seq_1_to_100000000",
];

/// Breaks the accounts of a cluster that has the account `app` beside its root. The cluster runs
/// afterwards.
async fn besieged(attack: &[&str]) -> (EnginesFixture, ClusterId) {
    let fixture = EnginesFixture::open().await;
    let id = fixture.create(1).await;
    let lease = fixture.attach(id).await;
    let mut root = common::almighty(&lease.address).await;
    root.run("CREATE USER app@'%' IDENTIFIED BY 'app'").await;
    root.run("CREATE TABLE test.kept AS SELECT 7 AS n").await;
    root.run("USE test").await;
    for statement in attack {
        root.run(statement).await;
    }
    let _ = root.query("FLUSH PRIVILEGES").await;
    (fixture, id)
}

/// Gives root a new password, logs in with it, and checks that root is one.
async fn operator_gets_in(fixture: &EnginesFixture, id: ClusterId, attack: &[&str]) -> Client {
    let set = fixture
        .engines
        .set_password(id, "root", stage2("new"))
        .await;
    assert!(set.is_ok(), "{attack:?}: {}", set.unwrap_err());
    let lease = fixture.attach(id).await;
    let mut root = Client::login(&lease.address, "root", "new").await.unwrap();
    assert_eq!(root.one("SELECT n FROM test.kept").await, "7", "{attack:?}");
    root
}

/// Root can do again what the root of a new cluster can.
async fn is_a_root(root: &mut Client) {
    for statement in [
        "CREATE DATABASE again",
        "CREATE USER again@'%' IDENTIFIED BY 'again'",
        "GRANT ALL ON again.* TO again@'%'",
        "DROP USER again@'%'",
        "DROP DATABASE again",
    ] {
        root.run(statement).await;
    }
}

/// While the cluster runs, and again after a sleep.
async fn both_ways(attack: &[&str]) -> [Client; 2] {
    let (fixture, id) = besieged(attack).await;
    let mut awake = operator_gets_in(&fixture, id, attack).await;
    is_a_root(&mut awake).await;
    fixture.engines.shutdown().await;
    let (fixture, id) = besieged(attack).await;
    eventually("asleep", async || {
        let _ = fixture.engines.sleep(id).await;
        fixture.engines.state(id) == ClusterState::Asleep
    })
    .await;
    let mut slept = operator_gets_in(&fixture, id, attack).await;
    is_a_root(&mut slept).await;
    fixture.engines.shutdown().await;
    [awake, slept]
}

async fn app_is_kept(attack: &[&str]) {
    let (fixture, id) = besieged(attack).await;
    let mut root = operator_gets_in(&fixture, id, attack).await;
    is_a_root(&mut root).await;
    let lease = fixture.attach(id).await;
    let app = Client::login(&lease.address, "app", "app").await;
    assert!(app.is_ok(), "{attack:?}");
    fixture.engines.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_that_is_gone_or_broken_comes_back_and_other_accounts_stay() {
    for attack in [
        &["DROP USER root@'%'"][..],
        &["DELETE FROM mysql.global_priv WHERE User = 'root'"],
        &["UPDATE mysql.global_priv SET Priv = '[]' WHERE User = 'root'"],
        &["ALTER TABLE mysql.global_priv MODIFY Priv LONGTEXT FIRST"],
        &[
            "ALTER TABLE mysql.global_priv ENGINE = InnoDB",
            "DROP USER root@'%'",
        ],
        &[
            "DROP USER root@'%'",
            "ALTER TABLE mysql.global_priv ADD CONSTRAINT c CHECK (User <> 'root')",
        ],
    ] {
        app_is_kept(attack).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_that_can_t_be_read_don_t_keep_the_operator_out() {
    for attack in [
        GONE,
        &["TRUNCATE mysql.global_priv"],
        &[
            "ALTER TABLE mysql.global_priv DROP COLUMN Priv",
            "ALTER TABLE mysql.global_priv ADD COLUMN Priv LONGTEXT AS (REPEAT(User, 100000)) \
             VIRTUAL",
        ],
        &["RENAME TABLE mysql.global_priv TO mysql.mine"],
        &[
            "DROP TABLE mysql.global_priv",
            "CREATE SEQUENCE mysql.global_priv",
        ],
        &[
            "RENAME TABLE mysql.global_priv TO mysql.mine",
            "CREATE TABLE mysql.global_priv (Host CHAR(60), User CHAR(80), Priv VARCHAR(2000)) \
             ENGINE=MEMORY",
            "INSERT INTO mysql.global_priv SELECT * FROM mysql.mine",
        ],
    ] {
        both_ways(attack).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_privileges_with_other_columns_don_t_keep_the_operator_out() {
    for attack in [
        &["ALTER TABLE mysql.db DROP COLUMN Select_priv"][..],
        &[
            "DROP USER root@'%'",
            "DROP TABLE mysql.db",
            "CREATE TABLE mysql.db (a INT)",
        ],
        &[
            "CREATE VIEW mysql.tidegate_repair AS SELECT 1 AS n",
            "DROP USER root@'%'",
        ],
    ] {
        both_ways(attack).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repair_drops_views_in_the_place_of_statistics_which_crash_the_engine() {
    // The tables first: with a view there, the engine crashes when it next changes or reads one.
    let (fixture, id) = besieged(&[
        "RENAME TABLE mysql.index_stats TO mysql.a, mysql.column_stats TO mysql.b, \
         mysql.table_stats TO mysql.c",
        "CREATE VIEW mysql.index_stats AS SELECT * FROM mysql.a",
        "CREATE VIEW mysql.column_stats AS SELECT * FROM mysql.b",
        "CREATE VIEW mysql.table_stats AS SELECT * FROM mysql.c",
    ])
    .await;
    let repaired = fixture
        .engines
        .repair_password(id, "root", stage2("new"))
        .await;
    assert!(repaired.is_ok(), "{}", repaired.unwrap_err());
    let lease = fixture.attach(id).await;
    let mut root = Client::login(&lease.address, "root", "new").await.unwrap();
    assert_eq!(root.one("SELECT n FROM test.kept").await, "7");
    is_a_root(&mut root).await;
    fixture.engines.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_without_an_end_is_not_copied() {
    both_ways(ENDLESS_VIEW).await;
}

/// Text of the comment of the table of accounts. A repair makes that table anew, without it.
const TABLE_MARK: &str = "SELECT table_comment FROM information_schema.tables \
                          WHERE table_schema = 'mysql' AND table_name = 'global_priv'";

/// A running cluster whose table of accounts is marked, and a session of its root.
async fn marked() -> (EnginesFixture, ClusterId, Client) {
    let (fixture, id) = besieged(&["ALTER TABLE mysql.global_priv COMMENT = 'marked'"]).await;
    let lease = fixture.attach(id).await;
    let root = common::almighty(&lease.address).await;
    (fixture, id, root)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_waits_for_a_backup_ends_nobody_and_says_so() {
    let (fixture, id, mut backup) = marked().await;
    backup.run("FLUSH TABLES WITH READ LOCK").await;
    let set = fixture
        .engines
        .set_password(id, "root", stage2("new"))
        .await;
    let error = set.unwrap_err();
    assert!(error.is_delay() && !error.is_refusal(), "{error:?}");
    assert_eq!(fixture.memory.starts(), 1, "no engine was ended");
    // Its session, and with it the lock, are still there.
    backup.run("UNLOCK TABLES").await;
    let mut root = operator_gets_in(&fixture, id, &["a backup that is done"]).await;
    assert_eq!(root.one(TABLE_MARK).await, "marked", "nothing was repaired");
    assert_eq!(fixture.memory.starts(), 1);
    fixture.engines.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_that_asks_for_the_repair_passes_the_lock() {
    let (fixture, id, mut holder) = marked().await;
    holder.run("FLUSH TABLES WITH READ LOCK").await;
    let set = fixture.engines.repair_password(id, "root", stage2("new"));
    set.await.unwrap();
    let lease = fixture.attach(id).await;
    let mut root = Client::login(&lease.address, "root", "new").await.unwrap();
    assert_ne!(root.one(TABLE_MARK).await, "marked", "it was repaired");
    let app = Client::login(&lease.address, "app", "app").await;
    assert!(app.is_ok(), "other accounts are kept");
    fixture.engines.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_ends_while_it_is_asked_is_asked_again_and_not_repaired() {
    let (fixture, id, mut holder) = marked().await;
    holder.run("FLUSH TABLES WITH READ LOCK").await;
    let engines = fixture.engines.clone();
    let set = tokio::spawn(async move { engines.set_password(id, "root", stage2("new")).await });
    let waits = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'ALTER USER%'";
    while holder.one(waits).await == "0" {}
    common::kill_9(fixture.pid(id).unwrap());
    set.await.unwrap().unwrap();
    let lease = fixture.attach(id).await;
    let mut root = Client::login(&lease.address, "root", "new").await.unwrap();
    assert_eq!(root.one(TABLE_MARK).await, "marked", "nothing was repaired");
    fixture.engines.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_wakes_the_cluster_and_is_valid_after_a_sleep() {
    let fixture = EnginesFixture::open().await;
    let id = fixture.create(1).await;
    let book = fixture
        .engines
        .set_password(id, "root", stage2("second"))
        .await
        .unwrap();
    assert_eq!(
        book.accounts.iter().next().unwrap().verifiers,
        [Verifier::Native(stage2("second"))]
    );
    let lease = fixture.attach(id).await;
    assert!(
        Client::login(&lease.address, "root", "first")
            .await
            .is_err()
    );
    Client::login(&lease.address, "root", "second")
        .await
        .unwrap();
    drop(lease);
    fixture.engines.sleep(id).await.unwrap();
    let lease = fixture.attach(id).await;
    Client::login(&lease.address, "root", "second")
        .await
        .unwrap();
    let unknown = fixture
        .engines
        .set_password(id, "nobody", stage2("x"))
        .await
        .unwrap_err()
        .report();
    assert!(unknown.contains("nobody"), "{unknown}");
    fixture.engines.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_former_password_is_valid_at_no_host_of_root() {
    let (fixture, id, mut root) = marked().await;
    root.run("CREATE USER root@localhost IDENTIFIED BY 'first'")
        .await;
    root.run("CREATE USER root@'10.0.0.%' IDENTIFIED BY 'first'")
        .await;
    let book = fixture
        .engines
        .set_password(id, "root", stage2("new"))
        .await
        .unwrap();
    let hosts: Vec<_> = book
        .accounts
        .iter()
        .map(|account| account.host.clone())
        .collect();
    assert_eq!(hosts.len(), 3, "{hosts:?}");
    for account in book.accounts.iter() {
        assert_eq!(
            account.verifiers,
            [Verifier::Native(stage2("new"))],
            "{}",
            account.host
        );
    }
    let lease = fixture.attach(id).await;
    assert!(Client::login(&lease.address, "root", "new").await.is_ok());
    assert!(
        Client::login(&lease.address, "root", "first")
            .await
            .is_err()
    );
    assert_eq!(root.one(TABLE_MARK).await, "marked", "nothing was repaired");
    fixture.engines.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_whose_commit_waits_for_a_backup_is_told_as_made() {
    let (fixture, id, mut holder) = marked().await;
    holder.run("BACKUP STAGE START").await;
    holder.run("BACKUP STAGE BLOCK_COMMIT").await;
    let set = fixture
        .engines
        .set_password(id, "root", stage2("new"))
        .await;
    holder.run("BACKUP STAGE END").await;
    let lease = fixture.attach(id).await;
    let is_new = Client::login(&lease.address, "root", "new").await.is_ok();
    assert!(set.is_ok() && is_new, "{:?}, new: {is_new}", set.err());
    assert_eq!(
        holder.one(TABLE_MARK).await,
        "marked",
        "nothing was repaired"
    );
    fixture.engines.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_without_a_name_which_come_before_root_are_removed() {
    for repair in [false, true] {
        let (fixture, id) = besieged(&["CREATE USER ''@localhost IDENTIFIED BY 'x'"]).await;
        let lease = fixture.attach(id).await;
        let shadowed = Client::login(&lease.address, "root", "first").await;
        assert!(shadowed.is_err(), "the account without a name comes first");
        let engines = &fixture.engines;
        let set = match repair {
            false => engines.set_password(id, "root", stage2("new")).await,
            true => engines.repair_password(id, "root", stage2("new")).await,
        };
        assert!(set.is_ok(), "{}", set.unwrap_err());
        let lease = fixture.attach(id).await;
        let mut root = Client::login(&lease.address, "root", "new").await.unwrap();
        is_a_root(&mut root).await;
        let starts = if repair { 3 } else { 1 };
        assert!(fixture.memory.starts() <= starts, "no engine is ended");
        let app = Client::login(&lease.address, "app", "app").await;
        assert!(app.is_ok() || !repair, "other accounts are kept");
        fixture.engines.shutdown().await;
    }
}
