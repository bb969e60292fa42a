//! The one way in which this room locks a mutex of the standard library.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks a mutex, also after a panic of a thread that had it: nothing here is left half changed by a
/// panic, and a poisoned lock must not take the certificate away.
pub fn locked<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
