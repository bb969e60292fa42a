//! Places of a cluster's sessions: the limit on its connections.

use crate::session_id::SessionId;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Number of a cluster's sessions that are attached or wait for the engine, and its limit.
#[derive(Debug, Default)]
pub struct SessionPlaces {
    taken: Arc<AtomicU32>,
    max: AtomicU32,
}

/// A session's place among those of its cluster. Dropping it gives the place back.
#[derive(Debug)]
pub struct SessionPlace {
    taken: Arc<AtomicU32>,
    session: SessionId,
}

impl SessionPlaces {
    /// Sets the limit. Sessions above a lower one keep their places.
    pub fn set_max(&self, max: u32) {
        self.max.store(max, Ordering::Release);
    }

    /// Takes a place for this session, if the limit is not reached.
    pub fn take(&self, session: SessionId) -> Option<SessionPlace> {
        let max = self.max.load(Ordering::Acquire);
        let one_more = |taken| (taken < max).then_some(taken + 1);
        self.taken
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more)
            .ok()?;
        Some(SessionPlace {
            taken: Arc::clone(&self.taken),
            session,
        })
    }
}

impl SessionPlace {
    pub fn session(&self) -> SessionId {
        self.session
    }
}

impl Drop for SessionPlace {
    fn drop(&mut self) {
        self.taken.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_and_given_back() {
        let places = SessionPlaces::default();
        let id = SessionId::new(1);
        assert!(places.take(id).is_none(), "no limit is set yet");
        places.set_max(2);
        let first = places.take(id).unwrap();
        let second = places.take(id).unwrap();
        assert!(places.take(id).is_none());
        drop(first);
        let third = places.take(id).unwrap();
        places.set_max(1);
        drop(second);
        assert!(places.take(id).is_none(), "one is left, which is the limit");
        drop(third);
        assert!(places.take(id).is_some());
    }

    #[test]
    fn places_taken_at_the_same_time_are_never_more_than_the_limit() {
        const MAX: u32 = 200;
        let places = SessionPlaces::default();
        places.set_max(MAX);
        let taken: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        let ids = (0..150).map(SessionId::new);
                        ids.filter_map(|id| places.take(id)).collect::<Vec<_>>()
                    })
                })
                .collect();
            let done = threads.into_iter().map(|thread| thread.join().unwrap());
            done.flatten().collect()
        });
        assert_eq!(taken.len(), MAX as usize);
    }
}
