//! Session tickets. Their keys rotate and survive restarts; on disk they are sealed by the master
//! key. A ticket is accepted for half a day at most. rustls itself accepts a ticket for its host
//! name only.

use crate::error::TlsError;
use crate::limits::{CLOCK_SKEW, PUT_TRIES, TICKET_KEY_AHEAD, TICKET_KEY_ROTATE, TICKET_KEY_TAKEN};
use crate::lock::locked;
use crate::master::{FORMER_TICKETS_PURPOSE, MasterKey, TICKETS_NAME, Unsealed};
use crate::seal::{seal, unseal};
use crate::state_folder::StateFolder;
use arc_swap::ArcSwap;
use aws_lc_rs::aead::{AES_256_GCM, RandomizedNonceKey};
use rustls::crypto::SecureRandom;
use rustls::server::ProducesTickets;
use std::fmt;
use std::sync::{Arc, Mutex};
use tidegate_model::{PutIf, TlsStateError, ValueWatch};
use time::OffsetDateTime;
use zeroize::{Zeroize, Zeroizing};

const ID: usize = 16;
const KEY: usize = 32;
/// Bytes of one key in the value: Unix time from which it seals, id, key.
const RECORD: usize = 8 + ID + KEY;
/// Maximum number of keys: the next one, the one that seals, and older ones whose tickets are still
/// accepted.
const KEYS_MAX: usize = 4;

#[derive(Clone)]
struct TicketKey {
    /// Time from which it seals.
    from: i64,
    id: [u8; ID],
    bytes: Zeroizing<[u8; KEY]>,
    key: Arc<RandomizedNonceKey>,
}

impl TicketKey {
    fn new(from: i64, id: [u8; ID], bytes: Zeroizing<[u8; KEY]>) -> Option<Self> {
        let key = Arc::new(RandomizedNonceKey::new(&AES_256_GCM, &*bytes).ok()?);
        Some(Self {
            from,
            id,
            bytes,
            key,
        })
    }

    fn fresh(from: i64, random: &dyn SecureRandom) -> Option<Self> {
        let mut id = [0; ID];
        let mut bytes = Zeroizing::new([0; KEY]);
        random.fill(&mut id).ok()?;
        random.fill(&mut *bytes).ok()?;
        Self::new(from, id, bytes)
    }

    /// Whether the key's tickets are accepted. The clock of the process that sealed them may be
    /// ahead of this one's. A key from further in the future was made by a wrong clock, so its age
    /// is unknown.
    fn is_taken(&self, now: i64) -> bool {
        (-CLOCK_SKEW..TICKET_KEY_TAKEN).contains(&(now - self.from))
    }

    /// Whether the key is kept: its tickets are accepted, or will be soon.
    fn is_kept(&self, now: i64) -> bool {
        (-TICKET_KEY_AHEAD - CLOCK_SKEW..TICKET_KEY_TAKEN).contains(&(now - self.from))
    }
}

/// Ticket keys, newest first: the next one while it is published and does not seal yet, the current
/// one, older ones.
pub struct Tickets {
    keys: ArcSwap<Vec<TicketKey>>,
    values: StateFolder,
    master: MasterKey,
    /// Locked while the keys are read or written.
    stored: Mutex<StoredKeys>,
    random: &'static dyn SecureRandom,
}

/// State of the stored keys.
struct StoredKeys {
    /// Condition of the next write.
    condition: PutIf,
    watch: Box<dyn ValueWatch>,
}

impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tickets(..)")
    }
}

impl Tickets {
    /// Loads the stored keys that are still accepted, and makes a new one if due. Keys that can't
    /// be read count as expired.
    pub fn open(
        values: StateFolder,
        master: MasterKey,
        random: &'static dyn SecureRandom,
        now: OffsetDateTime,
    ) -> Result<Self, TlsError> {
        let stored = StoredKeys {
            condition: PutIf::Unchanged(None),
            watch: values.watch(TICKETS_NAME),
        };
        let tickets = Self {
            keys: ArcSwap::default(),
            values,
            master,
            stored: Mutex::new(stored),
            random,
        };
        tickets.load(&mut locked(&tickets.stored));
        tickets.rotate_if_due(now)?;
        Ok(tickets)
    }

    fn load(&self, stored: &mut StoredKeys) {
        let read = self
            .master
            .read(&self.values, TICKETS_NAME, FORMER_TICKETS_PURPOSE);
        let Ok(Unsealed { plain, version }) = read else {
            // Keys that can't be read are replaced by the next one.
            stored.condition = PutIf::Always;
            return;
        };
        stored.condition = PutIf::Unchanged(version);
        // If another master key sealed them, this process keeps the keys that it has.
        if let Some(plain) = plain {
            self.keys.store(Arc::new(read_keys(&plain)));
        }
    }

    /// Takes the keys that another process has written, makes a new one if due, and drops expired
    /// ones. Blocks on the disk. A key that can't be written is used all the same; its tickets stop
    /// working after a restart.
    pub fn rotate_if_due(&self, now: OffsetDateTime) -> Result<(), TlsError> {
        let now = now.unix_timestamp();
        let mut stored = locked(&self.stored);
        if stored.watch.has_changed() {
            self.load(&mut stored);
        }
        for _ in 0..PUT_TRIES {
            let Some(keys) = self.keys_if_due(now) else {
                return Ok(());
            };
            let content = written(&keys);
            let put = self
                .master
                .write(&self.values, TICKETS_NAME, &content, stored.condition);
            match put {
                // Another process was first; its keys may be enough.
                Err(TlsError::State(TlsStateError::Changed(_))) => self.load(&mut stored),
                put => {
                    self.keys.store(Arc::new(keys));
                    stored.condition = PutIf::Unchanged(put?);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Returns the keys with a new one, if one is due.
    fn keys_if_due(&self, now: i64) -> Option<Vec<TicketKey>> {
        let keys = self.keys.load();
        let kept = keys.iter().filter(|key| key.is_kept(now));
        let kept: Vec<TicketKey> = kept.take(KEYS_MAX - 1).cloned().collect();
        let from = match kept.first() {
            None => now,
            Some(newest) => {
                let next = newest.from + TICKET_KEY_ROTATE;
                if now < next - TICKET_KEY_AHEAD {
                    return None;
                }
                next.max(now)
            }
        };
        let fresh = TicketKey::fresh(from, self.random)?;
        Some(std::iter::once(fresh).chain(kept).collect())
    }

    /// Returns the key that seals: the newest whose time has come.
    fn sealing(keys: &[TicketKey], now: i64) -> Option<&TicketKey> {
        keys.iter()
            .find(|key| key.from <= now)
            // All are ahead if this machine's clock was set back.
            .or(keys.last())
    }

    fn encrypt_at(&self, now: i64, plain: &[u8]) -> Option<Vec<u8>> {
        let keys = self.keys.load();
        let key = Self::sealing(&keys, now)?;
        // The id is authenticated with the ticket, so it can't be exchanged for another key's.
        Some([key.id.as_slice(), &seal(&key.key, &key.id, plain)?].concat())
    }

    fn decrypt_at(&self, now: i64, ticket: &[u8]) -> Option<Vec<u8>> {
        let (id, sealed) = ticket.split_first_chunk::<ID>()?;
        let keys = self.keys.load();
        // Checked here too: a key may have expired since the last rotation.
        let key = keys.iter().find(|key| key.id == *id && key.is_taken(now))?;
        unseal(&key.key, id, sealed).map(|plain| plain.to_vec())
    }
}

fn written(keys: &[TicketKey]) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(keys.len() * RECORD));
    for key in keys {
        out.extend_from_slice(&key.from.to_be_bytes());
        out.extend_from_slice(&key.id);
        out.extend_from_slice(&*key.bytes);
    }
    out
}

fn read_keys(bytes: &[u8]) -> Vec<TicketKey> {
    let one = |record: &[u8]| {
        let (from, rest) = record.split_first_chunk::<8>()?;
        let (id, rest) = rest.split_first_chunk::<ID>()?;
        let mut key = <[u8; KEY]>::try_from(rest).ok()?;
        let bytes = Zeroizing::new(key);
        key.zeroize();
        TicketKey::new(i64::from_be_bytes(*from), *id, bytes)
    };
    bytes
        .chunks_exact(RECORD)
        .take(KEYS_MAX)
        .filter_map(one)
        .collect()
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        true
    }

    /// Returns the minimum time for which every ticket is accepted, also one that was sealed
    /// just before its key's rotation.
    fn lifetime(&self) -> u32 {
        u32::try_from(TICKET_KEY_TAKEN - TICKET_KEY_ROTATE).unwrap_or(0)
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.encrypt_at(unix_now(), plain)
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        self.decrypt_at(unix_now(), ticket)
    }
}

fn unix_now() -> i64 {
    OffsetDateTime::now_utc().unix_timestamp()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::provider;
    use std::path::Path;
    use time::Duration;

    fn open(folder: &Path, now: OffsetDateTime) -> Tickets {
        let random = provider().secure_random;
        let values = StateFolder::of_files(folder);
        let master = MasterKey::open(folder, values.clone()).unwrap();
        Tickets::open(values.folder("tls"), master, random, now).unwrap()
    }

    #[test]
    fn tickets_survive_a_restart_and_their_keys_are_nowhere_in_clear() {
        let folder = tempfile::tempdir().unwrap();
        let now = OffsetDateTime::now_utc();
        let first = open(folder.path(), now);
        let ticket = first.encrypt(b"a session").unwrap();
        let key = first.keys.load().first().unwrap().bytes.clone();
        assert_eq!(
            open(folder.path(), now).decrypt(&ticket).unwrap(),
            b"a session"
        );
        let file = std::fs::read(folder.path().join("tls/tickets.sealed")).unwrap();
        assert!(!file.windows(KEY).any(|part| part == *key));
        std::fs::write(folder.path().join("tls/tickets.sealed"), b"rubbish").unwrap();
        assert_eq!(
            open(folder.path(), now).decrypt(&ticket),
            None,
            "a new key, and no error"
        );
    }

    #[test]
    fn keys_change_and_old_ones_are_taken_for_half_a_day() {
        let folder = tempfile::tempdir().unwrap();
        let now = OffsetDateTime::now_utc();
        let tickets = open(folder.path(), now - Duration::hours(11));
        let old = tickets.encrypt(b"old").unwrap();
        tickets.rotate_if_due(now).unwrap();
        assert_ne!(tickets.encrypt(b"new").unwrap()[..ID], old[..ID]);
        assert_eq!(tickets.decrypt(&old).unwrap(), b"old");
        let folder = tempfile::tempdir().unwrap();
        let tickets = open(folder.path(), now - Duration::hours(13));
        let older = tickets.encrypt(b"older").unwrap();
        assert_eq!(
            tickets.decrypt(&older),
            None,
            "too old even before the next key"
        );
        let future = open(tempfile::tempdir().unwrap().path(), now + Duration::days(1));
        assert_eq!(future.decrypt(&future.encrypt(b"x").unwrap()), None);
    }

    /// Three processes on one folder: one reads the keys each minute, one a minute late, and one is
    /// restarted each time. Their clocks differ by five minutes to both sides.
    #[test]
    fn a_ticket_of_a_newer_key_opens_at_a_process_that_read_the_keys_a_moment_ago() {
        let folder = tempfile::tempdir().unwrap();
        let start = OffsetDateTime::now_utc();
        for skew in [0, CLOCK_SKEW, -CLOCK_SKEW] {
            let folder = folder.path().join(skew.to_string());
            let early = open(&folder, start);
            let late = open(&folder, start + Duration::seconds(skew));
            let mut keys = std::collections::BTreeSet::new();
            for minutes in 0..(36 * 60) {
                let now = start + Duration::minutes(minutes);
                let late_now = now + Duration::seconds(skew);
                early.rotate_if_due(now).unwrap();
                let ticket = early
                    .encrypt_at(now.unix_timestamp(), b"a session")
                    .unwrap();
                let opened = late.decrypt_at(late_now.unix_timestamp(), &ticket);
                assert_eq!(
                    opened.as_deref(),
                    Some(b"a session".as_slice()),
                    "{minutes}"
                );
                let back = late.encrypt_at(late_now.unix_timestamp(), b"back").unwrap();
                let opened = early.decrypt_at(now.unix_timestamp(), &back);
                assert_eq!(opened.as_deref(), Some(b"back".as_slice()), "{minutes}");
                if keys.insert(ticket[..ID].to_vec()) {
                    let restarted = open(&folder, late_now);
                    let opened = restarted.decrypt_at(late_now.unix_timestamp(), &ticket);
                    assert!(opened.is_some(), "minute {minutes}");
                }
                assert!(early.keys.load().len() <= KEYS_MAX);
                late.rotate_if_due(late_now).unwrap();
            }
            assert_eq!(keys.len(), 6, "a new key each six hours, with skew {skew}");
        }
    }

    #[test]
    fn of_many_processes_that_make_the_first_key_all_seal_with_one() {
        let folder = tempfile::tempdir().unwrap();
        let now = OffsetDateTime::now_utc();
        MasterKey::open(folder.path(), StateFolder::of_files(folder.path())).unwrap();
        let start = std::sync::Barrier::new(4);
        let all: Vec<Tickets> = std::thread::scope(|scope| {
            let opening = [(); 4].map(|()| {
                scope.spawn(|| {
                    start.wait();
                    open(folder.path(), now)
                })
            });
            opening.map(|one| one.join().unwrap()).into()
        });
        for sealing in &all {
            let ticket = sealing.encrypt(b"a session").unwrap();
            for opening in &all {
                assert_eq!(opening.decrypt(&ticket).unwrap(), b"a session");
            }
        }
    }

    #[test]
    fn a_ticket_that_was_changed_opens_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let tickets = open(folder.path(), OffsetDateTime::now_utc());
        let ticket = tickets.encrypt(b"a session").unwrap();
        for at in 0..ticket.len() {
            let mut changed = ticket.clone();
            changed[at] ^= 1;
            assert_eq!(tickets.decrypt(&changed), None, "byte {at}");
            assert_eq!(tickets.decrypt(&ticket[..at]), None, "cut at {at}");
        }
    }
}
