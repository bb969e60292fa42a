//! Place of a connection in the limits on connections to the console: among the unproven ones until
//! a request on it has a valid session or key.

use axum::http::Extensions;
use std::sync::{Arc, Mutex, PoisonError};
use tidegate_model::AdmissionPlace;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

#[derive(Debug, Clone)]
pub(crate) struct ConnectionPlace {
    held: Arc<Mutex<PlaceState>>,
    /// Places of connections with a valid session or key.
    proven: Arc<Semaphore>,
}

#[derive(Debug)]
enum PlaceState {
    Unproven(AdmissionPlace),
    Proven { _place: OwnedSemaphorePermit },
}

impl ConnectionPlace {
    pub fn new(place: AdmissionPlace, proven: Arc<Semaphore>) -> Self {
        Self {
            held: Arc::new(Mutex::new(PlaceState::Unproven(place))),
            proven,
        }
    }

    /// Moves the connection to the proven ones. It stays unproven while all their places are taken.
    fn prove(&self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let PlaceState::Unproven(_) = *held
            && let Ok(place) = Arc::clone(&self.proven).try_acquire_owned()
            && let PlaceState::Unproven(place) =
                std::mem::replace(&mut *held, PlaceState::Proven { _place: place })
        {
            place.prove();
        }
    }

    pub fn is_proven(&self) -> bool {
        matches!(
            *self.held.lock().unwrap_or_else(PoisonError::into_inner),
            PlaceState::Proven { .. }
        )
    }
}

/// Marks the connection of a request as proven: the request has a valid session or key.
pub(crate) fn mark_proven(extensions: &Extensions) {
    // A router that a test calls as a function has no connection.
    if let Some(unproven) = extensions.get::<ConnectionPlace>() {
        unproven.prove();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_model::{Admission, AdmissionLimits};

    #[test]
    fn the_first_proof_returns_the_unproven_place_if_a_proven_one_is_free() {
        let admission = Admission::new(AdmissionLimits {
            per_source: 4,
            total: 8,
            memory: 1 << 20,
            late_max: 1,
        });
        let proven = Arc::new(Semaphore::new(1));
        let [one, two] = [0, 1].map(|_| {
            let place = admission.admit("203.0.113.9".parse().unwrap(), 1);
            ConnectionPlace::new(place.unwrap(), proven.clone())
        });
        let mut extensions = Extensions::new();
        extensions.insert(one.clone());
        mark_proven(&extensions);
        mark_proven(&extensions);
        two.prove();
        assert!(one.is_proven() && !two.is_proven());
        assert_eq!(admission.used().0, 1);
        drop((one, extensions));
        two.prove();
        assert!(two.is_proven());
        assert_eq!(admission.used().0, 0);
    }
}
