//! Numbers and prefixes of all live clusters: all that is in memory of a cluster that nobody uses,
//! about 40 bytes. With it a login finds out whether its prefix exists, and the twin of a prefix
//! that doesn't, in the same time and without the store.

use crate::imitation::choose_twin;
use std::collections::HashMap;
use tidegate_model::{ClusterId, Prefix, PrefixTag};

/// Index of the live clusters.
#[derive(Default)]
pub struct PrefixIndex {
    by_prefix: HashMap<PrefixKey, ClusterId>,
    /// In contiguous memory, because each login reads all of them.
    ids: Vec<ClusterId>,
}

/// Characters of a prefix, without a separate allocation for each.
type PrefixKey = [u8; Prefix::LEN];

fn key_of(prefix: &Prefix) -> Option<PrefixKey> {
    // Every prefix has this length.
    prefix.as_str().as_bytes().try_into().ok()
}

/// Cluster that a login means or imitates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrefixMatch {
    Cluster(ClusterId),
    /// No cluster has the prefix. The login imitates this one.
    Twin(ClusterId),
    /// The server has no cluster at all.
    Nothing,
}

impl PrefixIndex {
    pub fn insert(&mut self, prefix: &Prefix, id: ClusterId) {
        let Some(key) = key_of(prefix) else { return };
        if self.by_prefix.insert(key, id).is_none() {
            self.ids.push(id);
        }
    }

    pub fn remove(&mut self, id: ClusterId) {
        self.by_prefix.retain(|_, one| *one != id);
        self.ids.retain(|one| *one != id);
    }

    pub fn find(&self, prefix: &Prefix) -> Option<ClusterId> {
        self.by_prefix.get(&key_of(prefix)?).copied()
    }

    /// Finds the cluster of a login. The twin is chosen in both cases, so that both take the same
    /// time.
    pub fn look_up(&self, prefix: &Prefix, tag: PrefixTag) -> PrefixMatch {
        let twin = choose_twin(tag, &self.ids);
        match (self.find(prefix), twin) {
            (Some(id), _) => PrefixMatch::Cluster(id),
            (None, Some(twin)) => PrefixMatch::Twin(twin),
            (None, None) => PrefixMatch::Nothing,
        }
    }

    pub fn contains(&self, id: ClusterId) -> bool {
        self.ids.contains(&id)
    }

    pub fn ids(&self) -> &[ClusterId] {
        &self.ids
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_finds_its_cluster_and_any_other_a_twin_that_exists() {
        let mut index = PrefixIndex::default();
        let prefixes: Vec<_> = (0..4).map(|_| Prefix::random().unwrap()).collect();
        assert_eq!(
            index.look_up(&prefixes[0], PrefixTag(7)),
            PrefixMatch::Nothing
        );
        for (prefix, id) in prefixes.iter().take(3).zip(1..) {
            index.insert(prefix, ClusterId(id));
            // Twice: a new cluster may be read from the store at the same time.
            index.insert(prefix, ClusterId(id));
        }
        assert_eq!(index.ids().len(), 3);
        assert_eq!(
            index.look_up(&prefixes[1], PrefixTag(7)),
            PrefixMatch::Cluster(ClusterId(2))
        );
        let PrefixMatch::Twin(twin) = index.look_up(&prefixes[3], PrefixTag(7)) else {
            panic!("nothing has this prefix")
        };
        index.remove(twin);
        let PrefixMatch::Twin(next) = index.look_up(&prefixes[3], PrefixTag(7)) else {
            panic!("two are left")
        };
        assert_ne!(twin, next);
        assert_eq!((index.ids().len(), index.contains(twin)), (2, false));
    }
}
