//! Places counted by nested networks. If a share is used up, the oldest connection of the network
//! that uses most is evicted.

use super::Signal;
use super::network::{Network, NetworkPath};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Minimum age of an unproven connection that a newcomer of the same source may replace. Without
/// it, a source that logs in faster than the server can answer would cut off all its own logins.
const OWN_PATIENCE: Duration = Duration::from_secs(3);
/// Share of the memory, in percent, above which connections are evicted. The rest is for evicted
/// connections until they are closed.
const MEMORY_PERCENT: u64 = 80;
/// Places above the total for evicted connections that are still closing: the total divided by
/// this, and at least `LEAVING_MIN`.
const LEAVING_PART: u32 = 4;
pub(super) const LEAVING_MIN: u32 = 16;

/// Returns this total plus the places of evicted connections.
pub(super) const fn with_leaving(total: u64) -> u64 {
    total.saturating_add(total / LEAVING_PART as u64)
}

/// Places that a network may have, by its size. A customer has a /56 or a /48 of IPv6, or a few
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
        Self {
            source: per_source.min(total),
            middle: per_source.saturating_mul(2).min(total),
            widest: per_source.saturating_mul(4).min(total),
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

/// Limit that was reached. The texts are for the log, and name the setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PoolFull {
    #[error("unproven_per_source")]
    Source,
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
    /// Evicted connections that are still closing.
    leaving: Used,
    next_id: u64,
    nodes: HashMap<Network, Node>,
    /// The widest networks.
    widest: Holders,
}

/// Networks by the bytes they use; of equal ones, the network that was seen first is the last.
type Holders = BTreeSet<(u64, Reverse<u64>, Network)>;

#[derive(Debug, Default, Clone, Copy)]
struct Used {
    places: u32,
    bytes: u64,
}

impl Used {
    fn change(&mut self, places: i32, before: u64, after: u64) {
        self.places = self.places.saturating_add_signed(places);
        self.bytes = self.bytes.saturating_sub(before) + after;
    }
}

/// Counts of one network. Evicted connections are not included.
#[derive(Debug, Default)]
struct Node {
    used: Used,
    /// Delayed denials of a source, including those of closed connections.
    late: u32,
    /// Sequence number of its first connection.
    born: u64,
    /// Networks within this one.
    inner: Holders,
    /// Connections of a source, the oldest first.
    open: BTreeMap<u64, HeldPlaces>,
    /// Connections that wait for the time of a denial.
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

    /// Returns places and bytes of all connections, including evicted ones that are still closing.
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
        // From the source outwards: a crowded source loses one of its connections before its
        // neighbours do.
        for network in path.levels().iter().rev() {
            let held = self.nodes.get(network).map_or(0, |node| node.used.places);
            if held >= self.shares.of(path, *network) {
                let full = if *network == path.source() {
                    PoolFull::Source
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

    /// Bytes above which connections are evicted.
    fn mark(&self) -> u64 {
        self.memory / 100 * MEMORY_PERCENT
    }

    /// Evicts a connection of a network, or of all, for a newcomer. `None` if the newcomer's own
    /// source uses most there and its connections are too young.
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

    /// Evicts a connection. It is no longer counted in its networks, only in `leaving`.
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

    /// Sets the bytes that a connection uses.
    pub fn charge(&mut self, path: &NetworkPath, id: u64, before: u64, bytes: u64) {
        let Some(held) = self
            .nodes
            .get_mut(&path.source())
            .and_then(|node| node.held(id))
        else {
            // It was evicted and is still closing.
            self.leaving.bytes = self.leaving.bytes.saturating_sub(before) + bytes;
            return;
        };
        held.bytes = bytes;
        self.count(path, 0, before, bytes);
        if bytes > before && self.used().1 > self.memory {
            // Above the whole budget there is no time to wait for another connection to close.
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

    /// Removes a delayed denial from the count.
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

    /// Changes places and bytes in all networks of a path: adds `places`, and replaces `before`
    /// bytes by `after`.
    fn count(&mut self, path: &NetworkPath, places: i32, before: u64, after: u64) {
        self.live.change(places, before, after);
        let next_id = self.next_id;
        let mut outer: Option<Network> = None;
        for network in path.levels() {
            let node = self.nodes.entry(*network).or_insert_with(|| Node {
                born: next_id,
                ..Node::default()
            });
            let old = node.used.bytes;
            let born = Reverse(node.born);
            node.used.change(places, before, after);
            let now = node.used;
            let siblings = match outer.replace(*network) {
                None => &mut self.widest,
                Some(outer) => &mut self.nodes.entry(outer).or_default().inner,
            };
            // Removed and inserted again, because the set is ordered by the bytes.
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
