//! Registry of sessions, in memory: a guard per session, lists, kills, and the map of session ids.
//!
//! The gateway writes it; `control` and the console read it. It does no I/O, so it needs no port.

use crate::id::ClusterId;
use crate::session_id::{EngineSession, IdCounter, SessionId};
use futures_util::task::AtomicWaker;
use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::ops::Bound;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// Registry of sessions. Cheap to clone; all clones share the data.
#[derive(Debug, Clone, Default)]
pub struct Sessions {
    inner: Arc<Mutex<Inner>>,
}

/// Requests to one session from outside. Read after every wake-up of the session, so it takes no
/// lock and shares nothing with other sessions.
#[derive(Debug, Default)]
struct Signal {
    flags: AtomicU8,
    waker: AtomicWaker,
}

impl Signal {
    const KILL: u8 = 1;
    const STOP: u8 = 2;
    /// A KILL of the session went to the engine.
    const KILLED_IN_SQL: u8 = 4;

    /// Sets a flag that the session reads when it ends.
    fn note(&self, flag: u8) {
        self.flags.fetch_or(flag, Ordering::AcqRel);
    }

    fn raise(&self, flag: u8) {
        self.flags.fetch_or(flag, Ordering::AcqRel);
        self.waker.wake();
    }

    fn poll_asked(&self, cx: &mut Context<'_>) -> Asked {
        // Registered before the flags are read: one that is raised in between wakes the task.
        self.waker.register(cx.waker());
        let flags = self.flags.load(Ordering::Acquire);
        Asked {
            killed: flags & Self::KILL != 0,
            stopping: flags & Self::STOP != 0,
        }
    }
}

/// Requests to a session so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// The session must end now.
    pub killed: bool,
    /// The session must end before its next command, because the server stops.
    pub stopping: bool,
}

#[derive(Debug, Default)]
struct Inner {
    stopping: bool,
    ids: IdCounter,
    sessions: HashMap<SessionId, SessionEntry>,
    /// All that have logged in, in the order of their ids, so that a list is read page by page.
    logged_in: BTreeSet<SessionId>,
    /// Logged-in sessions by cluster, so that a list or a count of one cluster never reads those of
    /// others.
    per_cluster: HashMap<ClusterId, BTreeSet<SessionId>>,
}

#[derive(Debug)]
struct SessionEntry {
    client: SocketAddr,
    opened: Instant,
    identity: Option<Arc<SessionIdentity>>,
    engine: Option<EngineSession>,
    signal: Arc<Signal>,
}

/// Copy of a logged-in session's entry.
struct LoggedIn {
    id: SessionId,
    client: SocketAddr,
    opened: Instant,
    identity: Arc<SessionIdentity>,
    engine: Option<EngineSession>,
}

impl SessionEntry {
    /// Copies the entry if the session has logged in.
    fn logged_in(&self, id: SessionId) -> Option<LoggedIn> {
        Some(LoggedIn {
            id,
            client: self.client,
            opened: self.opened,
            identity: Arc::clone(self.identity.as_ref()?),
            engine: self.engine,
        })
    }
}

impl LoggedIn {
    fn info(self) -> SessionInfo {
        SessionInfo {
            id: self.id,
            client: self.client,
            cluster: self.identity.cluster,
            user: self.identity.user.clone(),
            tls: self.identity.tls,
            engine: self.engine,
            age: self.opened.elapsed(),
        }
    }
}

#[derive(Debug, Clone)]
struct SessionIdentity {
    cluster: ClusterId,
    user: String,
    tls: &'static str,
}

/// A session as lists show it.
#[derive(Debug, Clone)]
pub struct SessionInfo {
    pub id: SessionId,
    pub client: SocketAddr,
    pub cluster: ClusterId,
    pub user: String,
    pub tls: &'static str,
    pub engine: Option<EngineSession>,
    pub age: Duration,
}

/// Error of a cluster that has its share of all sessions of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many sessions")]
pub struct SessionLimitReached;

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every critical section leaves the maps consistent, so a poisoned lock can still be used.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a connection with an id that no open session has.
    pub fn open(&self, client: SocketAddr) -> SessionGuard {
        let signal = Arc::new(Signal::default());
        let mut inner = self.lock();
        let Inner { ids, sessions, .. } = &mut *inner;
        let id = ids.next_free(|id| sessions.contains_key(&id));
        inner.sessions.insert(
            id,
            SessionEntry {
                client,
                opened: Instant::now(),
                identity: None,
                engine: None,
                signal: Arc::clone(&signal),
            },
        );
        // `stop_all` reached only the sessions of its time.
        if inner.stopping {
            signal.raise(Signal::STOP);
        }
        SessionGuard {
            sessions: self.clone(),
            id,
            signal,
        }
    }

    /// Returns the logged-in sessions of one cluster or of all, ordered by id.
    pub fn list(&self, cluster: Option<ClusterId>) -> Vec<SessionInfo> {
        self.page(cluster, None, usize::MAX)
    }

    /// Returns the first `most` of these sessions whose ids are larger than `after`. Every
    /// connection's open and close waits for the lock, so only a few words per session are copied
    /// under it.
    pub fn page(
        &self,
        cluster: Option<ClusterId>,
        after: Option<SessionId>,
        most: usize,
    ) -> Vec<SessionInfo> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let entries: Vec<_> = {
            let inner = self.lock();
            let ids = match cluster {
                Some(cluster) => inner.per_cluster.get(&cluster),
                None => Some(&inner.logged_in),
            };
            ids.into_iter()
                .flat_map(|ids| ids.range((start, Bound::Unbounded)))
                .take(most)
                .filter_map(|id| inner.sessions.get(id)?.logged_in(*id))
                .collect()
        };
        entries.into_iter().map(LoggedIn::info).collect()
    }

    /// Asks a logged-in session to end. Returns false if there is none with that id.
    pub fn kill(&self, id: SessionId) -> bool {
        let inner = self.lock();
        match inner.sessions.get(&id) {
            Some(e) if e.identity.is_some() => {
                e.signal.raise(Signal::KILL);
                true
            }
            _ => false,
        }
    }

    /// Cluster of a session that has logged in.
    pub fn cluster_of(&self, id: SessionId) -> Option<ClusterId> {
        self.lock()
            .sessions
            .get(&id)?
            .identity
            .as_ref()
            .map(|identity| identity.cluster)
    }

    /// Asks every session, also those opened later, to end before its next command.
    pub fn stop_all(&self) {
        let mut inner = self.lock();
        inner.stopping = true;
        inner
            .sessions
            .values()
            .for_each(|e| e.signal.raise(Signal::STOP));
    }

    /// Returns the engine's id of a session that the session `from` may end: one of the same
    /// cluster and user, in the same run and node of its engine. KILL is mapped by this only.
    pub fn kill_target(
        &self,
        id: SessionId,
        cluster: ClusterId,
        user: &str,
        from: EngineSession,
    ) -> Option<u64> {
        let inner = self.lock();
        let entry = inner.sessions.get(&id)?;
        let identity = entry.identity.as_ref()?;
        let EngineSession { run, node, id } = entry.engine?;
        // A session whose run is over may not have ended here yet. In the current run its id
        // belongs to another session.
        let same_engine = (run, node) == (from.run, from.node);
        (identity.cluster == cluster && identity.user == user && same_engine).then_some(id)
    }

    /// Notes that a KILL of this session goes to its engine, which closes it then. Only of one of
    /// the same user: whether another may be killed depends on rights.
    pub fn note_kill(&self, cluster: ClusterId, user: &str, target: EngineSession) {
        let inner = self.lock();
        let ids = inner.per_cluster.get(&cluster).into_iter().flatten();
        let mut entries = ids.filter_map(|id| inner.sessions.get(id));
        let same_user = |entry: &&SessionEntry| {
            let identity = entry.identity.as_ref();
            entry.engine == Some(target) && identity.is_some_and(|identity| identity.user == user)
        };
        if let Some(entry) = entries.find(same_user) {
            entry.signal.note(Signal::KILLED_IN_SQL);
        }
    }

    /// Number of logged-in sessions.
    pub fn logged_in(&self) -> usize {
        self.lock().logged_in.len()
    }

    /// Number of logged-in sessions of a cluster.
    pub fn count(&self, cluster: ClusterId) -> u32 {
        self.lock().per_cluster.get(&cluster).map_or(0, count)
    }
}

impl Inner {
    /// Takes a session out of the list of a cluster.
    fn leave_cluster(&mut self, cluster: ClusterId, id: SessionId) {
        if let Some(places) = self.per_cluster.get_mut(&cluster) {
            places.remove(&id);
            if places.is_empty() {
                self.per_cluster.remove(&cluster);
            }
        }
    }
}

fn count(places: &BTreeSet<SessionId>) -> u32 {
    u32::try_from(places.len()).unwrap_or(u32::MAX)
}

/// Guard of a session's entry. Dropping it removes the session from the registry.
#[derive(Debug)]
pub struct SessionGuard {
    sessions: Sessions,
    id: SessionId,
    signal: Arc<Signal>,
}

impl SessionGuard {
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// Registers the session as logged in, or as another user's that may be of another cluster.
    /// `user` is the name that the engine knows. `max`: number of sessions that one cluster may
    /// have here, whatever its own limit.
    pub fn admit(
        &self,
        cluster: ClusterId,
        user: &str,
        tls: &'static str,
        max: u32,
    ) -> Result<(), SessionLimitReached> {
        let mut inner = self.sessions.lock();
        let inner = &mut *inner;
        let Some(entry) = inner.sessions.get_mut(&self.id) else {
            return Err(SessionLimitReached);
        };
        let before = entry.identity.as_ref().map(|identity| identity.cluster);
        if before != Some(cluster) {
            let places = inner.per_cluster.entry(cluster).or_default();
            if count(places) >= max {
                return Err(SessionLimitReached);
            }
            places.insert(self.id);
            inner.logged_in.insert(self.id);
            // In its new cluster, no KILL may find it by the id that it had in the former one.
            entry.engine = None;
        }
        entry.identity = Some(Arc::new(SessionIdentity {
            cluster,
            user: user.to_owned(),
            tls,
        }));
        if let Some(before) = before.filter(|before| *before != cluster) {
            inner.leave_cluster(before, self.id);
        }
        Ok(())
    }

    pub fn attached(&self, engine: EngineSession) {
        if let Some(entry) = self.sessions.lock().sessions.get_mut(&self.id) {
            entry.engine = Some(engine);
        }
    }

    /// Waits until the session is asked to end.
    pub fn killed(&self) -> impl Future<Output = ()> + use<> {
        let signal = Arc::clone(&self.signal);
        std::future::poll_fn(move |cx| match signal.poll_asked(cx).killed {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
    }

    /// Whether a KILL of this session went to the engine.
    pub fn is_killed_in_sql(&self) -> bool {
        self.signal.flags.load(Ordering::Acquire) & Signal::KILLED_IN_SQL != 0
    }

    /// Returns the requests to this session; the task is woken when they change.
    pub fn poll_asked(&self, cx: &mut Context<'_>) -> Asked {
        self.signal.poll_asked(cx)
    }
}

impl Drop for SessionGuard {
    fn drop(&mut self) {
        let mut inner = self.sessions.lock();
        let Some(entry) = inner.sessions.remove(&self.id) else {
            return;
        };
        let Some(identity) = entry.identity else {
            return;
        };
        inner.logged_in.remove(&self.id);
        inner.leave_cluster(identity.cluster, self.id);
    }
}

#[cfg(test)]
#[path = "sessions_tests.rs"]
mod tests;
