//! The kind `attached`: clusters on a MariaDB server that somebody else runs. Statements of that
//! server's administrator create its root and read its accounts.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tidegate_engine::{
    ClusterSpec, Driver, EngineError, EngineKind, Run, RunError, StartError, account_of_row,
    native_hash,
};
use tidegate_model::{
    Abilities, Accounts, BoxFuture, EngineAddress, EngineParameters, EngineSession,
    KindDescription, ParameterDescription, ParameterError, ParameterType, PasswordVerifier,
    ReadingOrder,
};
use tokio::net::UnixStream;

const ATTACHED: KindDescription = KindDescription {
    name: "attached",
    summary: "a MariaDB server that runs already",
    page: "engines/README.md",
    parameters: &[
        ParameterDescription {
            name: "socket",
            value: ParameterType::Text,
            default: None,
            help: "Unix socket of the server",
        },
        ParameterDescription {
            name: "weight",
            value: ParameterType::Number { min: 1, max: 9 },
            default: Some("5"),
            help: "only shown",
        },
    ],
    login_check: PasswordVerifier::KnownAccounts,
    abilities: Abilities {
        sleeps: false,
        backs_up: false,
        branches: false,
    },
};

/// Administrator of the server, who has no password on its socket.
pub const ADMINISTRATOR: &str = "owner";

pub struct AttachedKind;

impl EngineKind for AttachedKind {
    fn description(&self) -> &'static KindDescription {
        &ATTACHED
    }

    fn check_parameters(&self, parameters: &EngineParameters) -> Result<(), ParameterError> {
        let socket = parameters.text("socket").unwrap_or_default();
        if socket.starts_with('/') {
            return Ok(());
        }
        Err(ParameterError::Rejected {
            message: format!("{socket:?} is not an absolute path"),
            hint: "give the absolute path of the socket".to_owned(),
        })
    }

    fn create<'a>(
        &'a self,
        cluster: &'a ClusterSpec,
        stage2: [u8; 20],
    ) -> BoxFuture<'a, Result<(), EngineError>> {
        Box::pin(async move {
            let created = Attached::new(cluster).set_root(stage2);
            created.map_err(EngineError::Statement)
        })
    }

    fn driver(&self, cluster: &ClusterSpec) -> Arc<dyn Driver> {
        Arc::new(Attached::new(cluster))
    }
}

/// Cluster of this kind, and also each of its runs, because nothing is started or stopped.
#[derive(Clone)]
struct Attached {
    socket: PathBuf,
    readings: Arc<AtomicU64>,
}

impl Attached {
    fn new(cluster: &ClusterSpec) -> Self {
        let socket = cluster.engine.parameters.text("socket");
        Self {
            socket: socket.unwrap_or_default().into(),
            readings: Arc::default(),
        }
    }

    /// Runs SQL as the server's administrator, and returns the result.
    fn administer(&self, sql: &str) -> Result<Vec<u8>, RunError> {
        let mut command = Command::new("mariadb");
        command.args(["--no-defaults", "--batch", "--raw", "--skip-column-names"]);
        command.arg(format!("--socket={}", self.socket.display()));
        let done = command.args(["-u", ADMINISTRATOR, "-e", sql]).output();
        let done = done.map_err(RunError::lost)?;
        if !done.status.success() {
            let said = String::from_utf8_lossy(&done.stderr).into_owned();
            return Err(RunError::Refused(said));
        }
        Ok(done.stdout)
    }

    fn set_root(&self, stage2: [u8; 20]) -> Result<(), RunError> {
        let hash = native_hash(&stage2);
        self.administer(&format!(
            "CREATE OR REPLACE USER root@'%' IDENTIFIED VIA mysql_native_password USING '{hash}'; \
             GRANT ALL ON *.* TO root@'%'"
        ))
        .map(drop)
    }
}

impl Driver for Attached {
    fn start(&self) -> BoxFuture<'_, Result<Arc<dyn Run>, StartError>> {
        Box::pin(async {
            let reached = UnixStream::connect(&self.socket).await;
            reached.map_err(|e| StartError::caused("the server does not answer", e))?;
            Ok(Arc::new(self.clone()) as Arc<dyn Run>)
        })
    }

    fn address(&self) -> EngineAddress {
        EngineAddress::Unix(self.socket.clone())
    }

    fn sleeps(&self) -> bool {
        ATTACHED.abilities.sleeps
    }

    fn remove(&self) -> BoxFuture<'_, Result<(), EngineError>> {
        let dropped = self.administer("DROP USER root@'%'");
        Box::pin(async move { dropped.map(drop).map_err(EngineError::Statement) })
    }
}

impl Run for Attached {
    fn next_reading(&self) -> ReadingOrder {
        ReadingOrder(self.readings.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn accounts(&self) -> BoxFuture<'_, Result<Accounts, RunError>> {
        Box::pin(async {
            let row = self.administer(
                "SELECT Priv FROM mysql.global_priv WHERE User = 'root' AND Host = '%'",
            )?;
            Ok(account_of_row("%", "root", Some(&row))
                .into_iter()
                .collect())
        })
    }

    fn set_password<'a>(
        &'a self,
        _: &'a str,
        _: &'a str,
        stage2: [u8; 20],
    ) -> BoxFuture<'a, Result<(), RunError>> {
        Box::pin(async move { self.set_root(stage2) })
    }

    fn end_session(&self, session: EngineSession) -> BoxFuture<'_, Result<(), RunError>> {
        let killed = self.administer(&format!("KILL {}", session.id));
        Box::pin(async move { killed.map(drop) })
    }
}
