//! The kind `attached`: clusters on a MariaDB server that somebody else runs. Statements of that
//! server's administrator create its root and read its accounts.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tidegate_engine::{ClusterSpec, Driver, EngineError, EngineKind, Run, RunError, StartError};
use tidegate_model::{
    Abilities, Account, Accounts, BoxFuture, ClusterLimits, EngineAddress, EngineParameters,
    EngineSessionId, KindDescription, LoginCheck, ParameterDescription, ParameterError,
    ParameterType, Requirement, Verifier,
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
    login_check: LoginCheck::KnownAccounts,
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

    fn greeting_version(&self) -> String {
        "8.0.2-Tidegate-attached".to_owned()
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
}

impl Attached {
    fn new(cluster: &ClusterSpec) -> Self {
        let socket = cluster.engine.parameters.text("socket");
        Self {
            socket: socket.unwrap_or_default().into(),
        }
    }

    /// Runs SQL as the server's administrator, and returns the first line of the result.
    fn administer(&self, sql: &str) -> Result<String, RunError> {
        let socket = format!("--socket={}", self.socket.display());
        let mut command = Command::new("mariadb");
        command.args(["--no-defaults", "--batch", "--skip-column-names", &socket]);
        let done = command.args(["-u", ADMINISTRATOR, "-e", sql]).output();
        let done = done.map_err(RunError::lost)?;
        if !done.status.success() {
            let said = String::from_utf8_lossy(&done.stderr).into_owned();
            return Err(RunError::Refused(said));
        }
        let text = String::from_utf8_lossy(&done.stdout);
        Ok(text.lines().next().unwrap_or_default().to_owned())
    }

    fn set_root(&self, stage2: [u8; 20]) -> Result<(), RunError> {
        let hash: String = stage2.iter().map(|byte| format!("{byte:02X}")).collect();
        self.administer(&format!(
            "CREATE OR REPLACE USER root@'%' IDENTIFIED VIA mysql_native_password USING '*{hash}'; \
             GRANT ALL ON *.* TO root@'%'"
        ))
        .map(drop)
    }

    fn root(&self) -> Result<Accounts, RunError> {
        let hash = self.administer(
            "SELECT JSON_VALUE(Priv, '$.authentication_string') FROM mysql.global_priv \
             WHERE User = 'root' AND Host = '%'",
        )?;
        let mut stage2 = [0; 20];
        for (byte, at) in stage2.iter_mut().zip((1..).step_by(2)) {
            let digits = hash.get(at..at + 2).unwrap_or_default();
            *byte = u8::from_str_radix(digits, 16).map_err(|e| RunError::Refused(e.to_string()))?;
        }
        let root = Account {
            user: "root".to_owned(),
            host: "%".to_owned(),
            verifiers: vec![Verifier::Native(stage2)],
            locked: false,
            requires: Requirement::None,
        };
        Ok([root].into_iter().collect())
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

    fn set_limits(&self, _: &ClusterLimits) {}

    fn remove(&self) -> BoxFuture<'_, Result<(), EngineError>> {
        let dropped = self.administer("DROP USER root@'%'");
        Box::pin(async move { dropped.map(drop).map_err(EngineError::Statement) })
    }
}

impl Run for Attached {
    fn ended(&self) -> BoxFuture<'_, String> {
        Box::pin(std::future::pending())
    }

    fn accounts(&self) -> BoxFuture<'_, Result<Accounts, RunError>> {
        Box::pin(async { self.root() })
    }

    fn accounts_of<'a>(&'a self, _: &'a [String]) -> BoxFuture<'a, Result<Accounts, RunError>> {
        self.accounts()
    }

    fn set_password<'a>(
        &'a self,
        _: &'a str,
        _: &'a str,
        stage2: [u8; 20],
    ) -> BoxFuture<'a, Result<(), RunError>> {
        Box::pin(async move { self.set_root(stage2) })
    }

    fn kill_because(&self, _: String) {}

    fn end_session(&self, session: EngineSessionId) -> BoxFuture<'_, Result<(), RunError>> {
        let killed = self.administer(&format!("KILL {}", session.0));
        Box::pin(async move { killed.map(drop) })
    }

    fn settle(&self, _: Duration) -> BoxFuture<'_, Result<bool, RunError>> {
        Box::pin(async { Ok(true) })
    }

    fn stop(&self) -> BoxFuture<'_, bool> {
        Box::pin(async { true })
    }
}
