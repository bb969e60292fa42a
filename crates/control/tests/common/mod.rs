//! A server without a network for tests, and a small test runner. A test program is also the
//! program that becomes an engine, so it needs its own `main`.
#![allow(dead_code, reason = "each test program uses its own part")]

pub mod store;
pub mod stub;

use sha1::{Digest, Sha1};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tempfile::TempDir;
use tidegate_control::{Control, ControlSettings, DataDir, NewCluster};
use tidegate_model::{
    Account, Claim, Directory, Event, Journal, Prefix, PrefixTag, Sessions, Tenant, Verifier,
};

pub struct Test {
    name: &'static str,
    body: Box<dyn Fn() -> Pin<Box<dyn Future<Output = ()>>>>,
}

pub fn test<F: Future<Output = ()> + 'static>(
    name: &'static str,
    body: impl Fn() -> F + 'static,
) -> Test {
    Test {
        name,
        body: Box::new(move || Box::pin(body())),
    }
}

/// Becomes an engine if the first argument says so, else runs the tests whose names contain one of
/// the arguments. Exits with 101 if one fails, as other test programs do.
pub fn run(tests: Vec<Test>) {
    become_engine_if_asked();
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.iter().any(|a| a == "--list") {
        tests.iter().for_each(|t| println!("{}: test", t.name));
        return;
    }
    let wanted: Vec<&String> = args.iter().filter(|a| !a.starts_with('-')).collect();
    let chosen = tests
        .iter()
        .filter(|t| wanted.is_empty() || wanted.iter().any(|w| t.name.contains(w.as_str())));
    let mut failed = Vec::new();
    for t in chosen {
        let body = std::panic::AssertUnwindSafe(|| block_on((t.body)()));
        let ok = std::panic::catch_unwind(body).is_ok();
        println!("test {} ... {}", t.name, if ok { "ok" } else { "FAILED" });
        if !ok {
            failed.push(t.name);
        }
    }
    if !failed.is_empty() {
        eprintln!("failed: {failed:?}");
        std::process::exit(101);
    }
}

/// Becomes an engine if the first argument says so: a server starts its engines with its own
/// executable, which is the test program here.
pub fn become_engine_if_asked() {
    if std::env::args()
        .nth(1)
        .is_some_and(|arg| arg == "engine-exec")
    {
        tidegate_engine::engine_exec_main();
    }
}

pub fn block_on<T>(body: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(body)
}

pub fn silent() -> Arc<dyn Journal> {
    Arc::new(Silent)
}

struct Silent;

impl Journal for Silent {
    fn record(&self, event: &Event) {
        if std::env::var_os("SHOW_EVENTS").is_some() {
            eprintln!("{event:?}");
        }
    }
}

pub struct Server {
    pub control: Control,
    pub sessions: Sessions,
    root: TempDir,
}

impl Server {
    /// Starts a server on a new directory.
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub async fn start_with(change: impl FnOnce(&mut ControlSettings)) -> Self {
        let server = Self::open_with(empty_dir(), change).await;
        keep_templates(server.root());
        server
    }

    /// Starts a server on the directory of a former one.
    pub async fn open(root: TempDir) -> Self {
        Self::open_with(root, |_| {}).await
    }

    pub async fn open_with(root: TempDir, change: impl FnOnce(&mut ControlSettings)) -> Self {
        let dir = DataDir::lock(root.path()).unwrap();
        lend_templates(root.path());
        let mut settings = ControlSettings::new(&dir);
        change(&mut settings);
        let sessions = Sessions::default();
        let control = Control::open(dir, settings, sessions.clone(), silent())
            .await
            .unwrap();
        Self {
            control,
            sessions,
            root,
        }
    }

    pub fn root(&self) -> &Path {
        self.root.path()
    }

    pub async fn stop(self) {
        drop(self.stop_and_keep().await);
    }

    /// Stops the server cleanly and keeps its directory.
    pub async fn stop_and_keep(self) -> TempDir {
        let Self { control, root, .. } = self;
        control.shutdown().await;
        drop(control);
        until("the data directory is let go", || {
            DataDir::lock(root.path()).is_ok()
        })
        .await;
        keep_templates(root.path());
        root
    }

    pub async fn restart(self) -> Self {
        Self::open(self.stop_and_keep().await).await
    }
}

/// Makes a directory that engines with other users can pass through.
pub fn empty_dir() -> TempDir {
    empty_dir_in(&std::env::temp_dir())
}

pub fn empty_dir_in(folder: &Path) -> TempDir {
    tempfile::Builder::new()
        .permissions(PermissionsExt::from_mode(0o711))
        .tempdir_in(folder)
        .unwrap()
}

/// Templates of the engine, shared by all tests of this program: building one takes seconds.
static TEMPLATES: OnceLock<TempDir> = OnceLock::new();

fn keep_templates(root: &Path) {
    let from = root.join("templates");
    let built = std::fs::read_dir(&from).is_ok_and(|mut d| d.next().is_some());
    if TEMPLATES.get().is_none() && built {
        let keep = tempfile::tempdir().unwrap();
        copy(&from, &keep.path().join("templates"));
        let _ = TEMPLATES.set(keep);
    }
}

fn lend_templates(root: &Path) {
    if let Some(keep) = TEMPLATES.get()
        && !root.join("templates").exists()
    {
        copy(&keep.path().join("templates"), &root.join("templates"));
    }
}

fn copy(from: &Path, to: &Path) {
    let done = std::process::Command::new("cp")
        .arg("-a")
        .arg(from)
        .arg(to)
        .status()
        .unwrap();
    assert!(done.success());
}

/// Waits until a condition is true. The bound only ends a test that would hang.
pub async fn until(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..24_000 {
        if done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("not in 120 s: {what}");
}

pub fn stage2(password: &str) -> [u8; 20] {
    Sha1::digest(Sha1::digest(password.as_bytes())).into()
}

/// Claim of root's login.
pub fn root_claim() -> Claim {
    Claim {
        names: vec!["root".to_owned()],
        client: "203.0.113.9".parse().unwrap(),
    }
}

/// A new cluster of this name, with default limits.
pub fn named(name: &str) -> NewCluster {
    NewCluster {
        name: Some(name.to_owned()),
        ..NewCluster::default()
    }
}

/// Looks a cluster up by its prefix, as a login of root does.
pub async fn find(control: &Control, prefix: &Prefix) -> Option<Tenant> {
    control
        .find(prefix, PrefixTag(7), &root_claim())
        .await
        .unwrap()
        .tenant()
        .cloned()
}

/// Whether root may log in with this password by these accounts.
pub fn seen(accounts: &[Account], password: &str) -> bool {
    let hash = Verifier::Native(stage2(password));
    accounts
        .iter()
        .any(|a| a.user == "root" && a.verifiers.contains(&hash))
}

/// Returns the files below a directory that contain these bytes.
pub fn find_bytes(root: &Path, needle: &[u8]) -> Vec<String> {
    let mut hits = Vec::new();
    let mut stack: Vec<PathBuf> = vec![root.to_owned()];
    while let Some(dir) = stack.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let entry = entry.unwrap();
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                stack.push(entry.path());
            } else if kind.is_file() {
                let bytes = std::fs::read(entry.path()).unwrap_or_default();
                if bytes.windows(needle.len()).any(|w| w == needle) {
                    hits.push(entry.path().display().to_string());
                }
            }
        }
    }
    hits
}

/// Prints why a test does not run here, past the captured output, so that `script/test` counts it
/// as skipped.
pub fn not_run(why: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "\nnot run: {why}");
}
