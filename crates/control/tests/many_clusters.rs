//! Servers with thousands of clusters: what a start and a stop cost.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test program: a panic is its verdict"
)]

mod common;

use common::store::wanted;
use common::stub::{SLOW, STUB, STUCK, StubCounts, StubKind};
use common::{Server, empty_dir, empty_dir_in, root_claim, until};
use futures_util::future::join_all;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tidegate_control::limits::{DROP_TRIES, ENTRIES_LOOKED_UP_MAX, ENTRIES_MAX};
use tidegate_control::store::{
    ClusterStore, HostStore, OperationClaim, Reservation, SqliteStore, Store,
};
use tidegate_control::{ClustersWanted, Control, DataDir, ListStart};
use tidegate_engine::MoreKinds;
use tidegate_model::{
    AccountBook, Accounts, ClusterEngine, ClusterId, ClusterName, ClusterState, Directory, Found,
    Prefix, PrefixTag, ReadingOrder, RunEpoch,
};

/// Clusters that are awake when a server stops.
const AWAKE: usize = 2_000;

/// Sleeping clusters that the engines keep in memory.
const SLEEPERS_KEPT: usize = 1_000;

/// Clusters of a small and a large server, and how many times as long the start of the large one
/// may take. Four times is exact; a start that compares each cluster with all others takes up to 16
/// times as long.
const FEW: usize = 1_000;
const MANY: usize = 4_000;
const LONGER_MAX: f64 = 8.0;
/// A measurement can be disturbed; a start that is too slow is so each time.
const TRIES: usize = 3;

fn main() {
    common::run(vec![
        common::test(
            "a_stop_with_2000_awake_clusters_ends_each_cleanly",
            stop_many,
        ),
        common::test(
            "a_start_costs_the_same_for_each_cluster_however_many_there_are",
            start_many,
        ),
        common::test(
            "ten_thousand_sleepers_cost_a_start_a_page_and_a_stranger_nothing",
            ten_thousand_sleepers,
        ),
        common::test(
            "the_pages_of_a_list_have_every_cluster_once",
            pages_of_clusters,
        ),
        common::test(
            "recoveries_that_never_end_keep_no_other_cluster_from_its_own",
            stuck_recoveries,
        ),
        common::test(
            "slow_stops_of_some_clusters_delay_no_other_stop",
            slow_stops,
        ),
    ]);
}

/// A data directory whose store has so many clusters of this kind.
async fn folder_with(clusters: usize, kind: &str, clean: bool) -> TempDir {
    folder_with_names((0..clusters).map(|n| format!("c{n}")), kind, clean).await
}

async fn folder_with_names(
    names: impl Iterator<Item = String>,
    kind: &str,
    clean: bool,
) -> TempDir {
    // In memory: ext4 searches all inodes that were deleted in the last five seconds, which are
    // those of the sockets of the server before, whenever it makes a file.
    let memory = Path::new("/dev/shm");
    let root = match memory.is_dir() {
        true => empty_dir_in(memory),
        false => empty_dir(),
    };
    let dir = DataDir::lock(root.path()).unwrap();
    let store = SqliteStore::open(&dir.store()).await.unwrap();
    let book = AccountBook {
        accounts: Accounts::default(),
        run: RunEpoch(0),
        order: ReadingOrder::default(),
    };
    let one = async |name: String| {
        let wanted = Reservation {
            engine: ClusterEngine {
                kind: kind.to_owned(),
                ..ClusterEngine::default()
            },
            ..wanted(&name)
        };
        let id = store.reserve(wanted).await.unwrap().id;
        store.take_cluster(id, None).await.unwrap();
        store
            .publish(OperationClaim::of_new(id), &book)
            .await
            .unwrap();
        if !clean {
            store.begin_run(id).await.unwrap();
        }
    };
    join_all(names.map(one)).await;
    store.close().await;
    root
}

/// Cluster that the caller may not see. No prefix contains 0 or 1, so a search for its name finds
/// no other cluster by its login.
const HIDDEN: &str = "c100";

/// Clusters on a page of the test.
const ROWS: usize = 96;

/// Names of the clusters on a page, in its order, and whether there are more.
async fn page(control: &Control, start: ListStart, wanted: &ClustersWanted) -> (Vec<String>, bool) {
    let wanted = ClustersWanted {
        start,
        most: ROWS,
        ..wanted.clone()
    };
    let page = control
        .cluster_page(&wanted, |name| name != HIDDEN)
        .await
        .unwrap();
    let names = page.rows.into_iter().map(|view| view.name.into());
    (names.collect(), page.more)
}

fn name(text: &str) -> ClusterName {
    ClusterName::parse(text).unwrap()
}

/// Names on all pages of a list, each page after the last name of the one before.
async fn all_pages(control: &Control, wanted: &ClustersWanted) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let mut start = ListStart::First;
    loop {
        let (names, more) = page(control, start, wanted).await;
        assert!(names.len() == ROWS || !more, "a full page: {names:?}");
        all.extend(names);
        match all.last().filter(|_| more) {
            Some(last) => start = ListStart::After(name(last)),
            None => return all,
        }
    }
}

/// Clusters with a text in their names or logins.
fn named_with(text: &str) -> ClustersWanted {
    ClustersWanted {
        find: text.to_owned(),
        ..ClustersWanted::default()
    }
}

fn with_prefix(prefix: &str) -> ClustersWanted {
    ClustersWanted {
        prefix: Some(prefix.to_owned()),
        ..ClustersWanted::default()
    }
}

fn in_state(state: ClusterState) -> ClustersWanted {
    ClustersWanted {
        state: Some(state),
        ..ClustersWanted::default()
    }
}

async fn pages_of_clusters() {
    let counts = Arc::new(StubCounts::default());
    let server = open_with_stub(folder_with(FEW, STUB, true).await, &counts).await;
    let control = &server.control;
    let every = ClustersWanted::default();
    let mut expected: Vec<String> = (0..FEW).map(|n| format!("c{n}")).collect();
    expected.sort();
    // The caller may not see one of them.
    expected.retain(|name| name != HIDDEN);
    assert_eq!(all_pages(control, &every).await, expected);
    // Backwards: the page before a name is the one that ends in front of it.
    let at = expected.iter().position(|name| name == "c5").unwrap();
    let (names, more) = page(control, ListStart::Before(name("c5")), &every).await;
    assert_eq!((names.as_slice(), more), (&expected[at - ROWS..at], true));
    let (names, more) = page(control, ListStart::Before(name("c10")), &every).await;
    assert_eq!((names.as_slice(), more), (&expected[..2], false));
    // Filters.
    assert_eq!(all_pages(control, &named_with("c70")).await.len(), 11);
    assert_eq!(all_pages(control, &named_with("c10")).await.len(), 10);
    let prefix = control.cluster("c42").await.unwrap().prefix;
    assert_eq!(
        all_pages(control, &named_with(prefix.as_str())).await,
        ["c42"]
    );
    assert_eq!(
        all_pages(control, &with_prefix(prefix.as_str())).await,
        ["c42"]
    );
    assert!(all_pages(control, &with_prefix("none")).await.is_empty());
    for awake in ["c1", "c555", "c999"] {
        control.wake_cluster(awake).await.unwrap();
    }
    assert_eq!(
        all_pages(control, &in_state(ClusterState::Awake)).await,
        ["c1", "c555", "c999"]
    );
    assert_eq!(
        all_pages(control, &in_state(ClusterState::Asleep))
            .await
            .len(),
        FEW - 4
    );
    let counts = control.cluster_counts();
    assert_eq!(
        (counts.total, counts.of_state(ClusterState::Awake)),
        (FEW, 3)
    );
    assert_eq!(counts.of_state(ClusterState::Asleep), FEW - 3);
    // The cluster at the end of a page may be deleted before the next page is read.
    let (first, _) = page(control, ListStart::First, &every).await;
    let last = first.last().unwrap();
    control.delete_cluster(last).await.unwrap();
    let (second, _) = page(control, ListStart::After(name(last)), &every).await;
    assert_eq!(second, expected[ROWS..2 * ROWS]);
    server.stop().await;
}

/// Copies the row of the cluster `c0` under other numbers, names and prefixes.
const COPIES: [&str; 3] = [
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) INSERT INTO \
     clusters (id, name, name_taken, prefix, created_unix, engine, engine_parameters, \
     connections_max, sleep_after_ms, transaction_idle_max_ms, memory_max_bytes, disk_max_bytes, \
     cpu_weight, tasks_max, phase, version) SELECT i, 'c' || i, 'c' || i, \
     REPLACE(REPLACE(PRINTF('%012d', i), '0', 'x'), '1', 'y'), created_unix, engine, \
     engine_parameters, connections_max, sleep_after_ms, transaction_idle_max_ms, \
     memory_max_bytes, disk_max_bytes, cpu_weight, tasks_max, phase, version FROM n, clusters \
     WHERE name = 'c0'",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) INSERT INTO books \
     (cluster, run, complete, version) SELECT i, 0, 1, 1 FROM n",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) INSERT INTO runs \
     (cluster, run, awake) SELECT i, 0, 0 FROM n",
];

/// A data directory with so many sleeping clusters.
async fn folder_of_copies(clusters: usize) -> TempDir {
    let root = folder_with(1, STUB, true).await;
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(DataDir::lock(root.path()).unwrap().store());
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    for sql in COPIES {
        let copied = sqlx::query(sql).bind(clusters as i64 - 1);
        copied.execute(&pool).await.unwrap();
    }
    pool.close().await;
    root
}

/// Tasks of this runtime.
fn tasks() -> usize {
    tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks()
}

/// Tasks of a server with so many sleeping clusters, once its start is over.
async fn tasks_of(server: &Server) -> usize {
    until("all recoveries have ended", || {
        server.control.is_recovered()
    })
    .await;
    // The tasks of the start end by themselves.
    let mut now = tasks();
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        now = now.min(tasks());
    }
    now
}

/// A login of a stranger with a made-up prefix.
async fn stranger(control: &Control) {
    let prefix = Prefix::random().unwrap();
    let mut random = std::hash::DefaultHasher::new();
    prefix.hash(&mut random);
    let found = control
        .find(&prefix, PrefixTag(random.finish()), &root_claim())
        .await
        .unwrap();
    assert!(matches!(found, Found::Nobody(Some(_))));
}

async fn ten_thousand_sleepers() {
    const SLEEPERS: usize = 10_000;
    let counts = Arc::new(StubCounts::default());
    let small = open_with_stub(folder_with(10, STUB, true).await, &counts).await;
    let tasks_of_ten = tasks_of(&small).await;
    small.stop().await;
    let server = open_with_stub(folder_of_copies(SLEEPERS).await, &counts).await;
    let control = &server.control;
    assert_eq!(tasks_of(&server).await, tasks_of_ten);
    assert_eq!(control.cluster_counts().total, SLEEPERS);
    assert_eq!(
        (control.cluster_reads(), control.clusters_in_memory()),
        (0, (0, 0)),
        "a start reads no cluster that sleeps"
    );
    // A page in the middle of the list.
    let (rows, more) = page(
        control,
        ListStart::After(name("c5")),
        &ClustersWanted::default(),
    )
    .await;
    assert_eq!((rows.len(), more), (ROWS, true));
    assert_eq!(control.list_rows_read(), ROWS as u64 + 1);
    assert_eq!(control.clusters_in_memory(), (0, 0));
    // Strangers.
    for _ in 0..2 * ENTRIES_LOOKED_UP_MAX {
        stranger(control).await;
    }
    let (entries, engines) = control.clusters_in_memory();
    assert!(
        entries <= ENTRIES_LOOKED_UP_MAX + DROP_TRIES && engines == 0,
        "{entries}"
    );
    // Tenants: each cluster leaves what is in memory of it to others when it sleeps.
    let clusters = control.clusters().await.unwrap();
    let names: Vec<_> = clusters.iter().map(|view| view.name.as_str()).collect();
    for name in &names[..SLEEPERS_KEPT + 100] {
        control.wake_cluster(name).await.unwrap();
        control.sleep_cluster(name).await.unwrap();
    }
    until("the supervisors have left", || tasks() <= tasks_of_ten).await;
    // The first ones were forgotten; those that are awake stay.
    for name in &names[..10] {
        control.wake_cluster(name).await.unwrap();
    }
    for name in &names[5_000..5_000 + SLEEPERS_KEPT] {
        assert!(control.usage(name).await.is_ok());
    }
    let (entries, engines) = control.clusters_in_memory();
    assert!(
        entries <= ENTRIES_MAX && engines <= SLEEPERS_KEPT + 10,
        "{entries}, {engines}"
    );
    let awake = control.cluster_counts().of_state(ClusterState::Awake);
    assert_eq!(awake, 10);
    server.stop().await;
}

async fn open_with_stub(root: TempDir, counts: &Arc<StubCounts>) -> Server {
    let kind = StubKind(Arc::clone(counts));
    Server::open_with(root, |settings| {
        settings.engine.more_kinds = MoreKinds(vec![Arc::new(kind)]);
        settings.engine.awake_memory_max_bytes = u64::MAX;
        settings.engine.wakes_at_once_max = 64;
    })
    .await
}

async fn stop_many() {
    let counts = Arc::new(StubCounts::default());
    let server = open_with_stub(folder_with(AWAKE, STUB, true).await, &counts).await;
    let clusters = server.control.clusters().await.unwrap();
    let names: Vec<String> = clusters
        .into_iter()
        .map(|cluster| cluster.name.into())
        .collect();
    let woken = join_all(names.iter().map(|name| server.control.wake_cluster(name))).await;
    for cluster in woken {
        assert_eq!(cluster.unwrap().state, ClusterState::Awake);
    }
    assert_eq!(counts.starts.load(Ordering::SeqCst), AWAKE);
    let began = Instant::now();
    let root = server.stop_and_keep().await;
    println!("{AWAKE} awake clusters stopped in {:?}", began.elapsed());
    assert_eq!(counts.stops.load(Ordering::SeqCst), AWAKE);
    {
        let dir = DataDir::lock(root.path()).unwrap();
        let store = SqliteStore::open(&dir.store()).await.unwrap();
        let rows = common::store::clusters(&store).await;
        let hosts = common::store::hosts(&store).await;
        assert_eq!((rows.len(), hosts.len()), (AWAKE, AWAKE));
        let books: HashMap<_, _> = rows.iter().map(|row| (row.id, row.book)).collect();
        let unclean = hosts
            .iter()
            .filter(|host| !host.is_settled(books[&host.cluster]));
        assert_eq!(
            unclean.count(),
            0,
            "each has recorded its end and its accounts"
        );
        store.close().await;
    }
    let server = open_with_stub(root, &counts).await;
    until("nothing is to be recovered", || {
        server.control.is_recovered()
    })
    .await;
    assert_eq!(counts.starts.load(Ordering::SeqCst), AWAKE);
    server.stop().await;
}

/// More than the recoveries and starts that may be under way at once.
const STUCK_CLUSTERS: usize = 12;

/// A server, and the numbers of its clusters by name.
struct NamedClusters<'a> {
    control: &'a Control,
    ids: HashMap<String, ClusterId>,
}

impl<'a> NamedClusters<'a> {
    async fn of(control: &'a Control) -> Self {
        let views = control.clusters().await.unwrap().into_iter();
        let ids = views.map(|view| (view.name.into(), view.id)).collect();
        Self { control, ids }
    }

    fn state(&self, name: &str) -> ClusterState {
        self.control.engines().state(self.ids[name])
    }
}

async fn stuck_recoveries() {
    let counts = Arc::new(StubCounts::default());
    let stuck = (0..STUCK_CLUSTERS).map(|n| format!("{STUCK}{n}"));
    let names = stuck.chain(["good".to_owned(), "waited-for".to_owned()]);
    let root = folder_with_names(names, STUB, false).await;
    let kind = StubKind(Arc::clone(&counts));
    let server = Server::open_with(root, |settings| {
        settings.engine.more_kinds = MoreKinds(vec![Arc::new(kind)]);
        settings.engine.awake_memory_max_bytes = u64::MAX;
        settings.engine.wakes_at_once_max = 2;
    })
    .await;
    let clusters = NamedClusters::of(&server.control).await;
    // A login waits for this one, so it does not wait for all others to have their turn.
    let waited_for = clusters.ids["waited-for"];
    server.control.recovered(waited_for).await;
    assert!(counts.starts.load(Ordering::SeqCst) < STUCK_CLUSTERS);
    assert_eq!(clusters.state("waited-for"), ClusterState::Awake);
    until("the last one in the order is recovered", || {
        clusters.state("good") == ClusterState::Awake
    })
    .await;
    // On a slow machine, the time of a start may be over for the first of them.
    let stuck = |n| clusters.state(&format!("{STUCK}{n}")) != ClusterState::Awake;
    assert!((0..STUCK_CLUSTERS).all(stuck), "none of the others is");
    server.stop().await;
}

async fn slow_stops() {
    /// As many as may stop at once.
    const SLOW_CLUSTERS: usize = 64;
    const OTHERS: usize = 100;
    let counts = Arc::new(StubCounts::default());
    let slow = (0..SLOW_CLUSTERS).map(|n| format!("{SLOW}{n}"));
    let names = slow.chain((0..OTHERS).map(|n| format!("c{n}")));
    let server = open_with_stub(folder_with_names(names, STUB, true).await, &counts).await;
    let clusters = server.control.clusters().await.unwrap();
    let wakes = clusters
        .iter()
        .map(|cluster| server.control.wake_cluster(cluster.name.as_str()));
    assert!(join_all(wakes).await.iter().all(Result::is_ok));
    let others = async {
        while counts.stops.load(Ordering::SeqCst) < OTHERS {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        counts.slow_stops.load(Ordering::SeqCst)
    };
    let stop = server.control.shutdown();
    let ((), slow_before) = tokio::join!(stop, others);
    assert_eq!(
        slow_before, 0,
        "the others have stopped before the slow ones"
    );
    assert_eq!(counts.slow_stops.load(Ordering::SeqCst), SLOW_CLUSTERS);
    server.stop().await;
}

/// CPU time that this process has used.
fn cpu_time() -> Duration {
    clock_gettime(ClockId::ProcessCPUTime).try_into().unwrap()
}

/// CPU time of a start with so many MariaDB clusters, until the last is recovered.
async fn start_time(clusters: usize, clean: bool) -> Duration {
    let root = folder_with(clusters, "mariadb", clean).await;
    let began = cpu_time();
    let server = Server::open(root).await;
    // Each recovery fails, because there are no files.
    until("all recoveries have ended", || {
        server.control.is_recovered()
    })
    .await;
    let took = cpu_time().saturating_sub(began);
    assert_eq!(server.control.cluster_counts().total, clusters);
    server.stop().await;
    took
}

/// CPU time, since other programs on the machine change the time on the clock.
async fn start_many() {
    // Each cluster has a socket.
    let now = getrlimit(Resource::Nofile);
    let most = now.maximum;
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: most,
            maximum: most,
        },
    )
    .unwrap();
    if most.is_some_and(|most| most < 6_000) {
        return common::not_run("a start with 4,000 clusters: too few open files are allowed");
    }
    for clean in [true, false] {
        let mut longer = f64::INFINITY;
        for _ in 0..TRIES {
            let none = start_time(0, clean).await;
            let few = start_time(FEW, clean).await.saturating_sub(none);
            let many = start_time(MANY, clean).await.saturating_sub(none);
            longer = longer.min(many.as_secs_f64() / few.as_secs_f64());
            println!("clean: {clean}; {FEW} {few:?}, {MANY} {many:?}: {longer:.1} times");
            if longer < LONGER_MAX {
                break;
            }
        }
        assert!(longer < LONGER_MAX, "clean: {clean}: {longer:.1} times");
    }
}
