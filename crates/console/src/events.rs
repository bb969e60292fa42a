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
#[derive(Debug, Clone)]
pub struct Events {
    since: SystemTime,
    clusters: Arc<Mutex<HashMap<ClusterId, Recent>>>,
}

impl Default for Events {
    fn default() -> Self {
        Self { since: SystemTime::now(), clusters: Arc::default() }
    }
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

impl Recent {
    fn latest(&self) -> Option<SystemTime> {
        let (refusal, wake) = (self.refusals.front().map(|r| r.at), self.wakes.front().map(|w| w.at));
        refusal.max(wake)
    }
}

impl Events {
    pub fn of(&self, cluster: ClusterId) -> Recent {
        self.clusters.lock().unwrap_or_else(PoisonError::into_inner).get(&cluster).cloned().unwrap_or_default()
    }

    /// Since when there is anything to tell.
    pub fn since(&self) -> SystemTime {
        self.since
    }

    fn note(&self, cluster: ClusterId, put: impl FnOnce(&mut Recent)) {
        let mut clusters = self.clusters.lock().unwrap_or_else(PoisonError::into_inner);
        if !clusters.contains_key(&cluster) && clusters.len() >= limits::EVENT_CLUSTERS_MAX {
            // The one that nothing happened to for longest.
            let quietest = clusters.iter().min_by_key(|(_, recent)| recent.latest()).map(|(id, _)| *id);
            quietest.map(|id| clusters.remove(&id));
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
            Event::ClusterDeleted { cluster } => {
                self.clusters.lock().unwrap_or_else(PoisonError::into_inner).remove(cluster);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_model::RunEpoch;

    fn started(cluster: u64) -> Event {
        let took = Duration::from_millis(80);
        Event::EngineStarted { cluster: ClusterId(cluster), run: RunEpoch(1), took, recovery: false }
    }

    #[test]
    fn a_deleted_cluster_is_forgotten_at_once() {
        let events = Events::default();
        events.record(&started(1));
        events.record(&started(2));
        assert_eq!(events.of(ClusterId(1)).wakes.len(), 1);
        events.record(&Event::ClusterDeleted { cluster: ClusterId(1) });
        assert!(events.of(ClusterId(1)).wakes.is_empty());
        assert_eq!(events.of(ClusterId(2)).wakes.len(), 1);
        assert_eq!(events.clusters.lock().unwrap().len(), 1);
    }

    #[test]
    fn a_new_cluster_takes_the_place_of_the_quietest() {
        let (events, most) = (Events::default(), u64::try_from(limits::EVENT_CLUSTERS_MAX).unwrap());
        (1..=most).for_each(|id| events.record(&started(id)));
        events.record(&started(1));
        events.record(&started(most + 1));
        assert_eq!(events.clusters.lock().unwrap().len(), limits::EVENT_CLUSTERS_MAX);
        assert_eq!(events.of(ClusterId(most + 1)).wakes.len(), 1, "the newcomer has a history");
        assert_eq!(events.of(ClusterId(1)).wakes.len(), 2, "who was heard of just now keeps its own");
    }
}
