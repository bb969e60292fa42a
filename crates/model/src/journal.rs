//! Events that the server records: a closed list. `cli` forwards each to the log, the metrics and
//! the console.

use crate::id::{ClusterId, RunEpoch};
use crate::refusal::RefusalKind;
use crate::session_id::SessionId;
use std::net::SocketAddr;
use std::time::Duration;

/// Receiver of events. It must not block: connection tasks call it.
pub trait Journal: Send + Sync + 'static {
    fn record(&self, event: &Event);
}

#[derive(Debug, Clone)]
pub enum Event {
    /// End of a connection; exactly one per connection.
    ConnectionClosed(Box<ConnectionClosed>),
    /// A client's TLS handshake succeeded. A failed one is part of [`ConnectionClosed`].
    Secured {
        version: &'static str,
        cipher: Option<&'static str>,
    },
    /// A session goes on as another user, perhaps of another cluster (COM_CHANGE_USER). The record
    /// of its end names the last one only.
    UserChanged(Box<UserChanged>),
    /// A cluster was deleted. Its number is never reused.
    ClusterDeleted {
        cluster: ClusterId,
    },
    EngineStarted {
        cluster: ClusterId,
        run: RunEpoch,
        took: Duration,
        recovery: bool,
    },
    EngineSlept {
        cluster: ClusterId,
        run: RunEpoch,
        sessions_evicted: usize,
    },
    EngineDied {
        cluster: ClusterId,
        run: RunEpoch,
        status: String,
    },
    /// The engine did not answer for this long and used no CPU time. It is killed and recovered.
    EngineFrozen {
        cluster: ClusterId,
        run: RunEpoch,
        silent: Duration,
    },
    EngineFailed {
        cluster: ClusterId,
        reason: String,
    },
    CertificateSwapped {
        names: Vec<String>,
        not_after_unix: i64,
    },
    CertificateRejected {
        reason: String,
    },
    /// The certificate can't be renewed: the operator must act before the current one expires.
    CertificateAlarm {
        what: String,
    },
}

/// Facts about a connection, collected by the stages of its login.
#[derive(Debug, Clone, Default)]
pub struct ConnectionFacts {
    pub cluster: Option<ClusterId>,
    pub cluster_name: Option<String>,
    /// User name as the engine knows it; set after the password was verified.
    pub user: Option<String>,
    /// TLS version, such as `TLS 1.3`.
    pub tls: Option<&'static str>,
    pub cipher: Option<String>,
    pub sni: Option<String>,
    /// Duration of each step before the relay began.
    pub greeting_to_tls: Option<Duration>,
    pub tls_to_login: Option<Duration>,
    pub login_to_attached: Option<Duration>,
    /// Whether this connection started the engine.
    pub woken: bool,
    pub bytes_from_client: u64,
    pub bytes_to_client: u64,
}

/// Change of a session's user.
#[derive(Debug, Clone)]
pub struct UserChanged {
    pub session: SessionId,
    pub client: SocketAddr,
    pub from: SessionUser,
    pub to: SessionUser,
}

/// User of a session, and the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionUser {
    pub cluster: Option<ClusterId>,
    pub cluster_name: Option<String>,
    pub user: Option<String>,
}

impl From<&ConnectionFacts> for SessionUser {
    fn from(facts: &ConnectionFacts) -> Self {
        Self {
            cluster: facts.cluster,
            cluster_name: facts.cluster_name.clone(),
            user: facts.user.clone(),
        }
    }
}

/// Record of a connection, written when it has ended.
#[derive(Debug, Clone)]
pub struct ConnectionClosed {
    pub session: SessionId,
    pub client: SocketAddr,
    /// Peer address of the TCP connection, if a PROXY header named another client.
    pub via: Option<SocketAddr>,
    pub facts: ConnectionFacts,
    /// Time from accept to close.
    pub open: Duration,
    pub end: Ending,
}

/// Reason why a connection ended.
#[derive(Debug, Clone)]
pub enum Ending {
    /// The client sent COM_QUIT.
    Quit,
    /// The client closed before it sent a byte, as the TCP checks of load balancers do. The log
    /// has no line for it, and no metric counts it.
    NothingSent,
    /// The client closed the connection between two commands.
    ClientClosed,
    /// The client's connection broke during a command or a packet.
    ClientGone(String),
    Evicted,
    Killed,
    Shutdown,
    Refused {
        kind: RefusalKind,
        detail: Option<String>,
    },
    /// The engine refused a login that the gateway had accepted: unknown database, too many
    /// connections ...
    EngineRefused {
        code: u16,
        message: String,
    },
    TlsFailed(String),
    /// A bug of this program that it detected.
    InternalError(String),
    /// The connection's task panicked: a bug of this program.
    Panicked,
}
