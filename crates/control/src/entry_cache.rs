//! Bounded cache of clusters in memory. A cluster that is awake, recovers, or is used by a login or
//! an operation at this moment is never dropped: its locks and readings exist once. Of the others,
//! one that was not used for a while is dropped.
//!
//! Clusters that were only looked up, as by a stranger's login, have a separate bound. However
//! many prefixes strangers try, they don't drop the clusters that tenants and operators use.
//!
//! A hit changes only flags, so that logins to clusters in memory don't wait for each other.

use crate::cluster_entry::ClusterEntry;
use crate::limits::{DROP_TRIES, ENTRIES_LOOKED_UP_MAX, ENTRIES_MAX};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tidegate_model::{ClusterId, ClusterName};

/// Use of a cluster by its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryUse {
    /// A login that has not proved anything, with this prefix or with one that imitates it.
    LookUp,
    /// A run of the engine, or an operator's request.
    Work,
}

/// Clusters in memory.
#[derive(Default)]
pub struct EntryCache {
    by_id: HashMap<ClusterId, CachedEntry>,
    by_name: HashMap<ClusterName, ClusterId>,
    /// Clusters in the order in which they are checked for a drop: those that were only looked up,
    /// and the others.
    looked_up: VecDeque<ClusterId>,
    worked_with: VecDeque<ClusterId>,
}

struct CachedEntry {
    entry: Arc<ClusterEntry>,
    /// Whether it was used since its last check.
    used: AtomicBool,
    worked_with: AtomicBool,
}

impl CachedEntry {
    fn new(entry: Arc<ClusterEntry>, by: EntryUse) -> Self {
        Self {
            entry,
            used: false.into(),
            worked_with: (by == EntryUse::Work).into(),
        }
    }

    fn note_use(&self, by: EntryUse) {
        self.used.store(true, Ordering::Relaxed);
        if by == EntryUse::Work {
            self.worked_with.store(true, Ordering::Relaxed);
        }
    }

    /// Whether dropping it now would lose something.
    fn is_in_use(&self) -> bool {
        // Clones are made under the lock of the cache only.
        let entry = &self.entry;
        Arc::strong_count(entry) > 1 || entry.accounts().awake || !entry.recovery.is_done()
    }
}

impl EntryCache {
    pub fn get(&self, id: ClusterId, by: EntryUse) -> Option<Arc<ClusterEntry>> {
        let cached = self.by_id.get(&id)?;
        cached.note_use(by);
        Some(Arc::clone(&cached.entry))
    }

    pub fn by_name(&self, name: &ClusterName) -> Option<Arc<ClusterEntry>> {
        self.get(*self.by_name.get(name)?, EntryUse::Work)
    }

    /// Adds a cluster, unless it is there already, and returns the one that is there. Drops others
    /// above the bounds.
    pub fn insert(&mut self, entry: ClusterEntry, by: EntryUse) -> Arc<ClusterEntry> {
        let id = entry.id;
        if let Some(entry) = self.get(id, by) {
            return entry;
        }
        let entry = Arc::new(entry);
        self.by_name.insert(entry.name(), id);
        let cached = CachedEntry::new(Arc::clone(&entry), by);
        self.by_id.insert(id, cached);
        match by {
            EntryUse::Work => self.worked_with.push_back(id),
            EntryUse::LookUp => self.looked_up.push_back(id),
        }
        self.make_room();
        entry
    }

    /// Drops clusters above the bounds. The work is bounded, because logins wait for the lock: what
    /// is not done now is done when the next cluster comes.
    fn make_room(&mut self) {
        for _ in 0..DROP_TRIES {
            let from_looked_up = self.looked_up.len() > ENTRIES_LOOKED_UP_MAX;
            if !from_looked_up && self.by_id.len() <= ENTRIES_MAX {
                return;
            }
            let next = match from_looked_up || self.worked_with.is_empty() {
                true => self.looked_up.pop_front(),
                false => self.worked_with.pop_front(),
            };
            let Some(id) = next else { return };
            let Some(cached) = self.by_id.get(&id) else {
                continue;
            };
            let stays = cached.used.swap(false, Ordering::Relaxed) || cached.is_in_use();
            match (stays, cached.worked_with.load(Ordering::Relaxed)) {
                (false, _) => self.forget(id),
                (true, true) => self.worked_with.push_back(id),
                (true, false) => self.looked_up.push_back(id),
            }
        }
    }

    fn forget(&mut self, id: ClusterId) {
        let Some(cached) = self.by_id.remove(&id) else {
            return;
        };
        let name = cached.entry.name();
        if self.by_name.get(&name) == Some(&id) {
            self.by_name.remove(&name);
        }
    }

    /// Removes a deleted cluster, in use or not.
    pub fn remove(&mut self, id: ClusterId) {
        self.forget(id);
        self.looked_up.retain(|one| *one != id);
        self.worked_with.retain(|one| *one != id);
    }

    /// Gives a cluster another name.
    pub fn rename(&mut self, entry: &ClusterEntry, name: ClusterName) {
        let former = entry.name();
        if self.by_name.get(&former) == Some(&entry.id) {
            self.by_name.remove(&former);
        }
        entry.set_name(name.clone());
        if self.by_id.contains_key(&entry.id) {
            self.by_name.insert(name, entry.id);
        }
    }

    pub fn len(&self) -> usize {
        self.by_id.len()
    }
}

#[cfg(test)]
#[path = "entry_cache_tests.rs"]
mod tests;
