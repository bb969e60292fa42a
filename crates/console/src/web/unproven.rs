//! Place of a connection to the console until a request on it has shown a valid session or key.

use axum::http::Extensions;
use std::sync::{Arc, Mutex, PoisonError};
use tidegate_model::AdmissionPlace;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

#[derive(Debug, Clone)]
pub(crate) struct ConnectionPlace {
    held: Arc<Mutex<PlaceState>>,
    /// Places of connections that have shown one.
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

    /// The connection stays among the unproven while all places of the others are taken.
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

/// Notes that a request with these extensions has shown a valid session or key.
pub(crate) fn mark_proven(extensions: &Extensions) {
    // A router called as a function has no connection.
    if let Some(unproven) = extensions.get::<ConnectionPlace>() {
        unproven.prove();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_model::{Admission, AdmissionLimits};

    #[test]
    fn a_place_is_given_back_by_the_first_proof_and_only_if_there_is_another() {
        let admission = Admission::new(AdmissionLimits {
            per_source: 4,
            total: 8,
            memory: 1 << 20,
            late_max: 1,
        });
        let proven = Arc::new(Semaphore::new(1));
        let connection = || {
            ConnectionPlace::new(
                admission.admit("203.0.113.9".parse().unwrap(), 1).unwrap(),
                proven.clone(),
            )
        };
        let one = connection();
        let two = connection();
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
