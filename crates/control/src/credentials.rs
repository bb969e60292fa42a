//! Links, web sessions and API keys in memory, kept equal to the store. Tokens of requests are
//! looked up here only, so an invented token costs a hash and a lookup and never reaches the store.
//! Links and sessions made on a full disk exist only here.

use crate::limits;
use crate::store::{AccessRows, Hash, KeyRow, LinkRow, WebSessionRow};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Credentials in memory. Bounded as in the store: a few links, sessions and keys of operators, and
/// nothing of unknown clients.
#[derive(Debug, Default)]
pub struct Credentials {
    inner: Mutex<Inner>,
    /// Lock for changing the store and then this copy, so that both change in the same order.
    pub changing: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Inner {
    links: HashMap<Hash, LinkRow>,
    sessions: HashMap<Hash, WebSessionRow>,
    keys: HashMap<Hash, KeyRow>,
    /// Links and sessions that could not be stored on a full disk. A restart forgets them.
    unstored: MemoryOnlyCredentials,
}

/// Links and sessions that are in memory only.
#[derive(Debug, Default)]
struct MemoryOnlyCredentials {
    links: HashMap<Hash, LinkRow>,
    sessions: HashMap<Hash, WebSessionRow>,
}

impl Inner {
    fn session_mut(&mut self, hash: &Hash) -> Option<&mut WebSessionRow> {
        match self.sessions.get_mut(hash) {
            Some(session) => Some(session),
            None => self.unstored.sessions.get_mut(hash),
        }
    }
}

/// Makes room for one more row below `most`, by removing the rows with the smallest `age`.
fn make_room<T>(rows: &mut HashMap<Hash, T>, most: i64, age: impl Fn(&T) -> i64) {
    while i64::try_from(rows.len()).is_ok_and(|len| len >= most) {
        let oldest = rows.iter().min_by_key(|(_, row)| age(row));
        let Some(hash) = oldest.map(|(hash, _)| *hash) else {
            return;
        };
        rows.remove(&hash);
    }
}

impl Credentials {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every critical section changes one map once, so a poisoned lock can still be used.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Loads the store's rows. Later times of use that were noted here stay.
    pub fn load(&self, rows: AccessRows) {
        let mut inner = self.lock();
        let mut sessions = HashMap::new();
        for mut row in rows.sessions {
            if let Some(old) = inner.sessions.get(&row.hash) {
                row.seen_unix = row.seen_unix.max(old.seen_unix);
            }
            sessions.insert(row.hash, row);
        }
        let mut keys = HashMap::new();
        for mut row in rows.keys {
            if let Some(old) = inner.keys.get(&row.hash) {
                row.used_unix = row.used_unix.max(old.used_unix);
            }
            keys.insert(row.hash, row);
        }
        let links = rows.links.into_iter().map(|row| (row.hash, row)).collect();
        let unstored = std::mem::take(&mut inner.unstored);
        *inner = Inner {
            links,
            sessions,
            keys,
            unstored,
        };
    }

    pub fn has_link(&self, hash: &Hash, now: i64) -> bool {
        let inner = self.lock();
        let link = inner.links.get(hash).or(inner.unstored.links.get(hash));
        link.is_some_and(|link| link.expires_unix > now)
    }

    /// Keeps a link in memory only, because the disk is full. Bounded as in the store.
    pub fn keep_link(&self, link: LinkRow, now: i64) {
        let links = &mut self.lock().unstored.links;
        links.retain(|_, link| link.expires_unix > now);
        make_room(links, limits::LINKS_MAX, |link| link.expires_unix);
        links.insert(link.hash, link);
    }

    /// Turns a link that is not stored into a session that is not stored. False if there is no such
    /// link.
    pub fn redeem_unstored(&self, link: &Hash, session: WebSessionRow) -> bool {
        let unstored = &mut self.lock().unstored;
        // Removed in any case: a link is used once, even if it has expired.
        let Some(link) = unstored.links.remove(link) else {
            return false;
        };
        if link.expires_unix <= session.created_unix {
            return false;
        }
        let sessions = &mut unstored.sessions;
        make_room(sessions, limits::WEB_SESSIONS_MAX, |session| {
            session.seen_unix
        });
        sessions.insert(session.hash, session);
        true
    }

    pub fn session(&self, hash: &Hash) -> Option<WebSessionRow> {
        self.lock().session_mut(hash).cloned()
    }

    pub fn saw_session(&self, hash: &Hash, now: i64) {
        if let Some(session) = self.lock().session_mut(hash) {
            session.seen_unix = now;
        }
    }

    /// Removes a session from memory. Returns false if the store doesn't have it.
    pub fn forget_session(&self, hash: &Hash) -> bool {
        let mut inner = self.lock();
        inner.sessions.remove(hash);
        inner.unstored.sessions.remove(hash).is_none()
    }

    pub fn key(&self, hash: &Hash) -> Option<KeyRow> {
        self.lock().keys.get(hash).cloned()
    }

    pub fn saw_key(&self, hash: &Hash, now: i64) {
        if let Some(key) = self.lock().keys.get_mut(hash) {
            key.used_unix = Some(now);
        }
    }

    /// Returns all keys, ordered by name.
    pub fn keys(&self) -> Vec<KeyRow> {
        let mut keys: Vec<_> = self.lock().keys.values().cloned().collect();
        keys.sort_by(|a, b| a.name.cmp(&b.name));
        keys
    }

    /// Finds a key by id, else by name. The id comes first, because a key's name may equal another
    /// key's id.
    pub fn find_key(&self, key: &str) -> Option<KeyRow> {
        let inner = self.lock();
        let by_id = inner.keys.values().find(|row| row.id == key);
        by_id
            .or_else(|| inner.keys.values().find(|row| row.name == key))
            .cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(n: i64) -> Hash {
        let mut hash = Hash::default();
        hash[..8].copy_from_slice(&n.to_le_bytes());
        hash
    }

    fn session(n: i64) -> WebSessionRow {
        WebSessionRow {
            hash: hash(1_000 + n),
            operator: "operator".to_owned(),
            created_unix: n,
            seen_unix: n,
        }
    }

    #[test]
    fn what_a_full_disk_keeps_out_of_the_store_is_bounded_and_survives_a_reload() {
        let credentials = Credentials::default();
        for n in 0..limits::LINKS_MAX + 5 {
            let link = LinkRow {
                hash: hash(n),
                expires_unix: 10_000 + n,
            };
            credentials.keep_link(link, 0);
        }
        credentials.load(AccessRows::default());
        assert!(!credentials.has_link(&hash(4), 0) && credentials.has_link(&hash(5), 0));
        assert!(!credentials.has_link(&hash(5), 10_005), "it has expired");
        assert!(credentials.redeem_unstored(&hash(5), session(0)));
        assert!(!credentials.redeem_unstored(&hash(5), session(1)), "once");
        for n in 1..=limits::WEB_SESSIONS_MAX {
            let link = LinkRow {
                hash: hash(n),
                expires_unix: 10_000,
            };
            credentials.keep_link(link, 0);
            assert!(credentials.redeem_unstored(&hash(n), session(n)));
        }
        credentials.load(AccessRows::default());
        assert!(
            credentials.session(&hash(1_000)).is_none(),
            "the oldest went"
        );
        assert!(credentials.session(&hash(1_001)).is_some());
        assert!(
            !credentials.forget_session(&hash(1_001)),
            "the store has nothing of it"
        );
        assert!(credentials.session(&hash(1_001)).is_none());
    }
}
