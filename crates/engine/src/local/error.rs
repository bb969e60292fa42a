//! Errors of MariaDB processes that no other kind of engine has.

use crate::error::{EngineError, StartError};
use std::path::PathBuf;
use std::sync::Arc;
use tidegate_wire::client::ClientError;
use tidegate_wire::packet::PacketError;
use tidegate_wire::query::QueryError;

/// Error of the kind as a whole.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    #[error(
        "no MariaDB server found: {0}; hint: install the package mariadb-server-core or set \
         engine.mariadbd"
    )]
    NoServer(#[source] ProgramError),
    #[error(
        "the engines' own users can't reach {path}: others may not search {obstacle}; hint: choose \
         another data directory, or run `chmod o+x {obstacle}`",
        path = path.display(),
        obstacle = obstacle.display()
    )]
    Unreachable { path: PathBuf, obstacle: PathBuf },
    #[error(
        "no folder for an engine can be made: {path}: {source}; hint: put the data directory on a \
         local file system; one of NFS, FAT or FUSE may not let root give files to the engines' \
         users",
        path = path.display()
    )]
    NoFolder {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error(
        "no engine can be started on this machine: {program}: {reason}; hint: let every user run \
         {program}, and give the server's container or service the rights that are named",
        program = program.display()
    )]
    NoStart { program: PathBuf, reason: String },
    #[error("the template could not be built")]
    Template(#[source] TemplateError),
    #[error("the thread that starts engines could not be started")]
    Spawner(#[source] std::io::Error),
}

impl From<LocalError> for EngineError {
    fn from(error: LocalError) -> Self {
        Self::Kind(Arc::new(error))
    }
}

impl From<TemplateError> for EngineError {
    fn from(error: TemplateError) -> Self {
        LocalError::Template(error).into()
    }
}

impl From<ProgramError> for EngineError {
    fn from(error: ProgramError) -> Self {
        LocalError::NoServer(error).into()
    }
}

/// Reason why no engine program can be used.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    #[error("neither /usr/sbin/mariadbd nor one on PATH")]
    NotFound,
    #[error("{path}: {source}", path = path.display())]
    NotRun {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{path} --version says {said:?}", path = path.display())]
    NoVersion { path: PathBuf, said: String },
    #[error("mysql_system_tables.sql is not where the server's files are")]
    NoSystemTables,
}

/// Reason why the template of all clusters could not be built.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    #[error("{tool}", tool = tool.display())]
    TimeZones {
        tool: PathBuf,
        source: TimeZonesError,
    },
    #[error("starting {program}", program = program.display())]
    Spawn {
        program: PathBuf,
        source: std::io::Error,
    },
    #[error("the bootstrap took too long")]
    Late,
    /// The program ended with an error: how, and the end of its log.
    #[error("{end}: {log}")]
    Ended { end: String, log: String },
    #[error(transparent)]
    Start(StartError),
    #[error("the engine did not stop by itself")]
    NotStopped,
}

/// Reason why the named time zones could not be read.
#[derive(Debug, thiserror::Error)]
pub enum TimeZonesError {
    #[error(transparent)]
    Program(#[from] std::io::Error),
    #[error("no output")]
    NoOutput,
    #[error("it took too long")]
    Late,
    #[error("{status}, {bytes} bytes of SQL without a named zone; hint: install tzdata")]
    NoZones {
        status: std::process::ExitStatus,
        bytes: usize,
    },
}

/// Reason why the administrative connection can't be used.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Packet(#[from] PacketError),
    #[error(transparent)]
    Query(#[from] QueryError),
    #[error(transparent)]
    Login(#[from] ClientError),
    #[error("the engine closed it")]
    Closed,
    /// A bug: more bytes were taken from the buffer than were read.
    #[error("more bytes were taken than received")]
    OutOfBuffer,
    #[error("the gateway's own login failed: {0}")]
    LoginRefused(String),
    /// The engine's answer to a statement without which the connection is not used.
    #[error("{0}")]
    Refused(String),
    /// The engine has no free connection, no memory or no time for it at the moment.
    #[error("{0}")]
    Busy(String),
    #[error("{0}")]
    Late(&'static str),
}
