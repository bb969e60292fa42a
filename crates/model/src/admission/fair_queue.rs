//! Queue in which networks take turns, whatever their numbers of entries. Sources that proved a
//! password recently get every second turn.

use super::network::{Network, NetworkPath};
use std::collections::{HashMap, VecDeque};

/// Queue in which networks take turns.
#[derive(Debug)]
pub struct FairQueue<T> {
    known: Ring<T>,
    strangers: Ring<T>,
    known_next: bool,
}

impl<T> Default for FairQueue<T> {
    fn default() -> Self {
        Self {
            known: Ring::default(),
            strangers: Ring::default(),
            known_next: true,
        }
    }
}

impl<T> FairQueue<T> {
    /// Adds an entry. `known`: the source proved a password recently.
    pub fn push(&mut self, path: &NetworkPath, known: bool, entry: T) {
        if known {
            self.known.push(path, entry)
        } else {
            self.strangers.push(path, entry)
        }
    }

    /// Returns the entry whose turn it is.
    pub fn pop(&mut self) -> Option<T> {
        self.known_next = !self.known_next;
        let (first, second) = match !self.known_next {
            true => (&mut self.known, &mut self.strangers),
            false => (&mut self.strangers, &mut self.known),
        };
        first.pop().or_else(|| second.pop())
    }

    pub fn is_empty(&self) -> bool {
        self.known.order.is_empty() && self.strangers.order.is_empty()
    }
}

/// Networks of one level that take turns.
#[derive(Debug)]
struct Ring<T> {
    order: VecDeque<Network>,
    branches: HashMap<Network, Branch<T>>,
}

impl<T> Default for Ring<T> {
    fn default() -> Self {
        Self {
            order: VecDeque::new(),
            branches: HashMap::new(),
        }
    }
}

/// Entries of one network: those of the networks in it, or of a source itself.
#[derive(Debug)]
struct Branch<T> {
    inner: Ring<T>,
    entries: VecDeque<T>,
}

impl<T> Ring<T> {
    fn push(&mut self, path: &NetworkPath, entry: T) {
        let mut ring = self;
        let mut levels = path.levels().iter().peekable();
        while let Some(network) = levels.next() {
            let order = &mut ring.order;
            let branch = ring.branches.entry(*network).or_insert_with(|| {
                order.push_back(*network);
                Branch {
                    inner: Ring::default(),
                    entries: VecDeque::new(),
                }
            });
            if levels.peek().is_none() {
                branch.entries.push_back(entry);
                return;
            }
            ring = &mut branch.inner;
        }
    }

    fn pop(&mut self) -> Option<T> {
        let network = self.order.pop_front()?;
        let branch = self.branches.get_mut(&network)?;
        let entry = branch.entries.pop_front().or_else(|| branch.inner.pop());
        // Removed at once, so that the memory depends on the entries and not on all networks ever
        // seen.
        if branch.entries.is_empty() && branch.inner.order.is_empty() {
            self.branches.remove(&network);
        } else {
            self.order.push_back(network);
        }
        entry
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> NetworkPath {
        NetworkPath::of(text.parse().unwrap())
    }

    #[test]
    fn networks_take_turns_at_every_level() {
        let mut queue = FairQueue::default();
        // One /24 with a crowded address and a quiet one, and another /24.
        for n in 0..100 {
            queue.push(&path("203.0.113.9"), false, n);
        }
        queue.push(&path("203.0.113.10"), false, 1_000);
        queue.push(&path("198.51.100.1"), false, 2_000);
        queue.push(&path("198.51.100.1"), false, 2_001);
        let first: Vec<i32> = std::iter::from_fn(|| queue.pop()).take(5).collect();
        assert_eq!(first, [0, 2_000, 1_000, 2_001, 1]);
        assert_eq!(
            std::iter::from_fn(|| queue.pop()).count(),
            98,
            "nothing is lost"
        );
        assert!(queue.is_empty());
    }

    #[test]
    fn a_59_of_ipv6_has_one_turn_among_others() {
        let mut queue = FairQueue::default();
        for n in 0..320_u32 {
            queue.push(&path(&format!("2001:db8:0:{:x}::1", n % 32)), false, 0);
        }
        queue.push(&path("2001:db8:9::1"), false, 1);
        assert_eq!([queue.pop(), queue.pop()], [Some(0), Some(1)]);
    }

    #[test]
    fn known_sources_get_every_second_turn_and_strangers_the_others() {
        let mut queue = FairQueue::default();
        for n in 0..3 {
            queue.push(&path(&format!("203.0.{n}.1")), false, 'S');
            queue.push(&path(&format!("198.51.{n}.1")), true, 'K');
        }
        let all: String = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(all, "KSKSKS");
        assert!(queue.branches_are_gone());
    }

    impl<T> FairQueue<T> {
        fn branches_are_gone(&self) -> bool {
            self.known.branches.is_empty() && self.strangers.branches.is_empty()
        }
    }
}
