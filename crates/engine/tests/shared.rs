//! Resources that clusters share (turns of starts and recoveries, KILLs, commands), each filled by
//! one cluster while another one is used: no cluster waits for another one's engine.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed step is a failed test"
)]

mod common;

use common::{Client, EnginesFixture, eventually, send_signal};
use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tidegate_model::{ClusterId, ClusterLimits, ClusterState, EngineSession, Waker};

/// Locks a file that the engine locks at its start, as soon as no engine has it. A start waits for
/// that for 30 s (Aria's control file), and is found meanwhile, however busy the machine is.
fn delay_start(fixture: &EnginesFixture, id: ClusterId) -> std::thread::JoinHandle<File> {
    let path = fixture.folder(id).join("data/aria_log_control");
    let file = File::options().read(true).write(true).open(path).unwrap();
    let (asking, asks) = std::sync::mpsc::channel();
    let locking = std::thread::spawn(move || {
        asking.send(()).unwrap();
        fcntl_lock(&file, FlockOperation::LockExclusive).unwrap();
        file
    });
    asks.recv().unwrap();
    locking
}

/// Whether this process has become an engine. One that is frozen before keeps the thread waiting
/// that starts all engines.
fn is_engine(pid: i32) -> bool {
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm"));
    name.is_ok_and(|name| name.trim() == "mariadbd")
}

/// Opens engines that start one at a time, with a cluster whose start has begun and is then frozen.
async fn with_a_stuck_start(clean: bool) -> (EnginesFixture, ClusterId) {
    let fixture = EnginesFixture::open_with(|s| s.wakes_at_once_max = 1).await;
    let stuck = fixture.create(1).await;
    let delay = if !clean {
        fixture.attach(stuck).await;
        let pid = fixture.pid(stuck).unwrap();
        let delay = delay_start(&fixture, stuck);
        common::kill_9(pid);
        delay.join().unwrap()
    } else {
        let delay = delay_start(&fixture, stuck).join().unwrap();
        let engines = fixture.engines.clone();
        tokio::spawn(async move { engines.wake(stuck).await });
        delay
    };
    let mut process = None;
    eventually("a process that starts", async || {
        process = fixture.pid(stuck).filter(|pid| is_engine(*pid));
        process.is_some() && fixture.engines.state(stuck) == ClusterState::Waking
    })
    .await;
    send_signal(process.unwrap(), Signal::STOP);
    drop(delay);
    assert_eq!(
        fixture.engines.state(stuck),
        ClusterState::Waking,
        "frozen before it was up"
    );
    (fixture, stuck)
}

/// Wakes another cluster while the start of one is stuck, then continues that one.
async fn wake_beside_a_stuck_start(clean: bool) {
    let (fixture, stuck) = with_a_stuck_start(clean).await;
    let other = fixture.create(2).await;
    let lease = fixture.attach(other).await;
    Client::root(&lease.address).await;
    assert_eq!(fixture.engines.state(stuck), ClusterState::Waking);
    fixture.signal(stuck, Signal::CONT);
    fixture.attach(stuck).await;
    fixture.engines.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stuck_recovery_keeps_no_other_cluster_from_its_wake() {
    wake_beside_a_stuck_start(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stuck_wake_keeps_no_other_cluster_from_its_wake() {
    wake_beside_a_stuck_start(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_whose_start_is_stuck_can_be_removed() {
    let (fixture, stuck) = with_a_stuck_start(true).await;
    fixture.engines.remove(stuck).await.unwrap();
    assert!(!fixture.folder(stuck).exists());
    fixture.engines.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_and_readings_that_wait_for_one_engine_hold_up_no_other_one() {
    let fixture = EnginesFixture::open().await;
    let stuck = fixture.create(1).await;
    let other = fixture.create(2).await;
    let lease = fixture.attach(stuck).await;
    let good = fixture.attach(other).await;
    fixture.signal(stuck, Signal::STOP);
    for session in 0..1000 {
        fixture
            .engines
            .end_session(stuck, EngineSession::of_single(lease.run, session));
    }
    for _ in 0..500 {
        let engines = fixture.engines.clone();
        tokio::spawn(async move {
            engines
                .accounts(stuck, vec!["root".to_owned()], Instant::now())
                .await
        });
    }
    let mut root = Client::root(&good.address).await;
    let session: u64 = root.one("SELECT CONNECTION_ID()").await.parse().unwrap();
    let work = tokio::spawn(async move { root.query("SELECT SLEEP(600)").await });
    fixture
        .engines
        .accounts(other, vec!["root".to_owned()], Instant::now())
        .await
        .unwrap();
    fixture
        .engines
        .end_session(other, EngineSession::of_single(good.run, session));
    assert!(work.await.unwrap().is_err());
    drop(good);
    fixture.engines.sleep(other).await.unwrap();
    assert_eq!(
        fixture.engines.state(stuck),
        ClusterState::Awake,
        "still stuck"
    );
    fixture.signal(stuck, Signal::KILL);
    fixture.engines.shutdown().await;
}

/// Returns a process that has a file below this folder open.
fn user_of(folder: &Path) -> Option<Pid> {
    let own = std::process::id().to_string();
    let processes = std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter(|entry| entry.file_name() != *own);
    let uses = |entry: &std::fs::DirEntry| {
        let fds = std::fs::read_dir(entry.path().join("fd"))
            .into_iter()
            .flatten()
            .flatten();
        fds.filter_map(|fd| std::fs::read_link(fd.path()).ok())
            .any(|file| file.starts_with(folder))
    };
    processes
        .filter(uses)
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .find(|pid| is_engine(*pid))
        .and_then(Pid::from_raw)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_is_being_built_keeps_no_cluster_from_its_wake() {
    let fixture = EnginesFixture::open().await;
    let id = fixture.create(1).await;
    let templates = fixture.settings.folder.join("templates");
    // After an upgrade of the engine there is no template either: the first creation builds it.
    let fixture = fixture
        .reopen(|_| std::fs::remove_file(&templates).unwrap())
        .await;
    fixture.adopt(1, true).await;
    let creator = fixture.engines.clone();
    let second = fixture.spec(2, ClusterLimits::default());
    let creating =
        tokio::spawn(async move { creator.create(second, common::stage2("first")).await });
    let mut builder = None;
    eventually("a process that builds it", async || {
        builder = user_of(&templates.canonicalize().unwrap());
        builder.is_some()
    })
    .await;
    kill_process(builder.unwrap(), Signal::STOP).unwrap();
    fixture.attach(id).await;
    fixture.engines.sleep(id).await.unwrap();
    fixture.attach(id).await;
    assert!(!creating.is_finished(), "still being built");
    kill_process(builder.unwrap(), Signal::CONT).unwrap();
    creating.await.unwrap().unwrap();
    fixture.attach(ClusterId(2)).await;
    fixture.engines.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_logins_to_one_cluster_keep_no_other_from_its_creation_and_wake() {
    let fixture = EnginesFixture::open().await;
    let asked = fixture.create(1).await;
    fixture.attach(asked).await;
    eventually("awake", async || {
        fixture.engines.state(asked) == ClusterState::Awake
    })
    .await;
    let over = Arc::new(AtomicBool::new(false));
    let answers = Arc::new(AtomicU64::new(0));
    let crowd: Vec<_> = (0..64)
        .map(|_| {
            let engines = fixture.engines.clone();
            let over = Arc::clone(&over);
            let answers = Arc::clone(&answers);
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    assert!(
                        engines
                            .attach(common::request(
                                asked,
                                Instant::now() + Duration::from_secs(120)
                            ))
                            .await
                            .is_ok()
                    );
                    assert_eq!(engines.state(asked), ClusterState::Awake);
                    answers.fetch_add(1, Ordering::Relaxed);
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    // Each of these waits several times for the lock of the map of clusters, to change or read it.
    for n in 2..5 {
        let other = fixture.create(n).await;
        fixture.attach(other).await;
        fixture.engines.remove(other).await.unwrap();
    }
    assert!(crowd.iter().all(|one| !one.is_finished()));
    over.store(true, Ordering::Relaxed);
    for one in crowd {
        one.await.unwrap();
    }
    assert!(answers.load(Ordering::Relaxed) > 1000, "a crowd");
    fixture.engines.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_cluster_that_cannot_bind_its_socket_fails_alone_and_comes_back() {
    let fixture = EnginesFixture::open().await;
    let blocked = fixture.create(1).await;
    let other = fixture.create(2).await;
    let fixture = fixture.reopen(|_| {}).await;
    // A folder in the place of the socket.
    let obstacle = fixture.settings.folder.join("run/engine-1.sock");
    std::fs::create_dir_all(obstacle.join("full")).unwrap();
    for id in [1, 2] {
        fixture.adopt(id, true).await;
    }
    fixture.attach(other).await;
    eventually("failed", async || {
        fixture.engines.state(blocked) == ClusterState::Failed
    })
    .await;
    let why = fixture.engines.failure(blocked).unwrap();
    assert!(why.contains("engine-1.sock"), "{why}");
    std::fs::remove_dir_all(&obstacle).unwrap();
    eventually("it is tried again", async || {
        fixture
            .engines
            .attach(common::request(
                blocked,
                Instant::now() + Duration::from_secs(30),
            ))
            .await
            .is_ok()
    })
    .await;
    fixture.engines.shutdown().await;
}

/// Makes 100 folders of 200 files each.
fn fill_with_files(folder: &Path) {
    for folder in (0..100).map(|n| folder.join(format!("d{n}"))) {
        std::fs::create_dir_all(&folder).unwrap();
        for file in 0..200 {
            std::fs::write(folder.join(file.to_string()), b"x").unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn leftovers_of_removed_clusters_hold_up_no_start() {
    let fixture = EnginesFixture::open().await;
    let id = fixture.create(1).await;
    let leftover = fixture.settings.folder.join("engines/7.removing");
    let fixture = fixture.reopen(|_| fill_with_files(&leftover)).await;
    assert!(leftover.exists(), "the start did not wait for it");
    fixture.adopt(1, true).await;
    fixture.attach(id).await;
    eventually("the leftover is removed", async || !leftover.exists()).await;
    fixture.engines.shutdown().await;
}
