//! Session tickets. Their keys rotate and survive restarts; on disk they are sealed by the master
//! key. A ticket is accepted for half a day at most. rustls itself accepts a ticket for its host
//! name only.

use crate::error::TlsError;
use crate::limits::{TICKET_KEY_ROTATE, TICKET_KEY_TAKEN};
use crate::master::{FORMER_TICKETS_PURPOSE, MasterKey};
use crate::seal::{seal, unseal};
use arc_swap::ArcSwap;
use aws_lc_rs::aead::{AES_256_GCM, RandomizedNonceKey};
use rustls::crypto::SecureRandom;
use rustls::server::ProducesTickets;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use time::OffsetDateTime;
use zeroize::{Zeroize, Zeroizing};

const ID: usize = 16;
const KEY: usize = 32;
/// Bytes of one key in the file: Unix time, id, key.
const RECORD: usize = 8 + ID + KEY;
/// Maximum number of keys: the one that seals, and older ones whose tickets are still accepted.
const KEYS_MAX: usize = 3;

#[derive(Clone)]
struct TicketKey {
    made: i64,
    id: [u8; ID],
    bytes: Zeroizing<[u8; KEY]>,
    key: Arc<RandomizedNonceKey>,
}

impl TicketKey {
    fn new(made: i64, id: [u8; ID], bytes: Zeroizing<[u8; KEY]>) -> Option<Self> {
        let key = Arc::new(RandomizedNonceKey::new(&AES_256_GCM, &*bytes).ok()?);
        Some(Self {
            made,
            id,
            bytes,
            key,
        })
    }

    fn fresh(now: i64, random: &dyn SecureRandom) -> Option<Self> {
        let mut id = [0; ID];
        let mut bytes = Zeroizing::new([0; KEY]);
        random.fill(&mut id).ok()?;
        random.fill(&mut *bytes).ok()?;
        Self::new(now, id, bytes)
    }

    /// Whether the key's tickets are still accepted. A key from the future was made by a wrong
    /// clock, so its age is unknown and it is not accepted.
    fn is_taken(&self, now: i64) -> bool {
        (0..TICKET_KEY_TAKEN).contains(&(now - self.made))
    }
}

/// Ticket keys, newest first.
pub struct Tickets {
    keys: ArcSwap<Vec<TicketKey>>,
    file: PathBuf,
    master: MasterKey,
    random: &'static dyn SecureRandom,
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
        file: PathBuf,
        master: MasterKey,
        random: &'static dyn SecureRandom,
        now: OffsetDateTime,
    ) -> Result<Self, TlsError> {
        let kept = master.read(&file, FORMER_TICKETS_PURPOSE).ok().flatten();
        let kept = kept.unwrap_or_default();
        let tickets = Self {
            keys: ArcSwap::from_pointee(read(&kept)),
            file,
            master,
            random,
        };
        tickets.rotate_if_due(now)?;
        Ok(tickets)
    }

    /// Makes a new key if due, and drops expired ones. Blocks on the disk. A key that can't be
    /// written is used all the same; its tickets stop working after a restart.
    pub fn rotate_if_due(&self, now: OffsetDateTime) -> Result<(), TlsError> {
        let now = now.unix_timestamp();
        let keys = self.keys.load();
        if keys
            .first()
            .is_some_and(|key| (0..TICKET_KEY_ROTATE).contains(&(now - key.made)))
        {
            return Ok(());
        }
        let Some(fresh) = TicketKey::fresh(now, self.random) else {
            return Ok(());
        };
        let older = keys
            .iter()
            .filter(|key| key.is_taken(now))
            .take(KEYS_MAX - 1)
            .cloned();
        let keys: Vec<TicketKey> = std::iter::once(fresh).chain(older).collect();
        let content = written(&keys);
        self.keys.store(Arc::new(keys));
        self.master.write(&self.file, &content)
    }
}

fn written(keys: &[TicketKey]) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(keys.len() * RECORD));
    for key in keys {
        out.extend_from_slice(&key.made.to_be_bytes());
        out.extend_from_slice(&key.id);
        out.extend_from_slice(&*key.bytes);
    }
    out
}

fn read(bytes: &[u8]) -> Vec<TicketKey> {
    let one = |record: &[u8]| {
        let (made, rest) = record.split_first_chunk::<8>()?;
        let (id, rest) = rest.split_first_chunk::<ID>()?;
        let mut key = <[u8; KEY]>::try_from(rest).ok()?;
        let bytes = Zeroizing::new(key);
        key.zeroize();
        TicketKey::new(i64::from_be_bytes(*made), *id, bytes)
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
        let keys = self.keys.load();
        let key = keys.first()?;
        // The id is authenticated with the ticket, so it can't be exchanged for another key's.
        Some([key.id.as_slice(), &seal(&key.key, &key.id, plain)?].concat())
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let (id, sealed) = ticket.split_first_chunk::<ID>()?;
        let keys = self.keys.load();
        let now = OffsetDateTime::now_utc().unix_timestamp();
        // Checked here too: a key may have expired since the last rotation.
        let key = keys.iter().find(|key| key.id == *id && key.is_taken(now))?;
        unseal(&key.key, id, sealed).map(|plain| plain.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::provider;
    use std::path::Path;
    use time::Duration;

    fn open(folder: &Path, now: OffsetDateTime) -> Tickets {
        let random = provider().secure_random;
        let master = MasterKey::open(folder).unwrap();
        Tickets::open(folder.join("tickets.sealed"), master, random, now).unwrap()
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
        let file = std::fs::read(folder.path().join("tickets.sealed")).unwrap();
        assert!(!file.windows(KEY).any(|part| part == *key));
        std::fs::write(folder.path().join("tickets.sealed"), b"rubbish").unwrap();
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
