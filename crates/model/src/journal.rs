//! What happened, as a closed list of events. Each is fanned out to the log, and later to metrics
//! and audit.

use crate::id::{ClusterId, RunEpoch, SessionId};
use crate::refusal::RefusalKind;
use std::net::SocketAddr;
use std::time::Duration;

/// Takes events. Must be quick: it is called from connection tasks.
pub trait Journal: Send + Sync + 'static {
    fn record(&self, event: &Event);
}

#[derive(Debug, Clone)]
pub enum Event {
    /// The one line each connection ends in.
    ConnectionClosed(Box<ConnectionClosed>),
    /// A client's TLS handshake is done; its connection goes on. Those that fail end theirs.
    Secured {
        version: &'static str,
        cipher: Option<&'static str>,
    },
    /// It is gone for good, and its number never comes back.
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
    /// It gave no sign of life for this long and used no CPU time. It is killed and recovered.
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
    /// No new certificate can be had: somebody must look before the one that is served ends.
    CertificateAlarm {
        what: String,
    },
}

/// Facts learned about a connection on its way through the stages of a login.
#[derive(Debug, Clone, Default)]
pub struct ConnectionFacts {
    pub cluster: Option<ClusterId>,
    pub cluster_name: Option<String>,
    /// User as the engine knows it; set once the password is proven.
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

/// Record of a whole connection, written when it has ended.
#[derive(Debug, Clone)]
pub struct ConnectionClosed {
    pub session: SessionId,
    pub client: SocketAddr,
    /// Address the TCP connection came from, where a PROXY header named another client.
    pub via: Option<SocketAddr>,
    pub facts: ConnectionFacts,
    /// Time from accept to end.
    pub open: Duration,
    pub end: Ending,
}

/// Why a connection ended.
#[derive(Debug, Clone)]
pub enum Ending {
    /// COM_QUIT.
    Quit,
    /// The client closed without a word at a command boundary, or before its first packet.
    ClientClosed,
    /// The client went away in the middle of something.
    ClientGone(String),
    EngineClosed,
    EngineGone(String),
    Evicted,
    Killed,
    Shutdown,
    Refused {
        kind: RefusalKind,
        detail: Option<String>,
    },
    /// The engine refused a login that we had believed: no such database, too many connections ...
    EngineRefused {
        code: u16,
        message: String,
    },
    TlsFailed(String),
    /// A bug of this program that it noticed itself.
    InternalError(String),
    /// A bug of this program that it did not notice.
    Panicked,
}
