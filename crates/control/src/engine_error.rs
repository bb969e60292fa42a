//! Errors of the engines, as the errors of operations.

use crate::error::{ControlError, ErrorCode};
use tidegate_engine::{AdministrationError, EngineError, RunError};
use tidegate_model::{ClusterName, RefusalKind, error_chain};

/// Error of a change of root's password.
pub fn password_error(e: EngineError, name: &ClusterName) -> ControlError {
    if !e.is_delay() {
        return engine_error(e, name);
    }
    let name = name.as_str();
    ControlError::new(
        ErrorCode::Busy,
        format!(
            "the engine of cluster {name:?} did not change the password in time: {}; no session \
             was ended and nothing was repaired",
            e.report()
        ),
        format!(
            "a session may have locked the accounts, as a backup does: wait for it, then try \
             again. `tidegate cluster password {name} --repair` does not wait: it ends the engine \
             and all its sessions, and creates root anew"
        ),
    )
}

pub fn engine_error(e: EngineError, name: &ClusterName) -> ControlError {
    match e {
        EngineError::Busy => ControlError::new(
            ErrorCode::Busy,
            format!("a session of cluster {:?} is busy", name.as_str()),
            "wait until it is done, or end it: `tidegate session list` and `tidegate session kill \
             ID`",
        ),
        EngineError::Stopping => ControlError::stopping(),
        EngineError::Unsupported(_) => ControlError::new(
            ErrorCode::Unsupported,
            format!("cluster {:?}: {e}", name.as_str()),
            "`tidegate cluster engines` shows what each kind of engine can do",
        ),
        refused @ EngineError::Refused {
            kind: RefusalKind::DiskFull | RefusalKind::DiskLimit,
            ..
        } => ControlError::new(
            ErrorCode::EngineFailed,
            refused.to_string(),
            format!(
                "free space on the file system of the data directory, or let this cluster start \
                 and give back what it took: `tidegate cluster set {name} --allow-shrink 10m`, \
                 then `tidegate cluster wake {name}`",
                name = name.as_str()
            ),
        ),
        other => engine_failed(other),
    }
}

/// Work on the users and databases of a cluster, for the words of its errors.
#[derive(Debug, Clone, Copy)]
pub enum Work<'a> {
    /// Reads a list, such as `users`.
    List(&'a str),
    /// Changes a user or a database, which the text names.
    Change(&'a str),
}

impl Work<'_> {
    /// Words for it after "during" and "for".
    fn words(self) -> String {
        match self {
            Self::List(what) => format!("the list of {what}"),
            Self::Change(what) => format!("the change of {what}"),
        }
    }
}

/// Error of an operation on a user or a database.
pub fn administration_error(
    e: AdministrationError,
    work: Work<'_>,
    name: &ClusterName,
) -> ControlError {
    let name = name.as_str();
    let (Work::Change(what) | Work::List(what)) = work;
    match e {
        AdministrationError::Exists => ControlError::new(
            ErrorCode::Exists,
            format!("{what} already exists in cluster {name:?}"),
            "choose another name, or delete that one first",
        ),
        AdministrationError::Missing => ControlError::new(
            ErrorCode::NotFound,
            format!("there is no {what} in cluster {name:?}"),
            format!(
                "`tidegate user list {name}` and `tidegate database list {name}` show those that \
                 exist"
            ),
        ),
        AdministrationError::MissingDatabase(database) => ControlError::new(
            ErrorCode::NotFound,
            format!("there is no database {database:?} in cluster {name:?}"),
            format!("`tidegate database list {name}` shows those that exist"),
        ),
        AdministrationError::TooMany(count) => ControlError::new(
            ErrorCode::NoPlace,
            format!("cluster {name:?} has {count} users with a role already, the most it can have"),
            format!("delete one that nobody needs: `tidegate user list {name}`"),
        ),
        AdministrationError::DiskLimit => ControlError::new(
            ErrorCode::NoPlace,
            format!("cluster {name:?} is read-only: it has reached its disk limit"),
            format!(
                "raise the limit (`tidegate cluster set {name} --disk-max SIZE`), or delete data"
            ),
        ),
        AdministrationError::ReadOnly => ControlError::new(
            ErrorCode::Busy,
            format!(
                "cluster {name:?} is read-only: a session has set read_only, not its disk limit"
            ),
            format!(
                "end it as it was begun (`SET GLOBAL read_only = 0`), or with `tidegate cluster \
                 sleep {name}`: the next start of the engine is not read-only"
            ),
        ),
        AdministrationError::Unfinished { left, source } => ControlError::new(
            match source {
                RunError::Busy(_) => ErrorCode::Busy,
                _ => ErrorCode::EngineFailed,
            },
            format!(
                "the engine of cluster {name:?} did not finish the change of {what}: {left}: {}",
                error_chain(&source)
            ),
            format!(
                "`tidegate user list {name}` and `tidegate database list {name}` show what there \
                 is; repeat the command when no session locks tables or accounts"
            ),
        ),
        AdministrationError::Run(RunError::Busy(reason)) => ControlError::new(
            ErrorCode::Busy,
            format!(
                "the engine of cluster {name:?} was too busy for {}: {reason}{}",
                work.words(),
                match work {
                    Work::List(_) => "",
                    Work::Change(_) => "; nothing was changed",
                }
            ),
            "a session may have locked tables or accounts, as a backup does: wait for it, or end \
             it (`tidegate session list`), then try again",
        ),
        AdministrationError::Run(e @ RunError::Lost(_)) => ControlError::new(
            ErrorCode::EngineFailed,
            format!(
                "the engine of cluster {name:?} ended, or closed the connection, twice during {}: \
                 {}",
                work.words(),
                error_chain(&e)
            ),
            format!("`tidegate logs {name}` shows why; then try again"),
        ),
        AdministrationError::Run(e) => ControlError::new(
            ErrorCode::EngineFailed,
            format!(
                "the engine of cluster {name:?} refused {}: {}",
                work.words(),
                error_chain(&e)
            ),
            "the server's log has details",
        ),
    }
}

pub fn engine_failed(e: EngineError) -> ControlError {
    let report = e.report();
    // The engines' own advice is at the end of their errors.
    let (message, hint) = report
        .rsplit_once("; hint: ")
        .unwrap_or((&report, "the server's log has details"));
    ControlError::new(ErrorCode::EngineFailed, message, hint)
}
