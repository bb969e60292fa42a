//! Crashes in the middle of operations: a server over real engines ends with kill -9 after each
//! step of each operation, and the next one finishes or undoes it. The program is also the server
//! that ends.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test program: a panic is its verdict"
)]

mod common;

use common::{Server, find, named, seen};
use rustix::process::Signal;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tidegate_control::store::{OperationKind, OperationStore, SqliteStore, Store};
use tidegate_control::{
    Control, ControlSettings, DataDir, LimitsChange, OperationStep, RepeatableRequest, RequestSeal,
    RequestStart,
};
use tidegate_model::Sessions;
use zeroize::Zeroizing;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if let [_, what, step, root] = args.as_slice()
        && what == "crash-after"
    {
        return common::block_on(crash_after(step.clone(), root.into()));
    }
    common::run(vec![common::test(
        "a_server_killed_after_any_step_leaves_each_cluster_whole_or_gone",
        killed_after_each_step,
    )]);
}

/// Step that ends the server.
static CRASH_AFTER: OnceLock<String> = OnceLock::new();

fn kill_if_asked(step: OperationStep) {
    if CRASH_AFTER
        .get()
        .is_some_and(|wanted| *wanted == format!("{step:?}"))
    {
        rustix::process::kill_process(rustix::process::getpid(), Signal::KILL).unwrap();
    }
}

/// Server that ends with kill -9 after a step of an operation.
async fn crash_after(step: String, root: std::path::PathBuf) {
    let dir = DataDir::lock(&root).unwrap();
    let mut settings = ControlSettings::new(&dir);
    CRASH_AFTER.set(step.clone()).unwrap();
    settings.after_step = Some(kill_if_asked);
    let control = Control::open(dir, settings, Sessions::default(), common::silent())
        .await
        .unwrap();
    let name = cluster_of(&step);
    let limits = LimitsChange {
        connections_max: Some(7),
        ..LimitsChange::default()
    };
    match step.as_str() {
        step if step.starts_with("Create") => drop(control.create_cluster(named(name)).await),
        step if step.starts_with("Delete") => drop(control.delete_cluster(name).await),
        step if step.starts_with("Password") => drop(control.new_password(name).await),
        step if step.starts_with("Request") => {
            let request = RepeatableRequest {
                key: "k".to_owned(),
                caller: "owner".to_owned(),
                request_hash: [7; 32],
                seal: Arc::new(NoSeal),
            };
            match control.begin_request(request).await.unwrap() {
                RequestStart::Execute(open) => open.keep(b"").await,
                other => panic!("{other:?}"),
            }
        }
        _ => drop(control.change_limits(name, limits).await),
    }
    panic!("{step} was not reached");
}

/// Seal that hides nothing.
struct NoSeal;

impl RequestSeal for NoSeal {
    fn seal(&self, _place: &str, plain: &[u8]) -> Option<Vec<u8>> {
        Some(plain.to_vec())
    }

    fn open(&self, _place: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        Some(sealed.to_vec().into())
    }
}

/// Cluster that a crash after this step is tried with.
fn cluster_of(step: &str) -> &'static str {
    if step.starts_with("Create") {
        "new"
    } else if step.starts_with("Delete") {
        "doomed"
    } else {
        "kept"
    }
}

fn crash(step: OperationStep, root: &Path) {
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    let ended = child
        .args(["crash-after", &format!("{step:?}")])
        .arg(root)
        .status();
    assert_eq!(ended.unwrap().signal(), Some(9), "{step:?}");
}

/// Waits until no removal of a start is under way. A password's change ends with its cluster's
/// recovery, and the test makes the next one.
async fn all_undone(root: &Path, step: OperationStep) {
    let store = SqliteStore::open(&root.join("store.sqlite")).await.unwrap();
    for _ in 0..6_000 {
        let operations = store.operations().await.unwrap();
        if operations
            .iter()
            .all(|one| one.kind == OperationKind::Password)
        {
            return store.close().await;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{step:?}: not undone in a minute");
}

async fn killed_after_each_step() {
    let server = Server::start().await;
    server.control.create_cluster(named("kept")).await.unwrap();
    let mut root = server.stop_and_keep().await;
    for step in OperationStep::ALL {
        if cluster_of(&format!("{step:?}")) == "doomed" {
            let server = Server::open(root).await;
            server
                .control
                .create_cluster(named("doomed"))
                .await
                .unwrap();
            root = server.stop_and_keep().await;
        }
        crash(step, root.path());
        let server = Server::open(root).await;
        let control = &server.control;
        let clusters = control.clusters().await.unwrap();
        let names: Vec<_> = clusters.iter().map(|c| c.name.as_str()).collect();
        let expected: &[&str] = match step {
            OperationStep::CreatePublished => &["kept", "new"],
            _ => &["kept"],
        };
        assert_eq!(names, expected, "{step:?}");
        all_undone(server.root(), step).await;
        let folders = std::fs::read_dir(control.data().engines()).unwrap();
        assert_eq!(folders.count(), expected.len(), "{step:?}");
        let limit = clusters[0].limits.connections_max;
        // The last step comes after it.
        let is_stored = matches!(
            step,
            OperationStep::LimitsStored | OperationStep::RequestExecuted
        );
        assert_eq!(limit == 7, is_stored, "{step:?}");
        if step == OperationStep::CreatePublished {
            control.delete_cluster("new").await.unwrap();
        }
        // Whatever it was in the middle of, the cluster works.
        let fresh = control.new_password("kept").await.unwrap();
        control.sleep_cluster("kept").await.unwrap();
        let found = find(control, &fresh.cluster.prefix).await.unwrap();
        assert!(found.accounts_current, "{step:?}");
        assert!(seen(&found.accounts, &fresh.password), "{step:?}");
        root = server.stop_and_keep().await;
        let store = SqliteStore::open(&root.path().join("store.sqlite"))
            .await
            .unwrap();
        assert_eq!(store.operations().await.unwrap(), [], "{step:?}");
        assert_eq!(common::store::hosts(&store).await.len(), 1, "{step:?}");
        store.close().await;
    }
}
