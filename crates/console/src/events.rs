//! Recent events of each cluster: refused logins and wakes. They are in memory and bounded. Only
//! connections that named an existing cluster are recorded, so strangers can't push out events of
//! others.

use crate::limits;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tidegate_model::journal::{ConnectionClosed, Ending};
use tidegate_model::{ClusterId, Event, Journal, RefusalKind};

/// Recent events of all clusters. Cheap to clone; all clones share the same events.
#[derive(Debug, Clone)]
pub struct Events {
    since: SystemTime,
    clusters: Arc<Mutex<ClusterHistories>>,
}

/// Events by cluster, and the clusters in the order of their last event, so that the cluster with
/// the oldest one is found without a search.
#[derive(Debug, Default)]
struct ClusterHistories {
    recent: HashMap<ClusterId, (u64, RecentEvents)>,
    by_last: BTreeMap<u64, ClusterId>,
    next: u64,
}

impl ClusterHistories {
    fn forget(&mut self, cluster: ClusterId) {
        if let Some((last, _)) = self.recent.remove(&cluster) {
            self.by_last.remove(&last);
        }
    }

    fn record_event(&mut self, cluster: ClusterId, put: impl FnOnce(&mut RecentEvents)) {
        if !self.recent.contains_key(&cluster)
            && self.recent.len() >= limits::EVENT_CLUSTERS_MAX
            && let Some((_, oldest)) = self.by_last.pop_first()
        {
            self.recent.remove(&oldest);
        }
        let now = self.next;
        self.next += 1;
        let (last, recent) = self
            .recent
            .entry(cluster)
            .or_insert_with(|| (now, RecentEvents::default()));
        self.by_last.remove(last);
        *last = now;
        self.by_last.insert(now, cluster);
        put(recent);
    }
}

impl Default for Events {
    fn default() -> Self {
        Self {
            since: SystemTime::now(),
            clusters: Arc::default(),
        }
    }
}

/// Recent events of one cluster, latest first.
#[derive(Debug, Clone, Default)]
pub struct RecentEvents {
    pub refusals: VecDeque<RefusedLogin>,
    pub wakes: VecDeque<ClusterWake>,
}

#[derive(Debug, Clone)]
pub struct RefusedLogin {
    pub at: SystemTime,
    pub client: IpAddr,
    pub what: RefusedBy,
}

#[derive(Debug, Clone)]
pub enum RefusedBy {
    /// Refused by the gateway: a row of the table of refusals, which has a help page.
    Gateway(RefusalKind),
    /// Refused by the engine after the password was verified, for example because the database does
    /// not exist.
    Engine { code: u16, message: String },
}

#[derive(Debug, Clone, Copy)]
pub struct ClusterWake {
    pub at: SystemTime,
    pub took: Duration,
    /// Whether the engine was recovered after an unclean stop.
    pub recovery: bool,
}

impl Events {
    fn lock(&self) -> MutexGuard<'_, ClusterHistories> {
        // A panic can at most lose one event, so the events behind a poisoned lock are still
        // usable.
        self.clusters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn of_cluster(&self, cluster: ClusterId) -> RecentEvents {
        self.lock()
            .recent
            .get(&cluster)
            .map(|(_, recent)| recent.clone())
            .unwrap_or_default()
    }

    /// Time since which events are recorded.
    pub fn since(&self) -> SystemTime {
        self.since
    }
}

fn push_bounded<T>(ring: &mut VecDeque<T>, item: T) {
    ring.truncate(limits::EVENTS_MAX - 1);
    ring.push_front(item);
}

fn refusal_of(closed: &ConnectionClosed) -> Option<RefusedBy> {
    match &closed.end {
        Ending::Refused { kind, .. } => Some(RefusedBy::Gateway(*kind)),
        Ending::EngineRefused { code, message } => {
            // The tenant chooses this text, so it is bounded.
            let message = message.chars().take(limits::EVENT_TEXT_MAX).collect();
            Some(RefusedBy::Engine {
                code: *code,
                message,
            })
        }
        _ => None,
    }
}

impl Journal for Events {
    fn record(&self, event: &Event) {
        let at = SystemTime::now();
        match event {
            Event::ConnectionClosed(closed) => {
                if let (Some(cluster), Some(what)) = (closed.facts.cluster, refusal_of(closed)) {
                    let client = closed.client.ip();
                    self.lock().record_event(cluster, |recent| {
                        push_bounded(&mut recent.refusals, RefusedLogin { at, client, what })
                    });
                }
            }
            &Event::EngineStarted {
                cluster,
                took,
                recovery,
                ..
            } => {
                self.lock().record_event(cluster, |recent| {
                    push_bounded(&mut recent.wakes, ClusterWake { at, took, recovery })
                });
            }
            Event::ClusterDeleted { cluster } => {
                self.lock().forget(*cluster);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::time::{ClockId, clock_gettime};
    use tidegate_model::journal::ConnectionFacts;
    use tidegate_model::{RunEpoch, SessionId};

    fn started(cluster: u64) -> Event {
        let took = Duration::from_millis(80);
        Event::EngineStarted {
            cluster: ClusterId(cluster),
            run: RunEpoch(1),
            took,
            recovery: false,
        }
    }

    #[test]
    fn a_deleted_cluster_is_forgotten_at_once() {
        let events = Events::default();
        events.record(&started(1));
        events.record(&started(2));
        assert_eq!(events.of_cluster(ClusterId(1)).wakes.len(), 1);
        events.record(&Event::ClusterDeleted {
            cluster: ClusterId(1),
        });
        assert!(events.of_cluster(ClusterId(1)).wakes.is_empty());
        assert_eq!(events.of_cluster(ClusterId(2)).wakes.len(), 1);
        assert_eq!(events.lock().recent.len(), 1);
    }

    #[test]
    fn a_new_cluster_replaces_the_one_with_the_oldest_last_event() {
        let events = Events::default();
        let most = u64::try_from(limits::EVENT_CLUSTERS_MAX).unwrap();
        (1..=most).for_each(|id| events.record(&started(id)));
        events.record(&started(1));
        events.record(&started(most + 1));
        assert_eq!(events.lock().recent.len(), limits::EVENT_CLUSTERS_MAX);
        assert_eq!(
            events.of_cluster(ClusterId(most + 1)).wakes.len(),
            1,
            "the new cluster is recorded"
        );
        assert_eq!(
            events.of_cluster(ClusterId(1)).wakes.len(),
            2,
            "a cluster with a recent event keeps its events"
        );
        assert!(
            events.of_cluster(ClusterId(2)).wakes.is_empty(),
            "the cluster with the oldest event was forgotten"
        );
        assert_eq!(events.lock().by_last.len(), limits::EVENT_CLUSTERS_MAX);
    }

    fn refused(cluster: u64, message: &str) -> Event {
        let client = "203.0.113.9:4711".parse().unwrap();
        Event::ConnectionClosed(Box::new(ConnectionClosed {
            session: SessionId::new(1),
            client,
            via: None,
            facts: ConnectionFacts {
                cluster: Some(ClusterId(cluster)),
                ..ConnectionFacts::default()
            },
            open: Duration::ZERO,
            end: Ending::EngineRefused {
                code: 1040,
                message: message.to_owned(),
            },
        }))
    }

    #[test]
    fn one_clusters_events_push_out_no_event_of_another() {
        let events = Events::default();
        let most = u64::try_from(limits::EVENT_CLUSTERS_MAX).unwrap();
        for id in 2..=most {
            events.record(&started(id));
            events.record(&refused(id, "its own"));
        }
        let long = "x".repeat(4 * limits::EVENT_TEXT_MAX);
        for _ in 0..10 * limits::EVENT_CLUSTERS_MAX {
            events.record(&refused(1, &long));
            events.record(&started(1));
        }
        for id in 2..=most {
            let own = events.of_cluster(ClusterId(id));
            assert_eq!((own.refusals.len(), own.wakes.len()), (1, 1), "{id}");
        }
        let busy = events.of_cluster(ClusterId(1));
        let kept = (busy.refusals.len(), busy.wakes.len());
        assert_eq!(kept, (limits::EVENTS_MAX, limits::EVENTS_MAX));
        let RefusedBy::Engine { message, .. } = &busy.refusals[0].what else {
            panic!("{busy:?}")
        };
        assert_eq!(message.len(), limits::EVENT_TEXT_MAX);
    }

    /// Returns the processor time of many events and lists of one cluster.
    fn work_of_one_cluster(events: &Events) -> Duration {
        let began = clock_gettime(ClockId::ThreadCPUTime);
        for _ in 0..2_000 {
            events.record(&refused(1, "its own"));
            events.record(&started(1));
            assert!(!events.of_cluster(ClusterId(1)).wakes.is_empty());
        }
        Duration::try_from(clock_gettime(ClockId::ThreadCPUTime) - began).unwrap()
    }

    /// All events have one lock, so that no event and no list may read those of other clusters
    /// under it. In processor time, since other tests run beside this one.
    #[test]
    fn an_event_of_one_cluster_costs_the_same_beside_the_full_lists_of_all_others() {
        let events = Events::default();
        let alone = work_of_one_cluster(&events);
        let most = u64::try_from(limits::EVENT_CLUSTERS_MAX).unwrap();
        for id in 2..=most {
            for _ in 0..limits::EVENTS_MAX {
                events.record(&refused(id, "others'"));
                events.record(&started(id));
            }
        }
        let beside = work_of_one_cluster(&events);
        assert!(beside < 5 * alone, "{beside:?} instead of {alone:?}");
    }
}
