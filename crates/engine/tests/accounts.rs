//! Readings of a real engine's accounts: whole over any number of pages, and bounded whatever a
//! tenant puts there.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test program: a panic is its verdict"
)]

mod common;

use common::{Client, EnginesFixture, stage2};
use std::collections::BTreeSet;
use std::time::Instant;
use tidegate_model::limits::BOOK_BYTES_MAX;
use tidegate_model::{ClusterId, Lease, Unsupported, Verifier};

/// An account that may write the account table, as any root can make one.
async fn climber(lease: &Lease) -> Client {
    let mut root = Client::root(&lease.address).await;
    root.run("CREATE USER climber@'%' IDENTIFIED BY 'up'").await;
    root.run("GRANT ALL ON `%`.* TO climber@'%'").await;
    Client::login(&lease.address, "climber", "up")
        .await
        .unwrap()
}

async fn asleep(fixture: &EnginesFixture, id: ClusterId) -> tidegate_model::Accounts {
    fixture.engines.sleep(id).await.unwrap();
    let row = fixture.memory.row(id);
    assert!(!row.awake, "a clean sleep");
    row.book.unwrap().accounts.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_of_many_pages_has_each_account_once_whatever_its_name() {
    let fixture = EnginesFixture::open().await;
    let id = fixture.create(1).await;
    let lease = fixture.attach(id).await;
    let mut climber = climber(&lease).await;
    // Several pages within one host, names that differ in the last place, and names that would
    // break a statement.
    climber
        .run(
            "INSERT INTO mysql.global_priv SELECT IF(seq % 3 = 0, '10.%', '%'), CONCAT('it''s \
             \\\\ \"é', seq, ' x'), '{}' \
             FROM test.seq_1_to_1500",
        )
        .await;
    climber
        .run(
            "INSERT INTO mysql.global_priv VALUES ('%', 'zz', JSON_OBJECT('plugin', \
     REPEAT('p', 3000)))",
        )
        .await;
    drop((climber, lease));
    let accounts = asleep(&fixture, id).await;
    assert!(accounts.is_complete());
    let names: Vec<_> = accounts.iter().map(|a| (a.host, a.user)).collect();
    let once: BTreeSet<_> = names.iter().cloned().collect();
    assert_eq!(
        (names.len(), once.len()),
        (1503, 1503),
        "root, climber, zz and the many"
    );
    assert_eq!(
        names[0].1, "root",
        "the first administrator goes before all others"
    );
    let too_large = accounts.iter().find(|a| a.user == "zz").unwrap();
    assert_eq!(
        too_large.verifiers,
        [Verifier::Unsupported(Unsupported::TooLarge)]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_table_without_end_makes_the_book_incomplete_and_the_sleep_stays_clean() {
    let fixture = EnginesFixture::open().await;
    let id = fixture.create(1).await;
    let lease = fixture.attach(id).await;
    let mut climber = climber(&lease).await;
    climber
        .run("RENAME TABLE mysql.global_priv TO mysql.true_priv")
        .await;
    // More bytes than a reading takes, and few enough rows that the engine sorts them within the
    // limit of time of one page also on a busy machine.
    climber
        .run(
            "CREATE VIEW mysql.global_priv AS SELECT CONVERT(CONCAT('h', seq) USING utf8mb3) \
             COLLATE utf8mb3_bin Host, \
             CONVERT(CONCAT('u', seq) USING utf8mb3) COLLATE utf8mb3_bin User, REPEAT('x', 2000) \
              Priv \
             FROM test.seq_1_to_20000 UNION ALL SELECT Host, User, Priv FROM mysql.true_priv",
        )
        .await;
    drop((climber, lease));
    let accounts = asleep(&fixture, id).await;
    assert!(!accounts.is_complete());
    assert!(accounts.memory() <= BOOK_BYTES_MAX);
    assert!(accounts.has_user("root"), "root was asked for by name");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_lets_a_locked_root_in() {
    let fixture = EnginesFixture::open().await;
    let id = fixture.create(1).await;
    let (lease, mut root) = fixture.root(id).await;
    root.run("ALTER USER root@'%' REQUIRE X509").await;
    root.run("ALTER USER root@'%' ACCOUNT LOCK").await;
    let book = fixture
        .engines
        .set_password(id, "root", stage2("second"))
        .await
        .unwrap();
    assert_eq!(
        book.accounts.iter().map(|a| a.locked).collect::<Vec<_>>(),
        [false]
    );
    Client::login(&lease.address, "root", "second")
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_read_after_the_asked_moment_and_at_sleep() {
    let fixture = EnginesFixture::open().await;
    let id = fixture.create(1).await;
    let (lease, mut root) = fixture.root(id).await;
    root.run("CREATE USER app@'10.%' IDENTIFIED BY 'one'").await;
    let asked = Instant::now();
    let app = vec!["app".to_owned()];
    let book = fixture
        .engines
        .accounts(id, app.clone(), asked)
        .await
        .unwrap();
    let first = book.order;
    assert_eq!(book.accounts.len(), 1, "nobody else was asked for");
    let read = book.accounts.iter().find(|a| a.user == "app").unwrap();
    assert_eq!(
        (read.host.as_str(), &read.verifiers[..]),
        ("10.%", &[Verifier::Native(stage2("one"))][..])
    );
    root.run("ALTER USER app@'10.%' IDENTIFIED BY 'two'").await;
    drop((root, lease));
    fixture.engines.sleep(id).await.unwrap();
    let book = fixture.memory.row(id).book.unwrap();
    assert!(book.order > first, "it began later");
    let read = book.accounts.iter().find(|a| a.user == "app").unwrap();
    assert_eq!(read.verifiers, [Verifier::Native(stage2("two"))]);
    assert!(book.accounts.is_complete());
    assert!(
        fixture
            .engines
            .accounts(id, app, Instant::now())
            .await
            .is_err(),
        "a sleeper's are in the ledger"
    );
    assert_eq!(fixture.memory.starts(), 1, "nobody woke for it");
}
