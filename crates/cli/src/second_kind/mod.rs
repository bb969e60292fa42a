//! Test of a second kind of engine on all ordinary paths: command line, API, store, gateway. It
//! proves that a kind needs one folder and one line in the list of kinds.

mod attached;

use crate::args::{Cli, ClusterCommand, Command, ServeArgs};
use crate::commands;
use crate::commands::cluster::wanted_cluster;
use crate::compose::{Server, lock};
use crate::config::Config;
use attached::{ADMINISTRATOR, AttachedKind};
use clap::Parser;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Program, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tidegate_console::types::Cluster;
use tidegate_console::{Client, ClientError};
use tidegate_engine::{EngineKind, MoreKinds};
use tidegate_model::ClusterState;
use tokio::runtime::Runtime;

/// MariaDB server that the test runs, on a Unix socket.
struct OwnServer {
    process: Child,
    folder: TempDir,
}

impl OwnServer {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = format!("--datadir={}", folder.path().join("data").display());
        let temp = format!("--tmpdir={}", folder.path().display());
        let whoami = Program::new("id").arg("-un").output().unwrap().stdout;
        let user = format!("--user={}", String::from_utf8_lossy(&whoami).trim());
        let made = Program::new("mariadb-install-db")
            .args(["--no-defaults", "--auth-root-authentication-method=normal"])
            .args([&data, &temp, &user])
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        let process = Program::new("/usr/sbin/mariadbd")
            .args(["--no-defaults", "--skip-networking", "--skip-name-resolve"])
            .arg("--proxy-protocol-networks=localhost")
            .args([&data, &temp, &user])
            .arg(format!("--socket={}", folder.path().join("s").display()))
            .arg(format!(
                "--pid-file={}",
                folder.path().join("pid").display()
            ))
            .stdin(Stdio::null())
            .stderr(std::fs::File::create(folder.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let mut server = Self { process, folder };
        while UnixStream::connect(server.socket()).is_err() {
            let ended = server.process.try_wait().unwrap();
            let log = server.folder.path().join("log");
            assert!(ended.is_none(), "{:?}", std::fs::read_to_string(log));
            std::thread::sleep(Duration::from_millis(10));
        }
        // MariaDB resolves 127.0.0.1 to localhost, where its own root has no password: a login of
        // root@'%' would be checked with that account.
        let sql = format!(
            "CREATE USER {ADMINISTRATOR}@localhost; \
             GRANT ALL ON *.* TO {ADMINISTRATOR}@localhost WITH GRANT OPTION; \
             DELETE FROM mysql.global_priv WHERE User IN ('', 'root'); FLUSH PRIVILEGES"
        );
        let socket = format!("--socket={}", server.socket().display());
        let cleaned = Program::new("mariadb")
            .args(["--no-defaults", &socket, "--user=root", "-e", &sql])
            .status();
        assert!(cleaned.unwrap().success());
        server
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("s")
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Server in this process with the second kind, and the command line that talks to it.
struct Gateway {
    runtime: Runtime,
    server: Option<Server>,
    folder: TempDir,
}

impl Gateway {
    fn start(folder: TempDir) -> Self {
        Self::start_with(folder, vec![Arc::new(AttachedKind)])
    }

    fn start_with(folder: TempDir, kinds: Vec<Arc<dyn EngineKind>>) -> Self {
        let parsed = parse(folder.path(), "cluster list");
        let loopback = vec!["127.0.0.1:0".parse().unwrap()];
        let flags = ServeArgs {
            listen: loopback.clone(),
            console: loopback,
            ..ServeArgs::default()
        };
        let config = Config::load(&parsed.global, folder.path(), &flags, |_| None).unwrap();
        let runtime = Runtime::new().unwrap();
        let dir = lock(folder.path()).unwrap();
        let started = runtime.block_on(async {
            let server = Server::start_with_kinds(dir, &config, false, MoreKinds(kinds)).await;
            let server = server.unwrap();
            server.open_database_ports().unwrap();
            server
        });
        Self {
            server: Some(started),
            runtime,
            folder,
        }
    }

    /// Stops the server and returns its data directory for the next one.
    fn stop(mut self) -> TempDir {
        let server = self.server.take().unwrap();
        self.runtime.block_on(server.stop());
        self.folder
    }

    fn client(&self) -> Client {
        Client::new(self.folder.path())
    }

    fn run(&self, words: &str) -> anyhow::Result<()> {
        commands::run(parse(self.folder.path(), words))
    }

    /// Creates a cluster from these words of a command line.
    fn create(&self, words: &str) -> Result<Cluster, ClientError> {
        let Command::Cluster(ClusterCommand::Create {
            name,
            engine,
            parameters,
            limits,
        }) = parse(self.folder.path(), words).command
        else {
            panic!("{words:?} creates nothing")
        };
        let wanted = wanted_cluster(&name, engine.as_deref(), &parameters, limits);
        self.runtime.block_on(self.client().create(&wanted))
    }

    fn show(&self, name: &str) -> Cluster {
        self.runtime.block_on(self.client().cluster(name)).unwrap()
    }

    /// Logs in through the gateway's port with this machine's own client.
    fn query(&self, cluster: &Cluster, password: &str, sql: &str) -> Output {
        let port = self.server.as_ref().unwrap().listening()[0].port();
        Program::new("mariadb")
            .args(["--no-defaults", "--batch", "--skip-column-names"])
            .arg("--ssl-verify-server-cert")
            .arg(format!("--ssl-ca={}", cluster.ca.as_deref().unwrap()))
            .args(["-h", &cluster.host, "-P", &port.to_string()])
            .args(["-u", &cluster.user, "-e", sql])
            .env("MYSQL_PWD", password)
            .output()
            .unwrap()
    }
}

fn parse(data: &Path, words: &str) -> Cli {
    let data = data.display().to_string();
    let words = ["tidegate", "--data", &data]
        .into_iter()
        .chain(words.split(' '));
    Cli::try_parse_from(words).unwrap()
}

#[test]
fn a_second_kind_is_created_shown_woken_logged_in_to_and_deleted_by_the_ordinary_paths() {
    let own = OwnServer::start();
    let folder = tempfile::Builder::new()
        .permissions(PermissionsExt::from_mode(0o711))
        .tempdir()
        .unwrap();
    let gateway = Gateway::start(folder);

    let kinds = gateway.runtime.block_on(gateway.client().engine_kinds());
    let kinds = kinds.unwrap();
    let names: Vec<_> = kinds.iter().map(|kind| kind.name.as_str()).collect();
    assert_eq!(names, ["mariadb", "attached"], "the default first");
    let socket = &kinds[1].parameters[0];
    assert_eq!(
        (socket.name.as_str(), socket.default.as_deref()),
        ("socket", None)
    );
    gateway.run("cluster engines").unwrap();

    for (words, code) in [
        ("cluster create shop --engine none", "bad_parameters"),
        ("cluster create shop --engine attached", "bad_parameters"),
        (
            "cluster create shop --engine attached --set socket=s",
            "bad_parameters",
        ),
        ("cluster create shop --set socket=/s", "bad_parameters"),
    ] {
        let refused = gateway.create(words).unwrap_err();
        assert_eq!(refused.code(), Some(code), "{words}: {refused}");
    }

    let path = own.socket().display().to_string();
    let words = format!("cluster create shop --engine attached --set socket={path} --set weight=7");
    let made = gateway.create(&words).unwrap();
    let password = made.password.as_ref().unwrap().reveal().to_owned();
    let shown = gateway.show("shop");
    assert_eq!(shown.engine, "attached");
    assert!(!shown.sleeps);
    assert_eq!(shown.parameters["socket"], path);
    assert_eq!(shown.parameters["weight"], 7);
    gateway.run("cluster show shop").unwrap();

    gateway.run("cluster wake shop").unwrap();
    assert_eq!(gateway.show("shop").state, ClusterState::Awake);
    let answer = gateway.query(&made, &password, "SELECT 6 * 7, @@socket");
    let said = String::from_utf8_lossy(&answer.stdout).into_owned();
    assert_eq!(said.trim(), format!("42\t{path}"), "{answer:?}");
    assert!(!gateway.query(&made, "wrong", "SELECT 1").status.success());
    let refused = gateway.run("cluster sleep shop").unwrap_err();
    assert!(refused.to_string().contains("sleep"), "{refused}");

    // A version without this kind keeps its clusters.
    let gateway = Gateway::start_with(gateway.stop(), Vec::new());
    let unknown = gateway.show("shop");
    assert_eq!(unknown.state, ClusterState::Failed);
    let failure = unknown.failure.unwrap();
    assert!(failure.contains("\"attached\", is unknown"), "{failure}");
    let refused = gateway.run("cluster delete shop --yes").unwrap_err();
    assert!(refused.to_string().contains("unknown kind"), "{refused}");
    assert!(gateway.run("cluster wake shop").is_err());

    // Kind and parameters are read from the store by the next server.
    let gateway = Gateway::start(gateway.stop());
    assert_eq!(gateway.show("shop").parameters["weight"], 7);
    let answer = gateway.query(&made, &password, "SELECT 1");
    assert!(answer.status.success(), "{answer:?}");

    gateway.run("cluster delete shop --yes").unwrap();
    assert!(
        gateway
            .runtime
            .block_on(gateway.client().cluster("shop"))
            .is_err()
    );
    assert!(!gateway.query(&made, &password, "SELECT 1").status.success());
    drop(gateway.stop());
}
