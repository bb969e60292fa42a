//! Account books over real engines: reads of a lookup, and damage in the store.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test program: a panic is its verdict"
)]

mod common;

use common::{Server, find, named, seen};
use tidegate_model::{ClusterId, Prefix};

fn main() {
    common::run(vec![
        common::test("a_lookup_costs_the_same_for_a_stranger", lookups),
        common::test(
            "a_book_that_is_not_in_memory_costs_a_stranger_the_same_read",
            book_reads,
        ),
        common::test(
            "damage_of_one_cluster_s_rows_is_its_own_and_an_operator_gets_in",
            damaged_book,
        ),
    ]);
}

async fn lookups() {
    let server = Server::start().await;
    let made = server.control.create_cluster(named("demo")).await.unwrap();
    let before = server.control.lookups();
    assert!(find(&server.control, &made.cluster.prefix).await.is_some());
    let known = server.control.lookups() - before;
    assert!(
        find(&server.control, &Prefix::random().unwrap())
            .await
            .is_none()
    );
    let unknown = server.control.lookups() - before - known;
    assert_eq!((known, unknown), (1, 1));
    server.stop().await;
}

async fn book_reads() {
    let mut server = Server::start().await;
    let made = server.control.create_cluster(named("demo")).await.unwrap();
    for prefix in [made.cluster.prefix.clone(), Prefix::random().unwrap()] {
        server = server.restart().await;
        assert_eq!(server.control.book_reads(), 0, "no book is read at start");
        let known = find(&server.control, &prefix).await.is_some();
        assert_eq!(known, prefix == made.cluster.prefix);
        assert_eq!(server.control.book_reads(), 1, "known: {known}");
        find(&server.control, &prefix).await;
        assert_eq!(server.control.book_reads(), 1, "known: {known}");
        assert!(server.control.books_memory() > 0);
    }
    server.stop().await;
}

/// As if a disk had damaged the accounts of one cluster and the row of another.
async fn damage(root: &std::path::Path, book_of: ClusterId, row_of: ClusterId) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(root.join("store.sqlite"));
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    let book = "UPDATE book_parts SET accounts = x'FFFFFF' WHERE cluster = ?";
    sqlx::query(book)
        .bind(book_of.0.cast_signed())
        .execute(&pool)
        .await
        .unwrap();
    let row = "UPDATE clusters SET connections_max = 'many' WHERE id = ?";
    sqlx::query(row)
        .bind(row_of.0.cast_signed())
        .execute(&pool)
        .await
        .unwrap();
    pool.close().await;
}

async fn damaged_book() {
    let server = Server::start().await;
    let made = server.control.create_cluster(named("demo")).await.unwrap();
    let lost = server.control.create_cluster(named("lost")).await.unwrap();
    let other = server.control.create_cluster(named("other")).await.unwrap();
    let root = server.stop_and_keep().await;
    damage(root.path(), made.cluster.id, lost.cluster.id).await;

    let server = Server::open(root).await;
    let control = &server.control;
    let clusters = control.clusters().await.unwrap();
    let names: Vec<_> = clusters.into_iter().map(|c| c.name.to_string()).collect();
    assert_eq!(
        names,
        ["demo", "other"],
        "the server starts without the damaged row"
    );
    assert!(
        server
            .root()
            .join("engines")
            .join(lost.cluster.id.to_string())
            .exists(),
        "its data stay"
    );
    assert!(seen(
        &find(control, &other.cluster.prefix).await.unwrap().accounts,
        &other.password
    ));
    let tenant = find(control, &made.cluster.prefix).await.unwrap();
    assert!(
        tenant.accounts.is_empty() && tenant.accounts_current,
        "nobody can be judged, and nothing wakes"
    );
    // The operator's way in, and from there on everybody's.
    let fresh = control.new_password("demo").await.unwrap();
    assert!(seen(
        &find(control, &made.cluster.prefix).await.unwrap().accounts,
        &fresh.password
    ));
    control.sleep_cluster("demo").await.unwrap();
    let server = server.restart().await;
    let tenant = find(&server.control, &made.cluster.prefix).await.unwrap();
    assert!(tenant.accounts_current && seen(&tenant.accounts, &fresh.password));
    server.stop().await;
}
