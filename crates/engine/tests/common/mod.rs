//! Shared parts of this room's tests: a data directory with real engines, a ledger in memory, and a
//! client of engines. The engine itself is never a mock.
#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed step is a failed test"
)]

mod client;
pub mod hostile_tenant;
mod ledger;
mod user_numbers;

pub use client::{Client, almighty};
pub use ledger::Memory;
pub use user_numbers::UserNumbers;

use rustix::process::{Pid, Signal, kill_process};
use sha1::{Digest, Sha1};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tidegate_engine::{ClusterSpec, EngineSettings, Engines, Helper};
use tidegate_model::{
    AttachRequest, ClusterEngine, ClusterId, ClusterLimits, ClusterName, Event, Lease, SessionId,
    Waker,
};

/// Request of a session for the engine of this cluster.
pub fn request(cluster: ClusterId, deadline: Instant) -> AttachRequest<'static> {
    AttachRequest {
        cluster,
        deadline,
        session: SessionId::new(1),
        user: "root",
        client: std::net::SocketAddr::from(([127, 0, 0, 1], 3306)),
    }
}

/// The helper that cargo builds beside this test.
pub fn helper() -> Helper {
    let exe = std::env::current_exe().unwrap();
    let program = exe
        .parent()
        .and_then(Path::parent)
        .unwrap()
        .join("examples/engine_exec");
    assert!(
        program.exists(),
        "{} is missing: cargo build -p tidegate-engine --examples",
        program.display()
    );
    Helper {
        program,
        args: vec!["engine-exec".into()],
    }
}

/// Folder of the template that all tests of this machine share: building one takes a second.
fn shared_templates() -> PathBuf {
    let uid = rustix::process::geteuid().as_raw();
    let path = std::env::temp_dir().join(format!("tidegate-test-templates-{uid}"));
    std::fs::create_dir_all(&path).unwrap();
    path
}

/// A data directory with its engines.
pub struct EnginesFixture {
    pub engines: Engines,
    pub memory: Arc<Memory>,
    pub settings: EngineSettings,
    pub temp: TempDir,
    pub users: UserNumbers,
}

impl EnginesFixture {
    pub async fn open() -> Self {
        Self::open_with(|_| {}).await
    }

    pub async fn open_with(change: impl FnOnce(&mut EngineSettings)) -> Self {
        let temp = tempfile::tempdir().unwrap();
        std::fs::set_permissions(temp.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
        let mut settings = EngineSettings::new(temp.path().join("data"));
        settings.local.helper = Some(helper());
        change(&mut settings);
        std::fs::create_dir(&settings.folder).unwrap();
        std::os::unix::fs::symlink(shared_templates(), settings.folder.join("templates")).unwrap();
        let memory = Arc::new(Memory::default());
        let engines = Self::engines(&settings, &memory).await;
        {
            let lock = std::fs::File::create(shared_templates().join("lock")).unwrap();
            let lock = tokio::task::spawn_blocking(move || {
                rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
                lock
            });
            let _lock = lock.await.unwrap();
            engines.prepare(&|_| {}).await.unwrap();
        }
        Self {
            engines,
            memory,
            settings,
            temp,
            users: UserNumbers::claim(),
        }
    }

    pub async fn engines(settings: &EngineSettings, memory: &Arc<Memory>) -> Engines {
        Engines::open(
            settings.clone(),
            Arc::clone(memory) as _,
            Arc::clone(memory) as _,
        )
        .await
        .unwrap()
    }

    /// Opens engines that may use so much memory together, with three clusters. The first one has
    /// these limits.
    pub async fn with_three(budget: u64, first: ClusterLimits) -> (Self, [ClusterId; 3]) {
        let fixture = Self::open_with(|s| s.awake_memory_max_bytes = budget).await;
        let ids = [
            fixture.create_limited(1, first).await,
            fixture.create(2).await,
            fixture.create(3).await,
        ];
        (fixture, ids)
    }

    /// Stops all engines and opens them again, as a restart of the server does, but with no cluster
    /// yet. `change` changes files of the data directory while nothing runs.
    pub async fn reopen(self, change: impl FnOnce(&Path)) -> Self {
        self.engines.shutdown().await;
        change(&self.settings.folder);
        let engines = Self::engines(&self.settings, &self.memory).await;
        Self { engines, ..self }
    }

    /// Adds an existing cluster after a restart. `clean`: whether it was put to sleep cleanly.
    pub async fn adopt(&self, id: u64, clean: bool) {
        let spec = self.spec(id, ClusterLimits::default());
        self.engines.adopt(spec, clean).await.unwrap();
    }

    pub async fn create(&self, id: u64) -> ClusterId {
        self.create_limited(id, ClusterLimits::default()).await
    }

    /// Creates a cluster with these limits.
    pub async fn create_limited(&self, id: u64, limits: ClusterLimits) -> ClusterId {
        let spec = self.spec(id, limits);
        let id = spec.id;
        self.engines.create(spec, stage2("first")).await.unwrap();
        id
    }

    pub fn spec(&self, id: u64, limits: ClusterLimits) -> ClusterSpec {
        spec(&self.users, id, limits)
    }

    pub fn folder(&self, id: ClusterId) -> PathBuf {
        self.settings.folder.join("engines").join(id.to_string())
    }

    pub async fn attach(&self, id: ClusterId) -> Lease {
        self.engines
            .attach(request(id, Instant::now() + Duration::from_secs(120)))
            .await
            .unwrap()
    }

    /// Logs in to the cluster as root.
    pub async fn root(&self, id: ClusterId) -> (Lease, Client) {
        let lease = self.attach(id).await;
        let client = Client::root(&lease.address).await;
        (lease, client)
    }

    /// Sends a signal to the cluster's engine.
    pub fn signal(&self, id: ClusterId, signal: Signal) {
        send_signal(self.pid(id).unwrap(), signal);
    }

    /// Counts how often the cluster's engine died for a reason that contains these words.
    pub fn deaths(&self, id: ClusterId, words: &str) -> usize {
        self.memory.count(|event| match event {
            Event::EngineDied {
                cluster, status, ..
            } => *cluster == id && status.contains(words),
            _ => false,
        })
    }

    /// Returns the process of a cluster's engine, found by its lock file, which it keeps open.
    pub fn pid(&self, id: ClusterId) -> Option<i32> {
        let lock = self.folder(id).join("lock").canonicalize().ok()?;
        let own = std::process::id().to_string();
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let name = entry.file_name().to_str().unwrap_or_default().to_owned();
            if name == own || !name.bytes().all(|b| b.is_ascii_digit()) {
                continue;
            }
            let holds = std::fs::read_dir(entry.path().join("fd"))
                .into_iter()
                .flatten()
                .flatten()
                .any(|fd| std::fs::read_link(fd.path()).is_ok_and(|to| to == lock));
            if holds {
                return name.parse().ok();
            }
        }
        None
    }
}

pub fn spec(users: &UserNumbers, id: u64, limits: ClusterLimits) -> ClusterSpec {
    ClusterSpec {
        id: ClusterId(id),
        name: ClusterName::parse(&format!("c{id}")).unwrap(),
        engine: ClusterEngine::default(),
        uid: users.of(ClusterId(id)),
        limits,
    }
}

pub fn stage2(password: &str) -> [u8; 20] {
    Sha1::digest(Sha1::digest(password.as_bytes())).into()
}

pub fn kill_9(pid: i32) {
    send_signal(pid, Signal::KILL);
}

pub fn send_signal(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

/// Waits for a condition that becomes true by itself. The limit only ends a test that hangs.
pub async fn eventually(what: &str, mut is: impl AsyncFnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(120);
    while !is().await {
        assert!(Instant::now() < until, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Starts another server, in another process, which keeps cluster 1 awake until the test kills it.
pub fn holder(fixture: &EnginesFixture) -> std::process::Child {
    use std::io::{BufRead, BufReader};
    let mut child = std::process::Command::new(helper().program)
        .arg("hold")
        .arg(&fixture.settings.folder)
        .arg(fixture.users.first().to_string())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert_eq!(line.trim(), "awake");
    child
}

/// Prints why a test does not run here, past its captured output; `script/test` counts it as
/// skipped.
pub fn not_run(why: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "\nnot run: {why}");
}
