//! User numbers of engines, over real engines: which number a cluster gets, and what is left of its
//! former cluster. All tests need root.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a panic is the verdict"
)]

mod common;

use common::{Server, named};
use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::ops::RangeInclusive;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;
use tidegate_control::{Control, ControlSettings, DataDir, NewCluster};
use tidegate_engine::UidChoice;
use tidegate_model::{ClusterId, ClusterState, Sessions};

fn main() {
    // First: an engine does not run as root.
    common::become_engine_if_asked();
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        common::not_run("separate users need root");
        return;
    }
    common::run(vec![
        common::test("the_number_freed_longest_ago_is_given_first", oldest_first),
        common::test(
            "a_number_with_a_process_or_a_file_is_not_given",
            with_leftovers,
        ),
        common::test("a_deleted_cluster_leaves_no_process", no_process),
        common::test(
            "creations_that_wait_for_a_number_delay_no_wake",
            creations_beside,
        ),
        common::test("clusters_of_another_range_move_and_work", move_in),
        common::test("a_range_that_another_server_has_is_refused", refused),
    ]);
}

/// Range of eight numbers, the last of which is the template's. The block depends on the pid, so
/// that no other test on this machine uses it. It is below the numbers that servers draw from:
/// those of other tests may have any of them.
fn eight(block: u32) -> RangeInclusive<u32> {
    let first = 1_879_048_192 - ((std::process::id() * 4 + block) % 4_000 + 1) * 65_536;
    first..=first + 7
}

fn uids(range: RangeInclusive<u32>) -> impl FnOnce(&mut ControlSettings) {
    |settings| settings.uids = UidChoice::Range(range)
}

fn owner(root: &Path, id: ClusterId) -> u32 {
    fs::metadata(root.join(format!("engines/{id}/data")))
        .unwrap()
        .uid()
}

async fn creations_beside() {
    const CREATIONS: usize = 40;
    let server = Server::start().await;
    create(&server, "other").await;
    let made = AtomicUsize::new(0);
    let one = async |n: usize| {
        create(&server, &format!("c{n}")).await;
        made.fetch_add(1, Ordering::SeqCst);
    };
    let crowd = futures_util::future::join_all((0..CREATIONS).map(one));
    let wake = async {
        server.control.wake_cluster("other").await.unwrap();
        made.load(Ordering::SeqCst)
    };
    let (_, before) = tokio::join!(crowd, wake);
    assert!(
        before < CREATIONS / 2,
        "{before} creations went before a wake"
    );
    server.stop().await;
}

async fn create(server: &Server, name: &str) -> u32 {
    let made = server.control.create_cluster(named(name)).await.unwrap();
    owner(server.root(), made.cluster.id)
}

async fn oldest_first() {
    let range = eight(0);
    let server = Server::start_with(uids(range.clone())).await;
    let mut free: VecDeque<u32> = (*range.start()..*range.end()).collect();
    let mut alive: Vec<(String, u32)> = Vec::new();
    for n in 0usize..100 {
        let name = format!("c{n}");
        let uid = create(&server, &name).await;
        assert_eq!(Some(uid), free.pop_front(), "creation {n}");
        alive.push((name, uid));
        if alive.len() == 5 {
            // Not always the oldest: the order of deletions decides.
            for at in [n % 5, n % 4] {
                let (name, uid) = alive.remove(at);
                server.control.delete_cluster(&name).await.unwrap();
                free.push_back(uid);
            }
        }
    }
    for n in alive.len()..7 {
        create(&server, &format!("last{n}")).await;
    }
    let error = server
        .control
        .create_cluster(named("one-more"))
        .await
        .err()
        .unwrap();
    assert!(
        error.hint.contains("delete a cluster"),
        "{}: {}",
        error.message,
        error.hint
    );
    server.stop().await;
}

fn sleeper(uid: u32) -> Child {
    Command::new("sleep")
        .arg("600")
        .uid(uid)
        .gid(uid)
        .current_dir("/")
        .spawn()
        .unwrap()
}

/// The numbers that so many clusters get, each deleted at once.
async fn given(server: &Server, count: usize) -> BTreeSet<u32> {
    let mut out = BTreeSet::new();
    for _ in 0..count {
        out.insert(create(server, "passing").await);
        server.control.delete_cluster("passing").await.unwrap();
    }
    out
}

async fn with_leftovers() {
    let range = eight(1);
    let server = Server::start_with(uids(range.clone())).await;
    let all: BTreeSet<u32> = (*range.start()..*range.end()).collect();
    assert_eq!(given(&server, 7).await, all);
    let of_process = *range.start() + 2;
    let of_file = *range.start() + 4;
    let mut process = sleeper(of_process);
    // As an interrupted deletion leaves it, three folders down.
    let trash = server.root().join("engines/77.removing/data/test");
    fs::create_dir_all(&trash).unwrap();
    fs::write(trash.join("t.ibd"), "rows of a former tenant").unwrap();
    chown(trash.join("t.ibd"), Some(of_file), Some(of_file)).unwrap();
    let left: BTreeSet<u32> = all
        .iter()
        .copied()
        .filter(|uid| ![of_process, of_file].contains(uid))
        .collect();
    assert_eq!(given(&server, 20).await, left);
    process.kill().unwrap();
    process.wait().unwrap();
    fs::remove_dir_all(server.root().join("engines/77.removing")).unwrap();
    assert_eq!(given(&server, 20).await, all);
    server.stop().await;
}

async fn no_process() {
    let server = Server::start_with(uids(eight(2))).await;
    let one = create(&server, "one").await;
    let two = create(&server, "two").await;
    server.control.wake_cluster("one").await.unwrap();
    let mut of_one = sleeper(one);
    let mut of_two = sleeper(two);
    server.control.delete_cluster("one").await.unwrap();
    assert_eq!(of_one.wait().unwrap().signal(), Some(9));
    assert_eq!(of_two.try_wait().unwrap(), None, "another cluster's");
    of_two.kill().unwrap();
    of_two.wait().unwrap();
    server.stop().await;
}

/// The users of the files in a cluster's folders `data` and `tmp`.
fn owners(root: &Path, id: ClusterId) -> BTreeSet<u32> {
    let mut out = BTreeSet::new();
    let mut stack = ["data", "tmp"]
        .map(|name| root.join(format!("engines/{id}/{name}")))
        .to_vec();
    while let Some(path) = stack.pop() {
        let meta = fs::symlink_metadata(&path).unwrap();
        out.extend([meta.uid(), meta.gid()]);
        if meta.is_dir() {
            stack.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        }
    }
    out
}

fn has_process(uid: u32) -> bool {
    fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        let status = fs::read_to_string(entry.path().join("status")).unwrap_or_default();
        status.lines().any(|line| {
            line.starts_with("Uid:") && line.split_whitespace().any(|n| n == uid.to_string())
        })
    })
}

/// The one user that all files of a cluster's own folders belong to.
fn only_owner(root: &Path, id: ClusterId) -> u32 {
    let owners = owners(root, id);
    assert_eq!(owners.len(), 1, "{owners:?}");
    owners.into_iter().next().unwrap()
}

/// Opens the same data with another range, and wakes the cluster there.
async fn moved(root: TempDir, id: ClusterId, range: RangeInclusive<u32>) -> Server {
    let server = Server::open_with(root, uids(range.clone())).await;
    let view = server.control.wake_cluster("shop").await.unwrap();
    assert_eq!(view.state, ClusterState::Awake);
    let uid = only_owner(server.root(), id);
    assert!(range.contains(&uid), "{uid}");
    assert!(has_process(uid), "its engine runs as that user");
    server
}

async fn move_in() {
    // Outside of the numbers that servers choose from, as those of older versions.
    let first = 3_000_000 + std::process::id() * 8;
    let old = first..=first + 7;
    let server = Server::start_with(uids(old.clone())).await;
    let made = server.control.create_cluster(NewCluster {
        name: Some("shop".to_owned()),
        ..NewCluster::default()
    });
    let id = made.await.unwrap().cluster.id;
    server.control.wake_cluster("shop").await.unwrap();
    let root = server.stop_and_keep().await;
    assert!(old.contains(&only_owner(root.path(), id)));
    let server = moved(root, id, eight(3)).await;
    let root = server.stop_and_keep().await;
    // As a server leaves it that is not root: no number in the store, and all files of one user.
    let options =
        sqlx::sqlite::SqliteConnectOptions::new().filename(root.path().join("store.sqlite"));
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    sqlx::query("DELETE FROM system_users")
        .execute(&pool)
        .await
        .unwrap();
    pool.close().await;
    let given = Command::new("chown")
        .args(["-R", "65534:65534"])
        .arg(root.path().join(format!("engines/{id}")))
        .status();
    assert!(given.unwrap().success());
    let server = moved(root, id, eight(0)).await;
    let uid = only_owner(server.root(), id);
    server.control.delete_cluster("shop").await.unwrap();
    assert!(!has_process(uid));
    server.stop().await;
}

async fn refused() {
    let range = eight(1);
    let server = Server::start_with(uids(range.clone())).await;
    let second = common::empty_dir();
    let dir = DataDir::lock(second.path()).unwrap();
    let mut settings = ControlSettings::new(&dir);
    settings.uids = UidChoice::Range(range);
    let error = Control::open(dir, settings, Sessions::default(), common::silent())
        .await
        .err()
        .unwrap();
    assert!(
        error.message.contains(&server.root().display().to_string()),
        "names the other: {}",
        error.message
    );
    assert!(error.hint.contains("auto"), "{}", error.hint);
    // By itself it finds others.
    let other = Server::open_with(second, |_| {}).await;
    let uid = create(&other, "elsewhere").await;
    assert!(!eight(1).contains(&uid));
    other.stop().await;
    server.stop().await;
}
