//! The wall round an engine, tried from inside with SUPER and FILE in hand: a tenant is not an
//! administrator of the machine. Each escape is tried against targets whose own permissions would
//! let it through.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed step is a failed test"
)]

mod common;

use common::{Client, House, eventually};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tidegate_model::{ClusterId, ClusterState, Lease};

/// A house with one awake cluster, its root turned into everything, and a folder outside that
/// anybody may write.
struct Siege {
    house: House,
    id: ClusterId,
    lease: Lease,
    tenant: Client,
    outside: PathBuf,
}

const SECRET: &str = "outside,secret\n";

impl Siege {
    async fn begin(landlock_abi_max: Option<u8>) -> Self {
        let house = House::open_with(|s| s.local.landlock_abi_max = landlock_abi_max).await;
        let id = house.create(1).await;
        let lease = house.attach(id).await;
        let mut tenant = common::almighty(&lease.address).await;
        tenant.run("USE test").await;
        let outside = house.temp.path().join("outside");
        fs::create_dir(&outside).unwrap();
        open_to_all(&outside, 0o777);
        fs::write(outside.join("secret"), SECRET).unwrap();
        open_to_all(&outside.join("secret"), 0o666);
        Self {
            house,
            id,
            lease,
            tenant,
            outside,
        }
    }

    fn path(&self, name: &str) -> String {
        self.outside.join(name).display().to_string()
    }

    /// Tries it; refused or not, only what it did outside counts.
    async fn try_it(&mut self, sql: &str) -> Option<String> {
        self.tenant.query(sql).await.err()
    }

    fn nothing_happened_outside(&self, after: &str) {
        let names: Vec<_> = fs::read_dir(&self.outside)
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        assert_eq!(names, ["secret"], "after {after}");
        assert_eq!(
            fs::read_to_string(self.outside.join("secret")).unwrap(),
            SECRET,
            "after {after}"
        );
    }
}

fn open_to_all(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

async fn files_outside_are_out_of_reach(abi: Option<u8>) {
    let mut siege = Siege::begin(abi).await;
    let new = siege.path("new");
    let secret = siege.path("secret");
    siege.tenant.run("CREATE TABLE t (a TEXT)").await;
    for file in [
        secret.as_str(),
        "/etc/hostname",
        "/etc/passwd",
        "/proc/self/environ",
        "/proc/1/cmdline",
    ] {
        assert_eq!(
            siege
                .tenant
                .one(&format!("SELECT LOAD_FILE('{file}')"))
                .await,
            "NULL",
            "{file}"
        );
        let read = siege
            .try_it(&format!("LOAD DATA INFILE '{file}' INTO TABLE t"))
            .await;
        assert!(read.is_some(), "LOAD DATA INFILE {file}");
    }
    assert_eq!(siege.tenant.one("SELECT COUNT(*) FROM t").await, "0");
    for sql in [
        format!("SELECT 'x' INTO OUTFILE '{new}'"),
        format!("SELECT 'x' INTO DUMPFILE '{new}'"),
        "INSTALL SONAME 'auth_ed25519'".to_owned(),
        format!("INSTALL PLUGIN x SONAME '../../../..{new}'"),
        "CREATE FUNCTION f RETURNS STRING SONAME 'libc.so.6'".to_owned(),
        format!("CREATE FUNCTION f RETURNS STRING SONAME '{new}'"),
        format!("SET GLOBAL plugin_dir = '{}'", siege.outside.display()),
        format!(
            "SET GLOBAL secure_file_priv = '{}'",
            siege.outside.display()
        ),
        format!("SET GLOBAL tmpdir = '{}'", siege.outside.display()),
        format!("SET GLOBAL log_bin = '{new}'"),
        format!("SET GLOBAL init_file = '{new}'"),
    ] {
        assert!(siege.try_it(&sql).await.is_some(), "{sql} was let through");
        siege.nothing_happened_outside(&sql);
    }
    // These may be accepted; the process can't follow them.
    for engine in ["MyISAM", "Aria", "InnoDB"] {
        let sql = format!(
            "CREATE TABLE d_{engine} (a INT) ENGINE={engine} DATA DIRECTORY='{}'",
            siege.outside.display()
        );
        siege.try_it(&sql).await;
        siege
            .try_it(&format!("INSERT INTO d_{engine} VALUES (1)"))
            .await;
        siege.nothing_happened_outside(&sql);
    }
    for file in [&new, &secret] {
        for (name, switch) in [
            ("general_log_file", "general_log"),
            ("slow_query_log_file", "slow_query_log"),
        ] {
            siege.try_it("SET GLOBAL long_query_time = 0").await;
            siege.try_it(&format!("SET GLOBAL {name} = '{file}'")).await;
            siege.try_it(&format!("SET GLOBAL {switch} = 1")).await;
            siege.try_it("SELECT 'written'").await;
            siege.try_it(&format!("SET GLOBAL {switch} = 0")).await;
            siege.nothing_happened_outside(name);
        }
        siege
            .try_it(&format!(
                "SET GLOBAL innodb_buffer_pool_filename = '{file}'"
            ))
            .await;
        siege
            .try_it("SET GLOBAL innodb_buffer_pool_dump_now = 1")
            .await;
        siege
            .try_it(&format!(
                "SET SESSION innodb_tmpdir = '{}'",
                siege.outside.display()
            ))
            .await;
        siege
            .try_it("ALTER TABLE t ADD INDEX (a(10)), ALGORITHM=INPLACE")
            .await;
        // Another thread makes the dump: give it time.
        siege.try_it("SELECT SLEEP(0.2)").await;
        siege.nothing_happened_outside("innodb paths");
    }
    siege.house.engines.shutdown().await;
    siege.nothing_happened_outside("the stop");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_outside_can_be_neither_read_nor_made_nor_changed() {
    files_outside_are_out_of_reach(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_outside_can_be_neither_read_nor_made_nor_changed_with_landlock_of_debian_12() {
    files_outside_are_out_of_reach(Some(2)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_engine_reads_at_its_start_it_cannot_write() {
    let mut siege = Siege::begin(None).await;
    let folder = siege.house.folder(siege.id);
    let before = fs::read_to_string(folder.join("run/init.sql")).unwrap();
    for file in [
        "run/init.sql",
        "run/new",
        "engine.log",
        "lock",
        "version",
        "plugins/x.so",
        "files/x",
    ] {
        let path = folder.join(file);
        let was = fs::read(&path).ok();
        siege
            .try_it(&format!(
                "SET GLOBAL general_log_file = '{}'",
                path.display()
            ))
            .await;
        siege.try_it("SET GLOBAL general_log = 1").await;
        siege.try_it("SELECT 'INJECTED'").await;
        siege.try_it("SET GLOBAL general_log = 0").await;
        siege
            .try_it(&format!(
                "SELECT 'INJECTED' INTO OUTFILE '{}'",
                path.display()
            ))
            .await;
        if file == "engine.log" {
            // The engine's own messages go there, which is not a way to write what one likes.
            assert!(
                !fs::read_to_string(&path)
                    .unwrap()
                    .contains("SELECT 'INJECTED'")
            );
        } else {
            assert_eq!(fs::read(&path).ok(), was, "{file}");
        }
    }
    assert_eq!(
        fs::read_to_string(folder.join("run/init.sql")).unwrap(),
        before
    );
    siege.house.engines.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_network_socket_is_opened() {
    let mut siege = Siege::begin(None).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    for host in ["127.0.0.1", "localhost", "::1"] {
        siege
            .tenant
            .run(&format!(
                "CHANGE MASTER TO MASTER_HOST='{host}', MASTER_PORT={port}, \
         MASTER_USER='u', MASTER_PASSWORD='p', MASTER_CONNECT_RETRY=1"
            ))
            .await;
        siege.tenant.run("START SLAVE").await;
        let mut error = String::new();
        eventually("the replica gives up", async || {
            let status = siege.tenant.query("SHOW SLAVE STATUS").await.unwrap();
            // Last_IO_Error, by its place in 10.11's answer.
            error = status[0][35].clone();
            !error.is_empty()
        })
        .await;
        assert!(
            error.contains("error connecting to master"),
            "{host}: {error}"
        );
        siege.tenant.run("STOP SLAVE").await;
        siege.tenant.run("RESET SLAVE ALL").await;
    }
    let knocked =
        tokio::time::timeout(std::time::Duration::from_millis(1), listener.accept()).await;
    assert!(knocked.is_err(), "somebody connected");
    // Every socket of the process is one of ours: none has an address of the internet families.
    let pid = siege.house.pid(siege.id).unwrap();
    let inodes: Vec<String> = fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .filter_map(|e| {
            fs::read_link(e.ok()?.path())
                .ok()?
                .to_str()?
                .strip_prefix("socket:[")?
                .strip_suffix(']')
                .map(str::to_owned)
        })
        .collect();
    assert!(!inodes.is_empty());
    for table in ["tcp", "tcp6", "udp", "udp6"] {
        let open = fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
        for line in open.lines().skip(1) {
            let inode = line.split_whitespace().nth(9).unwrap_or_default();
            assert!(!inodes.iter().any(|i| i == inode), "{table}: {line}");
        }
    }
    siege.house.engines.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_neighbour_is_out_of_reach() {
    let mut siege = Siege::begin(None).await;
    let other = siege.house.create(2).await;
    let its_lease = siege.house.attach(other).await;
    let mut its_root = Client::login(&its_lease.address, "root", "first")
        .await
        .unwrap();
    its_root
        .run("CREATE TABLE test.private (a TEXT) ENGINE=Aria")
        .await;
    let folder = siege.house.folder(other);
    for file in [
        "data/test/private.MAD",
        "data/ibdata1",
        "run/init.sql",
        "engine.log",
    ] {
        let path = folder.join(file);
        assert!(path.exists(), "{file}");
        assert_eq!(
            siege
                .tenant
                .one(&format!("SELECT LOAD_FILE('{}')", path.display()))
                .await,
            "NULL"
        );
    }
    let before = names(&folder.join("data"));
    siege
        .try_it(&format!(
            "SET GLOBAL general_log_file = '{}'",
            folder.join("data/x.log").display()
        ))
        .await;
    siege.try_it("SET GLOBAL general_log = 1").await;
    siege.try_it("SELECT 1").await;
    assert_eq!(names(&folder.join("data")), before);
    // Its socket, by the one way an engine connects by itself.
    let socket = its_lease.address.to_string();
    for sql in [
        format!("SET GLOBAL socket = '{socket}'"),
        format!("CREATE SERVER s FOREIGN DATA WRAPPER mysql OPTIONS (SOCKET '{socket}')"),
        "CREATE TABLE f (a TEXT) ENGINE=FEDERATED CONNECTION='mysql://root@localhost/test/private'"
            .to_owned(),
    ] {
        siege.try_it(&sql).await;
    }
    assert!(siege.try_it("SELECT * FROM f").await.is_some());
    assert_eq!(
        its_root
            .one("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'root'")
            .await,
        "1"
    );
    siege.house.engines.shutdown().await;
}

fn names(dir: &Path) -> Vec<String> {
    let mut out: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    // The engine's own temporary files come and go.
    out.retain(|n| !n.starts_with("ib_") && !n.contains("temp"));
    out.sort();
    out
}

#[tokio::test(flavor = "multi_thread")]
async fn the_process_has_nothing_it_does_not_need() {
    let siege = Siege::begin(None).await;
    let pid = siege.house.pid(siege.id).unwrap();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let field = |name: &str| {
        let line = status
            .lines()
            .find(|l| l.starts_with(name))
            .unwrap_or_default();
        line.split_whitespace()
            .skip(1)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(field("NoNewPrivs:"), ["1"]);
    assert_eq!(field("Seccomp:"), ["2"], "a filter");
    assert_eq!(field("CapEff:"), ["0000000000000000"]);
    assert_eq!(field("CapPrm:"), ["0000000000000000"]);
    if rustix::process::geteuid().is_root() {
        let own = (common::UIDS + 1).to_string();
        assert_eq!(
            (field("Uid:"), field("Gid:")),
            (vec![own.clone(); 4], vec![own; 4])
        );
        assert!(field("Groups:").is_empty());
    }
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let core = limits
        .lines()
        .find(|l| l.starts_with("Max core file size"))
        .unwrap();
    assert_eq!(core.split_whitespace().nth(4), Some("0"));
    let environment = fs::read_to_string(format!("/proc/{pid}/environ")).unwrap();
    let names: Vec<_> = environment
        .split('\0')
        .filter_map(|v| v.split('=').next())
        .filter(|n| !n.is_empty())
        .collect();
    assert_eq!(
        names,
        ["LC_ALL", "LISTEN_FDNAMES", "LISTEN_FDS", "LISTEN_PID"]
    );
    // Nothing of ours came along: its sockets, lock, log and own files are all it has open.
    for fd in fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten() {
        let to = fs::read_link(fd.path()).unwrap_or_default();
        let text = to.display().to_string();
        let own = to.starts_with(siege.house.folder(siege.id).canonicalize().unwrap())
            || [
                "socket:",
                "anon_inode:",
                "pipe:",
                "/dev/null",
                "/dev/urandom",
            ]
            .iter()
            .any(|p| text.starts_with(p));
        assert!(own || text.is_empty(), "{text}");
    }
    siege.house.engines.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_who_ends_its_own_engine_ends_nothing_else() {
    let mut siege = Siege::begin(None).await;
    let other = siege.house.create(2).await;
    siege.house.engines.wake(other).await.unwrap();
    siege.try_it("SHUTDOWN").await;
    eventually("up again", async || siege.house.memory.starts() >= 3).await;
    assert_eq!(siege.house.engines.state(other), Some(ClusterState::Awake));
    let lease = siege.house.attach(siege.id).await;
    assert!(lease.run > siege.lease.run);
    Client::login(&lease.address, "root", "first")
        .await
        .unwrap();
    siege.house.engines.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gateway_s_account_is_made_anew_whatever_was_done_to_it() {
    let mut siege = Siege::begin(None).await;
    siege
        .tenant
        .run("DROP USER 'tidegate.admin'@'localhost'")
        .await;
    siege
        .tenant
        .run("CREATE USER 'tidegate.admin'@'localhost' IDENTIFIED BY 'mine'")
        .await;
    // Our session stays, and still reads.
    let users = vec!["root".to_owned(), "tidegate.admin".to_owned()];
    let book = siege
        .house
        .engines
        .accounts(siege.id, users, std::time::Instant::now())
        .await
        .unwrap();
    assert_eq!(
        book.accounts.iter().map(|a| a.user).collect::<Vec<_>>(),
        ["root"]
    );
    let Siege {
        house,
        id,
        lease,
        tenant,
        ..
    } = siege;
    drop((lease, tenant));
    house.engines.sleep(id).await.unwrap();
    let lease = house.attach(id).await;
    assert!(
        Client::login(&lease.address, "tidegate.admin", "mine")
            .await
            .is_err()
    );
    house.engines.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_can_slow_its_own_stop_only_so_far() {
    let mut siege = Siege::begin(None).await;
    for sql in [
        "SET GLOBAL innodb_fast_shutdown = 0",
        "SET GLOBAL max_connections = 100000",
    ] {
        siege.try_it(sql).await;
    }
    let Siege {
        house,
        id,
        lease,
        tenant,
        ..
    } = siege;
    drop((lease, tenant));
    house.engines.sleep(id).await.unwrap();
    assert_eq!(house.engines.state(id), Some(ClusterState::Asleep));
    let lease = house.attach(id).await;
    let mut root = Client::login(&lease.address, "root", "first")
        .await
        .unwrap();
    assert_eq!(
        root.one("SELECT @@max_connections").await,
        "200",
        "what was set is gone with the run"
    );
    house.engines.shutdown().await;
}

/// These give a table's new file the mode, owner and time of the old one, by calls that have no
/// effect in the walls.
#[tokio::test(flavor = "multi_thread")]
async fn tables_of_every_kind_are_repaired_inside_the_walls() {
    let mut siege = Siege::begin(None).await;
    for engine in ["MyISAM", "Aria", "InnoDB"] {
        siege
            .tenant
            .run(&format!(
                "CREATE TABLE r_{engine} (a INT, b TEXT, KEY (a)) ENGINE={engine}"
            ))
            .await;
        siege
            .tenant
            .run(&format!(
                "INSERT INTO r_{engine} SELECT seq, 'x' FROM seq_1_to_1000"
            ))
            .await;
        siege
            .tenant
            .run(&format!("DELETE FROM r_{engine} WHERE a % 2"))
            .await;
        for sql in [
            "REPAIR TABLE",
            "OPTIMIZE TABLE",
            "CHECK TABLE",
            "ANALYZE TABLE",
        ] {
            let rows = siege
                .tenant
                .query(&format!("{sql} r_{engine}"))
                .await
                .unwrap();
            assert!(
                rows.iter()
                    .all(|row| row[2] != "Error" && row[2] != "error"),
                "{engine}: {sql}: {rows:?}"
            );
        }
        siege
            .tenant
            .run(&format!("ALTER TABLE r_{engine} ADD c INT, ALGORITHM=COPY"))
            .await;
        assert_eq!(
            siege
                .tenant
                .one(&format!("SELECT COUNT(*) FROM r_{engine}"))
                .await,
            "500"
        );
    }
    siege.house.engines.shutdown().await;
}
