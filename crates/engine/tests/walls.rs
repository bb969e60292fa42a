//! Walls of an engine process, attacked by a tenant with all rights (SUPER and FILE among them):
//! files outside its folder and of other clusters. The permissions of each target would allow the
//! access, so that only the walls refuse it. Processes and sockets are in `walls_process.rs`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed step is a failed test"
)]

mod common;

use common::Client;
use common::hostile_tenant::HostileTenant;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const SECRET: &str = "outside,secret\n";

/// An attacking tenant, and a folder outside the cluster's own that anybody may write.
struct Outside {
    hostile: HostileTenant,
    folder: PathBuf,
}

impl Outside {
    async fn begin(landlock_abi_max: Option<u8>) -> Self {
        let hostile =
            HostileTenant::begin_with(|s| s.local.landlock_abi_max = landlock_abi_max).await;
        let folder = hostile.fixture.temp.path().join("outside");
        fs::create_dir(&folder).unwrap();
        open_to_all(&folder, 0o777);
        fs::write(folder.join("secret"), SECRET).unwrap();
        open_to_all(&folder.join("secret"), 0o666);
        Self { hostile, folder }
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// Runs a statement that may be refused. Only its effect outside matters.
    async fn attempt(&mut self, sql: &str) -> Option<String> {
        self.hostile.attempt(sql).await
    }

    fn assert_untouched(&self, after: &str) {
        assert_eq!(names(&self.folder), ["secret"], "after {after}");
        let text = fs::read_to_string(self.folder.join("secret")).unwrap();
        assert_eq!(text, SECRET, "after {after}");
    }
}

fn open_to_all(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

async fn files_outside_are_out_of_reach(abi: Option<u8>) {
    let mut outside = Outside::begin(abi).await;
    let new = outside.path("new");
    let secret = outside.path("secret");
    outside.hostile.root.run("CREATE TABLE t (a TEXT)").await;
    for file in [
        secret.as_str(),
        "/etc/hostname",
        "/etc/passwd",
        "/proc/self/environ",
        "/proc/1/cmdline",
    ] {
        assert_eq!(
            outside
                .hostile
                .root
                .one(&format!("SELECT LOAD_FILE('{file}')"))
                .await,
            "NULL",
            "{file}"
        );
        let read = outside
            .attempt(&format!("LOAD DATA INFILE '{file}' INTO TABLE t"))
            .await;
        assert!(read.is_some(), "LOAD DATA INFILE {file}");
    }
    assert_eq!(
        outside.hostile.root.one("SELECT COUNT(*) FROM t").await,
        "0"
    );
    for sql in [
        format!("SELECT 'x' INTO OUTFILE '{new}'"),
        format!("SELECT 'x' INTO DUMPFILE '{new}'"),
        "INSTALL SONAME 'auth_ed25519'".to_owned(),
        format!("INSTALL PLUGIN x SONAME '../../../..{new}'"),
        "CREATE FUNCTION f RETURNS STRING SONAME 'libc.so.6'".to_owned(),
        format!("CREATE FUNCTION f RETURNS STRING SONAME '{new}'"),
        format!("SET GLOBAL plugin_dir = '{}'", outside.folder.display()),
        format!(
            "SET GLOBAL secure_file_priv = '{}'",
            outside.folder.display()
        ),
        format!("SET GLOBAL tmpdir = '{}'", outside.folder.display()),
        format!("SET GLOBAL log_bin = '{new}'"),
        format!("SET GLOBAL init_file = '{new}'"),
    ] {
        assert!(
            outside.attempt(&sql).await.is_some(),
            "{sql} was let through"
        );
        outside.assert_untouched(&sql);
    }
    // These may be accepted; the process can't follow them.
    for engine in ["MyISAM", "Aria", "InnoDB"] {
        let sql = format!(
            "CREATE TABLE d_{engine} (a INT) ENGINE={engine} DATA DIRECTORY='{}'",
            outside.folder.display()
        );
        outside.attempt(&sql).await;
        outside
            .attempt(&format!("INSERT INTO d_{engine} VALUES (1)"))
            .await;
        outside.assert_untouched(&sql);
    }
    for file in [&new, &secret] {
        for (name, switch) in [
            ("general_log_file", "general_log"),
            ("slow_query_log_file", "slow_query_log"),
        ] {
            outside.attempt("SET GLOBAL long_query_time = 0").await;
            outside
                .attempt(&format!("SET GLOBAL {name} = '{file}'"))
                .await;
            outside.attempt(&format!("SET GLOBAL {switch} = 1")).await;
            outside.attempt("SELECT 'written'").await;
            outside.attempt(&format!("SET GLOBAL {switch} = 0")).await;
            outside.assert_untouched(name);
        }
        outside
            .attempt(&format!(
                "SET GLOBAL innodb_buffer_pool_filename = '{file}'"
            ))
            .await;
        outside
            .attempt("SET GLOBAL innodb_buffer_pool_dump_now = 1")
            .await;
        outside
            .attempt(&format!(
                "SET SESSION innodb_tmpdir = '{}'",
                outside.folder.display()
            ))
            .await;
        outside
            .attempt("ALTER TABLE t ADD INDEX (a(10)), ALGORITHM=INPLACE")
            .await;
        // Another thread makes the dump: give it time.
        outside.attempt("SELECT SLEEP(0.2)").await;
        outside.assert_untouched("innodb paths");
    }
    outside.hostile.fixture.engines.shutdown().await;
    outside.assert_untouched("the stop");
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
    let mut hostile = HostileTenant::begin().await;
    let folder = hostile.fixture.folder(hostile.id);
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
        hostile
            .attempt(&format!(
                "SET GLOBAL general_log_file = '{}'",
                path.display()
            ))
            .await;
        hostile.attempt("SET GLOBAL general_log = 1").await;
        hostile.attempt("SELECT 'INJECTED'").await;
        hostile.attempt("SET GLOBAL general_log = 0").await;
        hostile
            .attempt(&format!(
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
    hostile.fixture.engines.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_neighbour_is_out_of_reach() {
    let mut hostile = HostileTenant::begin().await;
    let other = hostile.fixture.create(2).await;
    let its_lease = hostile.fixture.attach(other).await;
    let mut its_root = Client::root(&its_lease.address).await;
    its_root
        .run("CREATE TABLE test.private (a TEXT) ENGINE=Aria")
        .await;
    let folder = hostile.fixture.folder(other);
    for file in [
        "data/test/private.MAD",
        "data/ibdata1",
        "run/init.sql",
        "engine.log",
    ] {
        let path = folder.join(file);
        assert!(path.exists(), "{file}");
        assert_eq!(
            hostile
                .root
                .one(&format!("SELECT LOAD_FILE('{}')", path.display()))
                .await,
            "NULL"
        );
    }
    let before = names(&folder.join("data"));
    hostile
        .attempt(&format!(
            "SET GLOBAL general_log_file = '{}'",
            folder.join("data/x.log").display()
        ))
        .await;
    hostile.attempt("SET GLOBAL general_log = 1").await;
    hostile.attempt("SELECT 1").await;
    assert_eq!(names(&folder.join("data")), before);
    // Its socket, by the one way an engine connects by itself.
    let socket = its_lease.address.to_string();
    for sql in [
        format!("SET GLOBAL socket = '{socket}'"),
        format!("CREATE SERVER s FOREIGN DATA WRAPPER mysql OPTIONS (SOCKET '{socket}')"),
        "CREATE TABLE f (a TEXT) ENGINE=FEDERATED CONNECTION='mysql://root@localhost/test/private'"
            .to_owned(),
    ] {
        hostile.attempt(&sql).await;
    }
    assert!(hostile.attempt("SELECT * FROM f").await.is_some());
    assert_eq!(
        its_root
            .one("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'root'")
            .await,
        "1"
    );
    hostile.fixture.engines.shutdown().await;
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

/// These give a table's new file the mode, owner and time of the old one, by calls that have no
/// effect in the walls.
#[tokio::test(flavor = "multi_thread")]
async fn tables_of_every_kind_are_repaired_inside_the_walls() {
    let mut hostile = HostileTenant::begin().await;
    for engine in ["MyISAM", "Aria", "InnoDB"] {
        hostile
            .root
            .run(&format!(
                "CREATE TABLE r_{engine} (a INT, b TEXT, KEY (a)) ENGINE={engine}"
            ))
            .await;
        hostile
            .root
            .run(&format!(
                "INSERT INTO r_{engine} SELECT seq, 'x' FROM seq_1_to_1000"
            ))
            .await;
        hostile
            .root
            .run(&format!("DELETE FROM r_{engine} WHERE a % 2"))
            .await;
        for sql in [
            "REPAIR TABLE",
            "OPTIMIZE TABLE",
            "CHECK TABLE",
            "ANALYZE TABLE",
        ] {
            let rows = hostile
                .root
                .query(&format!("{sql} r_{engine}"))
                .await
                .unwrap();
            assert!(
                rows.iter()
                    .all(|row| row[2] != "Error" && row[2] != "error"),
                "{engine}: {sql}: {rows:?}"
            );
        }
        hostile
            .root
            .run(&format!("ALTER TABLE r_{engine} ADD c INT, ALGORITHM=COPY"))
            .await;
        assert_eq!(
            hostile
                .root
                .one(&format!("SELECT COUNT(*) FROM r_{engine}"))
                .await,
            "500"
        );
    }
    hostile.fixture.engines.shutdown().await;
}
