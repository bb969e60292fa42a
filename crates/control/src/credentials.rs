//! Links, web sessions and API keys in memory. The store is read at the start; from then on, each
//! change is made in the store and then here. Tokens of requests are looked up here only, so an
//! invented token costs a hash and a lookup and never reaches the store. Links and sessions made on
//! a full disk exist only here.

use crate::limits;
use crate::settings::WebSessionLife;
use crate::store::{AccessRows, Hash, KeyRow, LinkRow, WebSessionRow};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

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
    stored: ExpiringCredentials,
    keys: HashMap<Hash, KeyRow>,
    /// Links and sessions that could not be stored on a full disk. A restart forgets them.
    unstored: ExpiringCredentials,
}

/// Links and sessions, each with the number of its insertion.
#[derive(Debug, Default)]
struct ExpiringCredentials {
    links: HashMap<Hash, (u64, LinkRow)>,
    sessions: HashMap<Hash, (u64, WebSessionRow)>,
    inserted: u64,
}

impl ExpiringCredentials {
    /// Adds a link. Removes expired ones, and the oldest above the bound, as the store does.
    fn add_link(&mut self, link: LinkRow, now: i64) {
        self.links.retain(|_, (_, link)| link.expires_unix > now);
        make_room(&mut self.links, limits::LINKS_MAX, |link| link.expires_unix);
        self.inserted += 1;
        self.links.insert(link.hash, (self.inserted, link));
    }

    /// Adds a session. Removes the one that was used longest ago above the bound, as the store
    /// does.
    fn add_session(&mut self, session: WebSessionRow) {
        make_room(&mut self.sessions, limits::WEB_SESSIONS_MAX, |session| {
            session.seen_unix
        });
        self.inserted += 1;
        self.sessions.insert(session.hash, (self.inserted, session));
    }
}

/// Makes room for one more row below `most`, by removing the rows with the smallest `age`, of those
/// of the same age the one that was inserted first.
fn make_room<T>(rows: &mut HashMap<Hash, (u64, T)>, most: i64, age: impl Fn(&T) -> i64) {
    while i64::try_from(rows.len()).is_ok_and(|len| len >= most) {
        let oldest = rows
            .iter()
            .min_by_key(|(_, (inserted, row))| (age(row), *inserted));
        let Some(hash) = oldest.map(|(hash, _)| *hash) else {
            return;
        };
        rows.remove(&hash);
    }
}

impl Inner {
    fn session_mut(&mut self, hash: &Hash) -> Option<&mut WebSessionRow> {
        let found = match self.stored.sessions.get_mut(hash) {
            Some(session) => Some(session),
            None => self.unstored.sessions.get_mut(hash),
        };
        found.map(|(_, session)| session)
    }
}

impl Credentials {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every critical section changes one map once, so a poisoned lock can still be used.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds the store's rows, at the start.
    pub fn load(&self, rows: AccessRows) {
        let mut inner = self.lock();
        let stored = &mut inner.stored;
        for row in rows.links {
            stored.inserted += 1;
            stored.links.insert(row.hash, (stored.inserted, row));
        }
        for row in rows.sessions {
            stored.inserted += 1;
            stored.sessions.insert(row.hash, (stored.inserted, row));
        }
        inner
            .keys
            .extend(rows.keys.into_iter().map(|row| (row.hash, row)));
    }

    pub fn has_link(&self, hash: &Hash, now: i64) -> bool {
        let inner = self.lock();
        let stored = inner.stored.links.get(hash);
        stored
            .or(inner.unstored.links.get(hash))
            .is_some_and(|(_, link)| link.expires_unix > now)
    }

    /// Adds a link that the store has.
    pub fn add_link(&self, link: LinkRow, now: i64) {
        self.lock().stored.add_link(link, now);
    }

    /// Keeps a link in memory only, because the disk is full. Bounded as in the store.
    pub fn keep_link(&self, link: LinkRow, now: i64) {
        self.lock().unstored.add_link(link, now);
    }

    /// Removes a link that the store has used or has no more.
    pub fn forget_link(&self, hash: &Hash) {
        self.lock().stored.links.remove(hash);
    }

    /// Adds a session that the store has, and removes those that the store removed with it.
    pub fn add_session(&self, session: WebSessionRow, life: WebSessionLife) {
        let now = session.created_unix;
        let sessions = &mut self.lock().stored;
        sessions.sessions.retain(|_, (_, row)| {
            row.seen_unix > before(now, life.idle) && row.created_unix > before(now, life.most)
        });
        sessions.add_session(session);
    }

    /// Turns a link that is not stored into a session that is not stored. False if there is no such
    /// link.
    pub fn redeem_unstored(&self, link: &Hash, session: WebSessionRow) -> bool {
        let unstored = &mut self.lock().unstored;
        // Removed in any case: a link is used once, even if it has expired.
        let Some((_, link)) = unstored.links.remove(link) else {
            return false;
        };
        if link.expires_unix <= session.created_unix {
            return false;
        }
        unstored.add_session(session);
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
        inner.stored.sessions.remove(hash);
        inner.unstored.sessions.remove(hash).is_none()
    }

    pub fn key(&self, hash: &Hash) -> Option<KeyRow> {
        self.lock().keys.get(hash).cloned()
    }

    /// Adds a key that the store has.
    pub fn add_key(&self, key: KeyRow) {
        self.lock().keys.insert(key.hash, key);
    }

    /// Removes a key that the store has removed.
    pub fn forget_key(&self, hash: &Hash) {
        self.lock().keys.remove(hash);
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

/// Time this long before another, in seconds since 1970.
fn before(unix: i64, time: Duration) -> i64 {
    unix.saturating_sub(i64::try_from(time.as_secs()).unwrap_or(i64::MAX))
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
    fn of_links_of_the_same_second_the_first_makes_room() {
        let credentials = Credentials::default();
        for n in 0..=limits::LINKS_MAX {
            let link = LinkRow {
                hash: hash(n),
                expires_unix: 900,
            };
            credentials.add_link(link, 0);
        }
        let gone: Vec<i64> = (0..=limits::LINKS_MAX)
            .filter(|n| !credentials.has_link(&hash(*n), 0))
            .collect();
        assert_eq!(gone, [0]);
    }

    #[test]
    fn a_new_session_removes_expired_ones_and_the_one_used_longest_ago() {
        let credentials = Credentials::default();
        let life = WebSessionLife {
            idle: Duration::from_secs(100),
            most: Duration::from_secs(1_000),
        };
        credentials.add_session(session(0), life);
        for n in 100..100 + limits::WEB_SESSIONS_MAX {
            credentials.add_session(session(n), life);
        }
        assert!(
            credentials.session(&hash(1_000)).is_none(),
            "idle for 100 s"
        );
        assert!(credentials.session(&hash(1_100)).is_some());
        credentials.saw_session(&hash(1_100), 170);
        credentials.add_session(session(170), life);
        assert!(credentials.session(&hash(1_100)).is_some(), "used since");
        assert!(credentials.session(&hash(1_101)).is_none());
    }

    #[test]
    fn what_a_full_disk_keeps_out_of_the_store_is_bounded() {
        let credentials = Credentials::default();
        for n in 0..limits::LINKS_MAX + 5 {
            let link = LinkRow {
                hash: hash(n),
                expires_unix: 10_000 + n,
            };
            credentials.keep_link(link, 0);
        }
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
