//! Ids of sessions: as the client knows them, and as the engine does.

use crate::id::RunEpoch;
use serde::{Deserialize, Serialize};
use std::hash::{BuildHasher, RandomState};

/// Id of a session as the client knows it: the connection id in the gateway's greeting.
///
/// Bit 31 is clear, because drivers read the id as a signed number. Bits 30 and 0 are set: an
/// engine counts its sessions from 1, and the ids of TiDB have bit 0 clear, so a KILL that was not
/// mapped names no session of the engine. Bits 29 to 22 are reserved for the number of a gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SessionId(pub u32);

impl SessionId {
    /// Bits that every id has set.
    const FIXED: u32 = 1 << 30 | 1;
    /// Bits of the counter, above bit 0.
    const COUNTER_BITS: u32 = 21;
    const COUNTER_MASK: u32 = (1 << Self::COUNTER_BITS) - 1;
    /// Number of different ids.
    pub const COUNT: usize = 1 << Self::COUNTER_BITS;

    /// The id with the low bits of this counter.
    pub const fn new(counter: u32) -> Self {
        Self(Self::FIXED | (counter & Self::COUNTER_MASK) << 1)
    }

    /// Session id from a number that a client wrote; `None` if this gateway gives no such id.
    pub fn is_ours(id: u64) -> Option<Self> {
        let id = u32::try_from(id).ok()?;
        (id & !(Self::COUNTER_MASK << 1) == Self::FIXED).then_some(Self(id))
    }
}

/// Session of an engine. Only a session of the same run and node can end it by its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineSession {
    pub run: RunEpoch,
    /// Server of the engine that has the session, if the engine consists of several.
    pub node: u16,
    pub id: u64,
}

impl EngineSession {
    /// Session of an engine that consists of one server.
    pub fn of_single(run: RunEpoch, id: u64) -> Self {
        Self { run, node: 0, id }
    }
}

/// Counter of session ids.
#[derive(Debug)]
pub(crate) struct IdCounter {
    next: u32,
    mask: u32,
}

impl Default for IdCounter {
    /// Starts at random: a client that lost its session when the server was restarted may still
    /// send a KILL with the old id, which must not meet the first sessions of this start.
    fn default() -> Self {
        let [a, b, c, d, ..] = RandomState::new().hash_one(()).to_le_bytes();
        Self::starting_at(u32::from_le_bytes([a, b, c, d]), SessionId::COUNTER_BITS)
    }
}

impl IdCounter {
    fn starting_at(start: u32, bits: u32) -> Self {
        Self {
            next: start,
            mask: (1 << bits) - 1,
        }
    }

    /// Returns the next id that is not in use. The gateway's limits leave more ids than it has
    /// connections, so there is one.
    pub fn next_free(&mut self, in_use: impl Fn(SessionId) -> bool) -> SessionId {
        loop {
            let id = SessionId::new(self.next & self.mask);
            self.next = self.next.wrapping_add(1);
            if !in_use(id) {
                return id;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ids_are_positive_for_drivers_that_read_them_signed() {
        for counter in [0, 1, 7, (1 << 21) - 1, 1 << 21, u32::MAX] {
            let SessionId(id) = SessionId::new(counter);
            assert!(i32::try_from(id).is_ok(), "{id:#x}");
            assert_eq!(id & (1 << 30 | 1), 1 << 30 | 1, "{id:#x}");
            assert_eq!(id & (0xff << 22), 0, "{id:#x}: a gateway's number");
            assert_eq!(SessionId::is_ours(u64::from(id)), Some(SessionId(id)));
        }
    }

    #[test]
    fn numbers_of_engines_and_of_other_gateways_are_not_ours() {
        let ours = u64::from(SessionId::new(7).0);
        let foreign = [
            0,
            7,
            ours & !1,
            ours & !(1 << 30),
            ours | 1 << 22,
            ours | 1 << 29,
            ours | 1 << 31,
            ours | 1 << 32,
            u64::MAX,
        ];
        for id in foreign {
            assert_eq!(SessionId::is_ours(id), None, "{id:#x}");
        }
    }

    #[test]
    fn a_counter_of_four_bits_wraps_and_skips_ids_in_use() {
        let mut counter = IdCounter::starting_at(u32::MAX - 5, 4);
        let mut open = HashSet::new();
        for _ in 0..16 {
            let id = counter.next_free(|id| open.contains(&id));
            assert!(open.insert(id), "{id:?} twice");
        }
        // All are in use. One that is given back is found again from any position of the counter.
        for n in 0..16 {
            let free = SessionId::new(n * 7 % 16);
            assert!(open.remove(&free));
            assert_eq!(counter.next_free(|id| open.contains(&id)), free);
            open.insert(free);
        }
    }

    #[test]
    fn counters_of_two_starts_begin_apart() {
        let starts: HashSet<_> = (0..8)
            .map(|_| IdCounter::default().next_free(|_| false))
            .collect();
        assert!(starts.len() > 4, "{starts:?}");
    }
}
