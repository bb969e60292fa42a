//! Session at an engine whose client sends COM_CHANGE_USER. It goes on as the new user's if that
//! one is of the same cluster; otherwise it is left.

use crate::engine_login::{self, BrokenLogin, EngineLogin, LoginFailure, ProvenClient};
use crate::leg_stream::{LegStream, QUIT};
use crate::limits;
use crate::login_check::ProvenLogin;
use tidegate_model::{EngineSession, Lease, Requirement};
use tidegate_wire::response::ErrPacket;
use tokio::time::{Instant, timeout, timeout_at};

/// COM_RESET_CONNECTION packet.
const RESET: [u8; 5] = [1, 0, 0, 0, 0x1f];
/// ER_ACCESS_DENIED_ERROR.
const ENGINE_DENIED: u16 = 1045;

/// Session that the client had before, with no command running.
pub(crate) struct PreviousSession {
    pub lease: Lease,
    pub stream: LegStream,
    /// Records sealed for the engine under one key.
    pub records: u64,
    pub session: EngineSession,
}

/// Result of a change of user in a session that exists.
pub(crate) enum Changed {
    Done(Lease, EngineLogin),
    /// A new login decides: the account was changed since it was read, say.
    Again,
    Refused(ErrPacket),
    /// The engine closed the session, or died.
    Broken(Lease, BrokenLogin),
    /// The engine did not answer in time.
    Deadline,
}

impl PreviousSession {
    /// Whether the proven user can go on in this session.
    pub fn serves(&self, proven: &ProvenLogin) -> bool {
        let is_secure = proven.requires == Requirement::None || self.stream.is_secure();
        self.lease.cluster == proven.tenant.cluster && self.lease.is_current() && is_secure
    }

    /// Changes the user. The engine rolls back, and drops all that the former user left in the
    /// session; the session keeps its id there.
    pub async fn change_user(self, deadline: Instant, client: &ProvenClient<'_>) -> Changed {
        let Self {
            lease,
            stream,
            records,
            session,
        } = self;
        let change = engine_login::change_user(stream, client);
        match timeout_at(deadline, change).await {
            Ok(Ok(mut login)) => {
                login.session = session.id;
                login.records = records;
                Changed::Done(lease, login)
            }
            Ok(Err(LoginFailure::Refused(err))) if err.code == ENGINE_DENIED => Changed::Again,
            Ok(Err(LoginFailure::Refused(err))) => Changed::Refused(err),
            Ok(Err(LoginFailure::Broken(why))) => Changed::Broken(lease, why),
            Err(_) => Changed::Deadline,
        }
    }

    /// Ends the session for a new user who is logged in elsewhere. Only a reset tells when the
    /// engine has rolled back: it closes a connection before it cleans up. A failure changes
    /// nothing, as the session ends in any case.
    pub async fn leave(mut self, deadline: Instant) {
        let reset = engine_login::reset(&mut self.stream, &RESET);
        let _ = timeout_at(deadline, reset).await;
        self.quit().await;
    }

    /// Ends the session. Without COM_QUIT, the engine would count it as aborted.
    pub async fn quit(mut self) {
        let _ = timeout(limits::REFUSAL_WRITE, self.stream.write_all(&QUIT)).await;
    }
}
