//! Restarts of a server over real engines, which finds complete clusters, half-created ones, runs
//! without an end, and directories without a cluster. The program is also the server that a test
//! kills.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test program: a panic is its verdict"
)]

mod common;

use common::store::wanted;
use common::{Server, find, named, root_claim, seen, until};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};
use tidegate_control::store::{ClusterStore, HostStore, SqliteStore, Store};
use tidegate_control::{Control, ControlSettings, DataDir, NewCluster};
use tidegate_model::{
    ClusterId, ClusterState, Directory, Found, Prefix, PrefixTag, Sessions, Verifier,
};

fn main() {
    if let [_, what, root] = std::env::args().collect::<Vec<_>>().as_slice()
        && what == "create-until-killed"
    {
        return common::block_on(create_until_killed(root.into()));
    }
    common::run(vec![
        common::test("what_was_made_is_there_after_a_restart", restart),
        common::test(
            "an_interrupted_creation_or_deletion_is_swept_at_start",
            swept,
        ),
        common::test(
            "a_server_killed_while_creating_leaves_whole_clusters_only",
            killed_while_creating,
        ),
        common::test("a_run_without_an_end_is_recovered_before_ready", recovered),
        common::test(
            "a_login_s_cluster_is_recovered_before_those_that_nobody_waits_for",
            recovered_first,
        ),
        common::test("a_directory_of_no_cluster_is_left_alone", strays),
    ]);
}

async fn restart() {
    let server = Server::start().await;
    let made = server.control.create_cluster(named("demo")).await.unwrap();
    let server = server.restart().await;
    let tenant = find(&server.control, &made.cluster.prefix).await.unwrap();
    assert!(tenant.accounts_current);
    let book = server
        .control
        .refresh(made.cluster.id, &root_claim(), Instant::now())
        .await
        .unwrap();
    assert!(seen(&book, &made.password));
    let state = server.control.cluster("demo").await.unwrap().state;
    assert_eq!(
        state,
        ClusterState::Asleep,
        "reading a sleeper's accounts wakes nobody"
    );
    assert_eq!(
        tenant.accounts[0].verifiers,
        [Verifier::Native(common::stage2(&made.password))]
    );
    assert_eq!(
        server.control.cluster("demo").await.unwrap().created_unix,
        made.cluster.created_unix
    );
    server.stop().await;
}

async fn swept() {
    let server = Server::start().await;
    let kept = server.control.create_cluster(named("kept")).await.unwrap();
    let doomed = server
        .control
        .create_cluster(named("doomed"))
        .await
        .unwrap();
    let root = server.stop_and_keep().await;
    let half = {
        let dir = DataDir::lock(root.path()).unwrap();
        let store = SqliteStore::open(&dir.store()).await.unwrap();
        // A server that died before the files were whole, and one that died before they were all
        // gone.
        let half = store.reserve(wanted("half")).await.unwrap();
        std::fs::create_dir(dir.engines().join(half.id.to_string())).unwrap();
        std::fs::write(dir.engines().join(half.id.to_string()).join("part"), "x").unwrap();
        store.begin_delete(doomed.cluster.id, 0).await.unwrap();
        store.close().await;
        half
    };
    let server = Server::open(root).await;
    let clusters = server.control.clusters().await.unwrap();
    let names: Vec<String> = clusters.into_iter().map(|c| c.name.into()).collect();
    assert_eq!(names, ["kept"]);
    // A start doesn't wait for it.
    until("what was left half-made is removed", || {
        !folder(&server, half.id).exists() && !folder(&server, doomed.cluster.id).exists()
    })
    .await;
    assert!(folder(&server, kept.cluster.id).exists());
    assert!(find(&server.control, &half.prefix).await.is_none());
    assert!(
        find(&server.control, &doomed.cluster.prefix)
            .await
            .is_none()
    );
    let again = server.control.create_cluster(named("half")).await.unwrap();
    assert_ne!(again.cluster.id, half.id);
    server.stop().await;
}

/// Folder of a cluster.
fn folder(server: &Server, id: ClusterId) -> std::path::PathBuf {
    server.control.data().engines().join(id.to_string())
}

/// Server that the next test kills.
async fn create_until_killed(root: std::path::PathBuf) {
    let dir = DataDir::lock(&root).unwrap();
    let settings = ControlSettings::new(&dir);
    let control = Control::open(dir, settings, Sessions::default(), common::silent())
        .await
        .unwrap();
    loop {
        let made = control.create_cluster(NewCluster::default()).await.unwrap();
        println!("{}", made.cluster.name);
    }
}

async fn killed_while_creating() {
    let mut root = Server::start().await.stop_and_keep().await;
    let mut told = Vec::new();
    for round in 1..=6 {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args([
                std::ffi::OsStr::new("create-until-killed"),
                root.path().as_os_str(),
            ])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        // When it has printed a name, it creates the next cluster.
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        told.extend(lines.by_ref().take(2).map(Result::unwrap));
        // Kills it at a different point of the creation in each round.
        std::thread::sleep(Duration::from_millis(round * 5));
        child.kill().unwrap();
        child.wait().unwrap();
        // Kept open until here: a broken pipe would have ended the process in another way.
        drop(lines);

        let server = Server::open(root).await;
        let clusters = server.control.clusters().await.unwrap();
        let names: BTreeSet<String> = clusters.iter().map(|c| c.name.to_string()).collect();
        assert!(
            told.iter().all(|name| names.contains(name)),
            "one that was told of is gone"
        );
        let engines = server.control.data().engines();
        until(
            "each folder has a cluster, and each cluster a folder",
            || std::fs::read_dir(&engines).unwrap().count() == names.len(),
        )
        .await;
        // A cluster whose name was not printed works as any other.
        let untold = |name: &str| !told.iter().any(|one| one == name);
        let newest = clusters.iter().find(|c| untold(c.name.as_str()));
        let newest = newest.unwrap_or(&clusters[0]);
        assert_eq!(
            server
                .control
                .new_password(newest.name.as_str())
                .await
                .unwrap()
                .password
                .len(),
            16
        );
        root = server.stop_and_keep().await;
    }
}

async fn recovered() {
    let server = Server::start().await;
    let made = server.control.create_cluster(named("demo")).await.unwrap();
    let id = made.cluster.id;
    server.control.wake_cluster("demo").await.unwrap();
    let root = server.stop_and_keep().await;
    {
        // As after kill -9: a run has begun and not ended.
        let dir = DataDir::lock(root.path()).unwrap();
        let store = SqliteStore::open(&dir.store()).await.unwrap();
        assert_eq!(store.begin_run(id).await.unwrap().0, 2);
        store.close().await;
    }
    let server = Server::open(root).await;
    let tenant = find(&server.control, &made.cluster.prefix).await.unwrap();
    assert!(
        !tenant.accounts_current,
        "no login is judged by what may be stale"
    );
    assert!(tenant.recovering);
    let stranger = Prefix::random().unwrap();
    let claim = root_claim();
    let unknown = server
        .control
        .find(&stranger, PrefixTag(7), &claim)
        .await
        .unwrap();
    let Found::Nobody(Some(twin)) = unknown else {
        panic!("nobody has this prefix");
    };
    assert!(
        twin.recovering && !twin.accounts_current,
        "an unknown prefix waits as the one cluster does"
    );
    server.control.recovered(id).await;
    assert!(
        !find(&server.control, &made.cluster.prefix)
            .await
            .unwrap()
            .recovering
    );
    let book = server
        .control
        .refresh(id, &root_claim(), Instant::now())
        .await
        .unwrap();
    assert!(seen(&book, &made.password));
    server.control.sleep_cluster("demo").await.unwrap();
    assert!(
        find(&server.control, &made.cluster.prefix)
            .await
            .unwrap()
            .accounts_current
    );
    server.stop().await;
}

async fn recovered_first() {
    const CLUSTERS: usize = 20;
    let server = Server::start().await;
    let mut ids = Vec::new();
    for n in 0..CLUSTERS {
        ids.push(
            server
                .control
                .create_cluster(named(&format!("c{n}")))
                .await
                .unwrap()
                .cluster
                .id,
        );
    }
    let root = server.stop_and_keep().await;
    {
        let dir = DataDir::lock(root.path()).unwrap();
        let store = SqliteStore::open(&dir.store()).await.unwrap();
        for id in &ids {
            store.begin_run(*id).await.unwrap();
        }
        store.close().await;
    }
    let server = Server::open(root).await;
    server.control.recovered(ids[CLUSTERS - 1]).await;
    let mut waiting = 0;
    for cluster in server.control.clusters().await.unwrap() {
        waiting += usize::from(
            find(&server.control, &cluster.prefix)
                .await
                .unwrap()
                .recovering,
        );
    }
    // Four had begun, and each of their turns may have passed on once more meanwhile.
    assert!(
        waiting >= CLUSTERS - 9,
        "{waiting} of {CLUSTERS} are not recovered yet"
    );
    until("all are recovered", || server.control.is_recovered()).await;
    server.stop().await;
}

async fn strays() {
    let server = Server::start().await;
    let root = server.stop_and_keep().await;
    let foreign = root.path().join("engines/41");
    std::fs::create_dir_all(&foreign).unwrap();
    let server = Server::open(root).await;
    let made = server.control.create_cluster(named("demo")).await.unwrap();
    assert_ne!(made.cluster.id, ClusterId(41));
    assert!(foreign.exists() && folder(&server, made.cluster.id).exists());
    server.stop().await;
}
