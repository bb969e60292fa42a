//! Places counted by nested networks. Where a share is used up, the oldest place of the largest
//! holder goes first.

use super::Signal;
use super::network::{Network, NetworkPath};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A newcomer replaces an older connection of its own source only if that has been unproven for
/// this long. A source that logs in faster than the server can follow would otherwise cut its own
/// logins, and none would ever end.
const OWN_PATIENCE: Duration = Duration::from_secs(3);
/// Share of the memory, in percent, above which connections are told to end. What they hold until
/// they have is above it.
const MEMORY_PERCENT: u64 = 80;
/// Places above the total for connections that were told to end and have not yet: this part of it,
/// and this many.
const LEAVING_PART: u32 = 4;
pub(super) const LEAVING_MIN: u32 = 16;

/// Returns the places of this total with those of connections that leave.
pub(super) const fn with_leaving(total: u64) -> u64 {
    total.saturating_add(total / LEAVING_PART as u64)
}

/// Places that a network may hold, by its size. A customer has a /56 or a /48 of IPv6, or a few
/// addresses of IPv4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shares {
    source: u32,
    middle: u32,
    widest: u32,
    total: u32,
}

impl Shares {
    pub fn new(per_source: u32, total: u32) -> Self {
        let times = |n: u32| per_source.saturating_mul(n).min(total);
        Self {
            source: times(1),
            middle: times(2),
            widest: times(4),
            total,
        }
    }

    fn of(&self, path: &NetworkPath, network: Network) -> u32 {
        if network == path.source() {
            self.source
        } else if network == path.widest() {
            self.widest
        } else {
            self.middle
        }
    }
}

/// Share that is used up. The texts are for the log, and name the setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PoolFull {
    #[error("unproven_per_source")]
    SourceNetwork,
    #[error("unproven_per_source, of the source's network")]
    Network,
    #[error("unproven_total")]
    All,
    #[error("unproven_memory")]
    Memory,
}

#[derive(Debug)]
pub(super) struct Pool {
    shares: Shares,
    memory: u64,
    live: Used,
    /// Connections that were told to end and have not yet.
    leaving: Used,
    next_id: u64,
    nodes: HashMap<Network, Node>,
    /// The widest networks.
    widest: Holders,
}

/// Networks by what they cost; of those that cost the same, the one heard of first is the last.
type Holders = BTreeSet<(u64, Reverse<u64>, Network)>;

#[derive(Debug, Default, Clone, Copy)]
struct Used {
    places: u32,
    bytes: u64,
}

/// One network. Places that were told to end are not counted here.
#[derive(Debug, Default)]
struct Node {
    used: Used,
    /// Delayed denials of a source, those of ended connections included.
    late: u32,
    /// When it was first heard of, as a number that grows.
    born: u64,
    /// Networks in this one.
    inner: Holders,
    /// Connections of a source, the oldest first.
    open: BTreeMap<u64, HeldPlaces>,
    /// Connections that only wait for the time of a denial.
    denied: BTreeMap<u64, HeldPlaces>,
}

#[derive(Debug)]
struct HeldPlaces {
    since: Instant,
    bytes: u64,
    signal: Arc<Signal>,
}

impl Node {
    fn is_empty(&self) -> bool {
        self.used.places == 0 && self.late == 0
    }

    fn held(&mut self, id: u64) -> Option<&mut HeldPlaces> {
        match self.open.get_mut(&id) {
            Some(held) => Some(held),
            None => self.denied.get_mut(&id),
        }
    }
}

impl Pool {
    pub fn new(shares: Shares, memory: u64) -> Self {
        Self {
            shares,
            memory,
            live: Used::default(),
            leaving: Used::default(),
            next_id: 0,
            nodes: HashMap::new(),
            widest: Holders::new(),
        }
    }

    /// Returns places and bytes of all connections, those that were told to end included.
    pub fn used(&self) -> (u32, u64) {
        (
            self.live.places + self.leaving.places,
            self.live.bytes + self.leaving.bytes,
        )
    }

    pub fn admit(
        &mut self,
        path: &NetworkPath,
        bytes: u64,
        now: Instant,
        signal: &Arc<Signal>,
    ) -> Result<u64, PoolFull> {
        let (places, used) = self.used();
        if places
            >= self
                .shares
                .total
                .saturating_add((self.shares.total / LEAVING_PART).max(LEAVING_MIN))
        {
            return Err(PoolFull::All);
        }
        if used + bytes > self.memory {
            return Err(PoolFull::Memory);
        }
        for network in path.levels().iter().rev() {
            let held = self.nodes.get(network).map_or(0, |node| node.used.places);
            if held >= self.shares.of(path, *network) {
                let full = if *network == path.source() {
                    PoolFull::SourceNetwork
                } else {
                    PoolFull::Network
                };
                self.replace(Some(*network), path, now).ok_or(full)?;
            }
        }
        if self.live.places >= self.shares.total {
            self.replace(None, path, now).ok_or(PoolFull::All)?;
        }
        while self.live.bytes + bytes > self.mark() {
            self.replace(None, path, now).ok_or(PoolFull::Memory)?;
        }
        let id = self.next_id;
        self.next_id += 1;
        self.count(path, 1, 0, bytes);
        let held = HeldPlaces {
            since: now,
            bytes,
            signal: Arc::clone(signal),
        };
        self.nodes
            .entry(path.source())
            .or_default()
            .open
            .insert(id, held);
        Ok(id)
    }

    /// Bytes above which connections are told to end.
    fn mark(&self) -> u64 {
        self.memory / 100 * MEMORY_PERCENT
    }

    /// Makes room in a network, or in all, for a newcomer. `None`: its own source holds the most
    /// there, and nothing for long.
    fn replace(
        &mut self,
        within: Option<Network>,
        newcomer: &NetworkPath,
        now: Instant,
    ) -> Option<()> {
        let (source, id, since) = self.oldest_of_largest(within)?;
        if source == newcomer.source() && now.saturating_duration_since(since) < OWN_PATIENCE {
            return None;
        }
        self.evict(source, id);
        Some(())
    }

    fn oldest_of_largest(&self, within: Option<Network>) -> Option<(Network, u64, Instant)> {
        let mut network = match within {
            Some(network) => network,
            None => self.widest.last()?.2,
        };
        loop {
            let node = self.nodes.get(&network)?;
            match node.inner.last() {
                Some((_, _, largest)) => network = *largest,
                None => {
                    let oldest = node
                        .open
                        .first_key_value()
                        .or_else(|| node.denied.first_key_value());
                    return oldest.map(|(id, held)| (network, *id, held.since));
                }
            }
        }
    }

    /// Tells a connection to end. It is no longer counted in its networks, only among those that
    /// leave.
    fn evict(&mut self, source: Network, id: u64) {
        let Some(held) = self.take(source, id) else {
            return;
        };
        self.leaving.places += 1;
        self.leaving.bytes += held.bytes;
        held.signal.raise();
        self.count(&source.path(), -1, held.bytes, 0);
    }

    fn take(&mut self, source: Network, id: u64) -> Option<HeldPlaces> {
        let node = self.nodes.get_mut(&source)?;
        node.open.remove(&id).or_else(|| node.denied.remove(&id))
    }

    /// Sets what a connection costs.
    pub fn charge(&mut self, path: &NetworkPath, id: u64, before: u64, bytes: u64) {
        let Some(held) = self
            .nodes
            .get_mut(&path.source())
            .and_then(|node| node.held(id))
        else {
            self.leaving.bytes = self.leaving.bytes.saturating_sub(before) + bytes;
            return;
        };
        held.bytes = bytes;
        self.count(path, 0, before, bytes);
        if bytes > before && self.used().1 > self.memory {
            // Over the whole budget there is no time to wait for another's end.
            return self.evict(path.source(), id);
        }
        while self.live.bytes > self.mark() {
            let Some((source, id, _)) = self.oldest_of_largest(None) else {
                return;
            };
            self.evict(source, id);
        }
    }

    pub fn remove(&mut self, path: &NetworkPath, id: u64, bytes: u64) {
        match self.take(path.source(), id) {
            Some(_) => self.count(path, -1, bytes, 0),
            None => {
                self.leaving.places = self.leaving.places.saturating_sub(1);
                self.leaving.bytes = self.leaving.bytes.saturating_sub(bytes);
            }
        }
    }

    /// A delayed denial no longer counts.
    pub fn forget_late(&mut self, path: &NetworkPath) {
        if let Some(node) = self.nodes.get_mut(&path.source()) {
            node.late = node.late.saturating_sub(1);
            self.forget_empty(path);
        }
    }

    pub fn wait_late(&mut self, path: &NetworkPath, id: u64) {
        let node = self.nodes.entry(path.source()).or_default();
        node.late += 1;
        if let Some(held) = node.open.remove(&id) {
            node.denied.insert(id, held);
        }
    }

    pub fn late(&self, source: Network) -> u32 {
        self.nodes.get(&source).map_or(0, |node| node.late)
    }

    /// Counts places and bytes in all networks of a path: so many places more or less, so many
    /// bytes instead of so many.
    fn count(&mut self, path: &NetworkPath, places: i32, before: u64, after: u64) {
        let change = |used: &mut Used| {
            used.places = used.places.saturating_add_signed(places);
            used.bytes = used.bytes.saturating_sub(before) + after;
        };
        change(&mut self.live);
        let next_id = self.next_id;
        let mut outer: Option<Network> = None;
        for network in path.levels() {
            let node = self.nodes.entry(*network).or_insert_with(|| Node {
                born: next_id,
                ..Node::default()
            });
            let old = node.used.bytes;
            let born = Reverse(node.born);
            change(&mut node.used);
            let now = node.used;
            let siblings = match outer.replace(*network) {
                None => &mut self.widest,
                Some(outer) => &mut self.nodes.entry(outer).or_default().inner,
            };
            siblings.remove(&(old, born, *network));
            if now.places > 0 {
                siblings.insert((now.bytes, born, *network));
            }
        }
        self.forget_empty(path);
    }

    fn forget_empty(&mut self, path: &NetworkPath) {
        for network in path.levels() {
            if self.nodes.get(network).is_some_and(Node::is_empty) {
                self.nodes.remove(network);
            }
        }
    }

    #[cfg(test)]
    pub fn is_forgotten(&self) -> bool {
        self.nodes.is_empty() && self.widest.is_empty() && self.used() == (0, 0)
    }
}
