//! Place of a cluster's supervisor: a supervisor exists only from the first request for it until
//! its cluster sleeps and nobody asks for it.

use crate::messages::SupervisorCommand;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;

/// Sender of commands to the supervisor, if there is one.
#[derive(Default)]
pub struct SupervisorPlace(Mutex<PlaceState>);

#[derive(Default)]
struct PlaceState {
    commands: Option<mpsc::Sender<SupervisorCommand>>,
    /// No supervisor is made any more.
    ended: bool,
}

impl SupervisorPlace {
    fn state(&self) -> MutexGuard<'_, PlaceState> {
        // Every critical section leaves the state consistent.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a sender to the supervisor, which `make` makes if there is none. It stays for as
    /// long as the sender exists. `None` if the place has ended.
    pub fn occupy(
        &self,
        make: impl FnOnce() -> mpsc::Sender<SupervisorCommand>,
    ) -> Option<mpsc::Sender<SupervisorCommand>> {
        let mut state = self.state();
        if state.ended {
            return None;
        }
        Some(state.commands.get_or_insert_with(make).clone())
    }

    /// Returns a sender to the supervisor that exists.
    pub fn occupant(&self) -> Option<mpsc::Sender<SupervisorCommand>> {
        self.state().commands.clone()
    }

    /// Ends the place, and returns a sender to the supervisor that exists.
    pub fn end(&self) -> Option<mpsc::Sender<SupervisorCommand>> {
        let mut state = self.state();
        state.ended = true;
        state.commands.take()
    }

    /// Removes the supervisor that reads these commands, if there are none and nobody has a sender.
    /// `leave` is called before another supervisor can be made.
    pub fn vacate(
        &self,
        commands: &mpsc::Receiver<SupervisorCommand>,
        leave: impl FnOnce(),
    ) -> bool {
        let mut state = self.state();
        let is_last = state
            .commands
            .as_ref()
            .is_some_and(|own| own.strong_count() == 1);
        // New senders are cloned under the lock only.
        let may = is_last && commands.is_empty();
        if may {
            leave();
            state.commands = None;
        }
        may
    }
}
