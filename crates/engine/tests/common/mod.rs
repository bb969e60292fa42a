//! Shared parts of this room's tests: a ledger in memory, a journal, a data directory, and a small
//! client that speaks to an engine as the gateway does. Never a mock of the engine itself.
#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed step is a failed test"
)]

use sha1::{Digest, Sha1};
use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tidegate_engine::{ClusterSpec, EngineSettings, Engines, Helper, Ledger, LedgerError};
use tidegate_model::{
    AccountBook, BoxFuture, ClusterEngine, ClusterId, ClusterLimits, ClusterName, EngineAddress,
    Event, Journal, Lease, RunEpoch, Waker,
};
use tidegate_wire::auth::stage1;
use tidegate_wire::capabilities::Capabilities;
use tidegate_wire::client::{ClientIdentity, ClientLogin, ClientStep};
use tidegate_wire::packet::{Packet, PacketReader};
use tidegate_wire::query::{self, Outcome, ResultReader};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

#[derive(Default)]
pub struct Memory {
    pub rows: Mutex<HashMap<ClusterId, Row>>,
    pub events: Mutex<Vec<Event>>,
    /// Ends of runs that can't be noted, as if the disk were full.
    pub ends_refused: AtomicUsize,
}

#[derive(Default, Clone)]
pub struct Row {
    pub run: u64,
    pub awake: bool,
    pub book: Option<Arc<AccountBook>>,
}

impl Memory {
    pub fn row(&self, id: ClusterId) -> Row {
        self.rows
            .lock()
            .unwrap()
            .get(&id)
            .cloned()
            .unwrap_or_default()
    }

    pub fn count(&self, is: impl Fn(&Event) -> bool) -> usize {
        self.events.lock().unwrap().iter().filter(|e| is(e)).count()
    }

    pub fn starts(&self) -> usize {
        self.count(|e| matches!(e, Event::EngineStarted { .. }))
    }
}

impl Ledger for Memory {
    fn begin_run(&self, id: ClusterId) -> BoxFuture<'_, Result<RunEpoch, LedgerError>> {
        let mut rows = self.rows.lock().unwrap();
        let row = rows.entry(id).or_default();
        row.run += 1;
        row.awake = true;
        let run = RunEpoch(row.run);
        Box::pin(async move { Ok(run) })
    }

    fn end_run(
        &self,
        id: ClusterId,
        run: RunEpoch,
        book: Arc<AccountBook>,
    ) -> BoxFuture<'_, Result<(), LedgerError>> {
        if self
            .ends_refused
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| {
                left.checked_sub(1)
            })
            .is_ok()
        {
            return Box::pin(async { Err(LedgerError::new("database or disk is full")) });
        }
        let mut rows = self.rows.lock().unwrap();
        let row = rows.entry(id).or_default();
        assert_eq!(row.run, run.0, "only the newest run can end");
        row.awake = false;
        row.book = Some(book);
        Box::pin(async move { Ok(()) })
    }

    fn save_accounts(
        &self,
        id: ClusterId,
        book: Arc<AccountBook>,
    ) -> BoxFuture<'_, Result<(), LedgerError>> {
        self.rows.lock().unwrap().entry(id).or_default().book = Some(book);
        Box::pin(async move { Ok(()) })
    }
}

impl Journal for Memory {
    fn record(&self, event: &Event) {
        self.events.lock().unwrap().push(event.clone());
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

pub struct House {
    pub engines: Engines,
    pub memory: Arc<Memory>,
    pub settings: EngineSettings,
    pub temp: TempDir,
}

impl House {
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
        // Hard to share between runs of different tests but for the folder itself.
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

    pub fn spec(&self, id: u64) -> ClusterSpec {
        spec(id, ClusterLimits::default())
    }

    pub async fn create(&self, id: u64) -> ClusterId {
        self.create_with(spec(id, ClusterLimits::default())).await
    }

    pub async fn create_with(&self, spec: ClusterSpec) -> ClusterId {
        let id = spec.id;
        self.engines.create(spec, stage2("first")).await.unwrap();
        id
    }

    pub fn folder(&self, id: ClusterId) -> PathBuf {
        self.settings.folder.join("engines").join(id.to_string())
    }

    pub async fn attach(&self, id: ClusterId) -> Lease {
        self.engines
            .attach(id, Instant::now() + Duration::from_secs(30))
            .await
            .unwrap()
    }

    /// The engine of a cluster, found by the descriptor it holds: its lock.
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

/// Users of clusters in these tests, which claim none: a cluster's is this and its number.
pub const UIDS: u32 = 2_147_287_040;

pub fn spec(id: u64, limits: ClusterLimits) -> ClusterSpec {
    let uid = rustix::process::geteuid()
        .is_root()
        .then(|| UIDS + u32::try_from(id).unwrap());
    ClusterSpec {
        id: ClusterId(id),
        name: ClusterName::parse(&format!("c{id}")).unwrap(),
        engine: ClusterEngine::default(),
        uid,
        limits,
    }
}

pub fn stage2(password: &str) -> [u8; 20] {
    Sha1::digest(Sha1::digest(password.as_bytes())).into()
}

pub fn kill_9(pid: i32) {
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

/// Waits for something that comes by itself. The bound is for a broken test, not for timing.
pub async fn eventually(what: &str, mut is: impl AsyncFnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !is().await {
        assert!(Instant::now() < until, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

const CAPABILITIES: Capabilities = Capabilities(
    Capabilities::LONG_PASSWORD.0
        | Capabilities::PROTOCOL_41.0
        | Capabilities::SECURE_CONNECTION.0
        | Capabilities::PLUGIN_AUTH.0
        | Capabilities::TRANSACTIONS.0
        | Capabilities::DEPRECATE_EOF.0,
);

pub struct Client {
    stream: UnixStream,
    buffer: Vec<u8>,
}

impl Client {
    pub async fn login(
        address: &EngineAddress,
        user: &str,
        password: &str,
    ) -> Result<Self, String> {
        let EngineAddress::Unix(path) = address;
        let stream = UnixStream::connect(path).await.map_err(|e| e.to_string())?;
        let mut this = Self {
            stream,
            buffer: Vec::new(),
        };
        let header = tidegate_wire::proxy::encode_v2(Some((
            "203.0.113.9:4711".parse().unwrap(),
            "10.0.0.1:4000".parse().unwrap(),
        )));
        this.stream
            .write_all(&header)
            .await
            .map_err(|e| e.to_string())?;
        let mut login = ClientLogin::new(ClientIdentity {
            user: user.as_bytes().to_vec(),
            stage1: (!password.is_empty()).then(|| stage1(password.as_bytes())),
            database: None,
            capabilities: CAPABILITIES,
            collation: 45,
            max_packet: 1 << 24,
            attributes: Vec::new(),
        });
        loop {
            let packet = this.packet().await?;
            match login.on_packet(packet).map_err(|e| e.to_string())? {
                ClientStep::Send(bytes) => this
                    .stream
                    .write_all(&bytes)
                    .await
                    .map_err(|e| e.to_string())?,
                ClientStep::Done { .. } => return Ok(this),
                ClientStep::Refused(e) => return Err(e.message_lossy()),
            }
        }
    }

    async fn packet(&mut self) -> Result<Packet, String> {
        let mut reader = PacketReader::new(0xFF_FFFF);
        loop {
            let (taken, packet) = reader.feed(&self.buffer).map_err(|e| e.to_string())?;
            self.buffer.drain(..taken);
            if let Some(packet) = packet {
                return Ok(packet);
            }
            let mut chunk = [0u8; 8192];
            let got = self
                .stream
                .read(&mut chunk)
                .await
                .map_err(|e| e.to_string())?;
            if got == 0 {
                return Err("closed".to_owned());
            }
            self.buffer.extend_from_slice(&chunk[..got]);
        }
    }

    pub async fn query(&mut self, sql: &str) -> Result<Vec<Vec<String>>, String> {
        self.stream
            .write_all(&query::encode(sql))
            .await
            .map_err(|e| e.to_string())?;
        let mut reader = ResultReader::new(CAPABILITIES);
        loop {
            let packet = self.packet().await?;
            match reader.on_packet(&packet).map_err(|e| e.to_string())? {
                None => {}
                Some(Outcome::Refused(e)) => {
                    return Err(format!("{} ({})", e.message_lossy(), e.code));
                }
                Some(Outcome::Done(_)) => return Ok(Vec::new()),
                Some(Outcome::Rows(rows)) => {
                    let text = |c: Option<Vec<u8>>| {
                        c.map_or_else(
                            || "NULL".to_owned(),
                            |c| String::from_utf8_lossy(&c).into_owned(),
                        )
                    };
                    return Ok(rows
                        .into_iter()
                        .map(|r| r.into_iter().map(text).collect())
                        .collect());
                }
            }
        }
    }

    /// The first column of the first row.
    pub async fn one(&mut self, sql: &str) -> String {
        self.query(sql)
            .await
            .unwrap_or_else(|e| panic!("{sql}: {e}"))[0][0]
            .clone()
    }

    pub async fn run(&mut self, sql: &str) {
        self.query(sql)
            .await
            .unwrap_or_else(|e| panic!("{sql}: {e}"));
    }
}

/// Turns root into everything, by a second user whose rights cover the system tables by pattern,
/// and logs it in.
pub async fn almighty(address: &EngineAddress) -> Client {
    let mut root = Client::login(address, "root", "first").await.unwrap();
    root.run("CREATE USER climber@'%' IDENTIFIED BY 'up'").await;
    root.run("GRANT ALL ON `%`.* TO climber@'%'").await;
    let mut climber = Client::login(address, "climber", "up").await.unwrap();
    climber
        .run(
            "UPDATE mysql.global_priv SET Priv = JSON_SET(Priv, '$.access', \
         18446744073709551615) WHERE User = 'root'",
        )
        .await;
    root.run("FLUSH PRIVILEGES").await;
    root.run("DROP USER climber@'%'").await;
    let mut tenant = Client::login(address, "root", "first").await.unwrap();
    let grants = tenant.one("SHOW GRANTS").await;
    assert!(
        grants.contains("ALL PRIVILEGES ON *.*"),
        "the siege needs its weapon: {grants}"
    );
    tenant
}

/// Another server, in another process, that keeps cluster 1 awake. The test kills it.
pub fn holder(house: &House) -> std::process::Child {
    use std::io::{BufRead, BufReader};
    let mut child = std::process::Command::new(helper().program)
        .arg("hold")
        .arg(&house.settings.folder)
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

/// Says why a test does not run here, past its captured output: `script/test` counts it as skipped.
pub fn not_run(why: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "\nnot run: {why}");
}
