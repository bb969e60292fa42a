//! Links, web sessions and API keys in memory, kept equal to the store: all that a request's token
//! is looked up in. Made-up tokens cost a hash and a look here; they never reach the store.

use crate::store::{AccessRows, Hash, KeyRow, LinkRow, WebSessionRow};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bounded as the store is: a few links, sessions and keys of operators, never anything of
/// strangers.
#[derive(Debug, Default)]
pub struct Credentials {
    inner: Mutex<Inner>,
    /// Held by whoever changes the store and then this copy, so that both change in the same order.
    pub changing: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Inner {
    links: HashMap<Hash, LinkRow>,
    sessions: HashMap<Hash, WebSessionRow>,
    keys: HashMap<Hash, KeyRow>,
}

impl Credentials {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every critical section is one change of one map, so a poisoned lock is still good.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over what the store has. Times of use that were noted here meanwhile stay.
    pub fn load(&self, rows: AccessRows) {
        let mut inner = self.lock();
        let seen = |row: &WebSessionRow| {
            inner
                .sessions
                .get(&row.hash)
                .map_or(row.seen_unix, |old| old.seen_unix)
        };
        let sessions = rows.sessions.into_iter().map(|row| WebSessionRow {
            seen_unix: row.seen_unix.max(seen(&row)),
            ..row
        });
        let sessions = sessions.map(|row| (row.hash, row)).collect();
        let used = |row: &KeyRow| inner.keys.get(&row.hash).and_then(|old| old.used_unix);
        let keys = rows.keys.into_iter().map(|row| KeyRow {
            used_unix: row.used_unix.max(used(&row)),
            ..row
        });
        let keys = keys.map(|row| (row.hash, row)).collect();
        let links = rows.links.into_iter().map(|row| (row.hash, row)).collect();
        *inner = Inner {
            links,
            sessions,
            keys,
        };
    }

    pub fn has_link(&self, hash: &Hash, now: i64) -> bool {
        self.lock()
            .links
            .get(hash)
            .is_some_and(|link| link.expires_unix > now)
    }

    pub fn session(&self, hash: &Hash) -> Option<WebSessionRow> {
        self.lock().sessions.get(hash).cloned()
    }

    pub fn saw_session(&self, hash: &Hash, now: i64) {
        if let Some(session) = self.lock().sessions.get_mut(hash) {
            session.seen_unix = now;
        }
    }

    pub fn forget_session(&self, hash: &Hash) {
        self.lock().sessions.remove(hash);
    }

    pub fn key(&self, hash: &Hash) -> Option<KeyRow> {
        self.lock().keys.get(hash).cloned()
    }

    pub fn saw_key(&self, hash: &Hash, now: i64) {
        if let Some(key) = self.lock().keys.get_mut(hash) {
            key.used_unix = Some(now);
        }
    }

    /// By name, for a list.
    pub fn keys(&self) -> Vec<KeyRow> {
        let mut keys: Vec<_> = self.lock().keys.values().cloned().collect();
        keys.sort_by(|a, b| a.name.cmp(&b.name));
        keys
    }

    /// By id, else by name: a name that reads like another key's id must not take that key's place.
    pub fn find_key(&self, key: &str) -> Option<KeyRow> {
        let inner = self.lock();
        let by_id = inner.keys.values().find(|row| row.id == key);
        by_id
            .or_else(|| inner.keys.values().find(|row| row.name == key))
            .cloned()
    }
}
