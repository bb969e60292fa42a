//! Administrative access to one run: a connection to the engine's extra socket, opened anew
//! whenever it is lost. A tenant can end it, lock or drop its account, or keep its statement
//! waiting; each costs the statement, never the engine.

use crate::error::RunError;
use crate::limits::{ADMIN_CONNECT_MAX, LATE_SESSIONS_MAX};
use crate::local::accounts::secret::AdminSecret;
use crate::local::admin::{Admin, StatementError};
use crate::local::error::AdminError;
use std::path::PathBuf;
use std::sync::Arc;
use tidegate_wire::query::Row;
use tokio::net::UnixStream;
use tokio::sync::Mutex;

/// Access to one run's administration. One statement at a time.
pub struct AdminLine {
    /// The run's extra socket, which the tenant's sessions never reach: the engine gives each
    /// connection there a thread, so a thread pool full of a tenant's queries holds up nothing
    /// here.
    socket: PathBuf,
    secret: AdminSecret,
    link: Mutex<Link>,
}

/// The connection, while there is one.
struct Link {
    admin: Option<Admin>,
    /// Sessions given up in the middle of a statement: the engine notices only when the statement
    /// ends, so the next connection ends them.
    late: Vec<u32>,
}

impl AdminLine {
    pub fn new(socket: PathBuf, secret: AdminSecret, admin: Admin) -> Self {
        Self {
            socket,
            secret,
            link: Mutex::new(Link {
                admin: Some(admin),
                late: Vec::new(),
            }),
        }
    }

    /// Runs one statement. A connection that the engine closed is replaced and the statement sent
    /// once more: every statement of this room may be repeated.
    pub async fn run(&self, sql: &str) -> Result<Vec<Row>, RunError> {
        let mut link = self.link.lock().await;
        // The engine may have closed an older connection while it was idle; a new one is not
        // retried.
        let mut may_retry = link.admin.is_some();
        loop {
            let mut admin = match link.admin.take() {
                Some(admin) => admin,
                None => self.connect(&mut link).await?,
            };
            // Recorded before the statement: a caller may drop this future in the middle.
            link.late.push(admin.session);
            match admin.run(sql).await {
                Ok(rows) => {
                    link.put_back(admin);
                    return Ok(rows);
                }
                Err(StatementError::Refused(reason)) => {
                    link.put_back(admin);
                    return Err(RunError::Refused(reason));
                }
                Err(StatementError::Busy(reason)) => {
                    link.put_back(admin);
                    return Err(RunError::Busy(reason));
                }
                Err(StatementError::Closed(_)) if may_retry => {
                    // The session is gone, so there is nothing to end.
                    link.late.pop();
                    may_retry = false;
                }
                Err(StatementError::Closed(error)) => {
                    link.late.pop();
                    return Err(RunError::lost(error));
                }
                Err(StatementError::Late) => {
                    link.late.truncate(LATE_SESSIONS_MAX);
                    return Err(RunError::lost(AdminError::Late(
                        "a statement took too long",
                    )));
                }
            }
        }
    }

    /// Opens a connection beside the current one.
    pub async fn open(&self) -> Result<Admin, RunError> {
        let open = async {
            let stream = UnixStream::connect(&self.socket).await?;
            Admin::greeting(stream)
                .await?
                .login(self.secret.password())
                .await
        };
        let opened = tokio::time::timeout(ADMIN_CONNECT_MAX, open).await;
        opened
            .unwrap_or(Err(AdminError::Late("no new one was opened in time")))
            .map_err(|error| match error {
                // The tenant changed or locked our account. Any other error may be gone at the next
                // try.
                AdminError::LoginRefused(_) | AdminError::Refused(_) => {
                    RunError::ShutOut(Arc::new(error))
                }
                error => RunError::lost(error),
            })
    }

    async fn connect(&self, link: &mut Link) -> Result<Admin, RunError> {
        let mut admin = self.open().await?;
        for session in std::mem::take(&mut link.late) {
            // It may have ended meanwhile, and a tenant may have taken our right to KILL.
            let _ = admin.run(&format!("KILL CONNECTION {session}")).await;
        }
        Ok(admin)
    }
}

impl Link {
    fn put_back(&mut self, admin: Admin) {
        self.late.pop();
        self.admin = Some(admin);
    }
}
