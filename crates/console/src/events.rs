//! What lately happened to each cluster: refusals that are known to be its own, and its last wakes. In memory and
//! bounded; never anything about a connection that named no cluster, so a stranger can't push anything out.

use crate::limits;
use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tidegate_model::journal::{ConnectionClosed, Ending};
use tidegate_model::{ClusterId, Event, Journal, RefusalKind};

/// Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Events {
    clusters: Arc<Mutex<HashMap<ClusterId, Recent>>>,
}

/// Of one cluster, latest first.
#[derive(Debug, Clone, Default)]
pub struct Recent {
    pub refusals: VecDeque<Refused>,
    pub wakes: VecDeque<Woken>,
}

#[derive(Debug, Clone)]
pub struct Refused {
    pub at: SystemTime,
    pub client: IpAddr,
    pub what: RefusedBy,
}

#[derive(Debug, Clone)]
pub enum RefusedBy {
    /// By the gateway: one of the table's, with a help page of its own.
    Gateway(RefusalKind),
    /// By the engine after a password that was right: no such database, too many connections ...
    Engine { code: u16, message: String },
}

#[derive(Debug, Clone, Copy)]
pub struct Woken {
    pub at: SystemTime,
    pub took: Duration,
    /// It had not slept cleanly.
    pub recovery: bool,
}

impl Events {
    pub fn of(&self, cluster: ClusterId) -> Recent {
        self.clusters.lock().unwrap_or_else(PoisonError::into_inner).get(&cluster).cloned().unwrap_or_default()
    }

    /// Forgets clusters that are gone.
    pub fn keep_only(&self, known: impl Fn(ClusterId) -> bool) {
        self.clusters.lock().unwrap_or_else(PoisonError::into_inner).retain(|id, _| known(*id));
    }

    fn note(&self, cluster: ClusterId, put: impl FnOnce(&mut Recent)) {
        let mut clusters = self.clusters.lock().unwrap_or_else(PoisonError::into_inner);
        if !clusters.contains_key(&cluster) && clusters.len() >= limits::EVENT_CLUSTERS_MAX {
            return;
        }
        put(clusters.entry(cluster).or_default());
    }
}

fn push<T>(ring: &mut VecDeque<T>, item: T) {
    ring.truncate(limits::EVENTS_MAX - 1);
    ring.push_front(item);
}

fn refused(closed: &ConnectionClosed) -> Option<RefusedBy> {
    match &closed.end {
        Ending::Refused { kind, .. } => Some(RefusedBy::Gateway(*kind)),
        Ending::EngineRefused { code, message } => {
            let message = message.chars().take(limits::EVENT_TEXT_MAX).collect();
            Some(RefusedBy::Engine { code: *code, message })
        }
        _ => None,
    }
}

impl Journal for Events {
    fn record(&self, event: &Event) {
        let at = SystemTime::now();
        match event {
            Event::ConnectionClosed(closed) => {
                if let (Some(cluster), Some(what)) = (closed.cluster, refused(closed)) {
                    let client = closed.client.ip();
                    self.note(cluster, |recent| push(&mut recent.refusals, Refused { at, client, what }));
                }
            }
            &Event::EngineStarted { cluster, took, recovery, .. } => {
                self.note(cluster, |recent| push(&mut recent.wakes, Woken { at, took, recovery }));
            }
            _ => {}
        }
    }
}
