//! Accounts of one cluster in one compact block of memory, indexed by user name. The copy lets the
//! gateway check a password while the engine sleeps.
//!
//! An account takes its names, 21 bytes per password hash, and 7 bytes; there is no allocation per
//! account. So the bound on a book is a bound on real memory, and a book of 1.5 MB holds more than
//! 40,000 ordinary accounts.

use crate::account::Account;
use crate::book_entry::{AccountEntry, TEXT_MAX, entry_size, write_entry};
use crate::id::RunEpoch;
use crate::limits::{BOOK_BYTES_MAX, CANDIDATES_MAX, HOSTS_PER_USER_MAX};
use std::net::IpAddr;
use zeroize::Zeroize;

/// User names and address of a login. They select the accounts that it can mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Names in order of preference; empty for a login that can't mean any account.
    pub names: Vec<String>,
    pub client: IpAddr,
}

/// Number of a reading of the accounts: larger than those of all readings of the same run that
/// began before. 0 is before the first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct ReadingOrder(pub u64);

/// Accounts of one cluster from one reading.
#[derive(Debug, Clone)]
pub struct AccountBook {
    pub accounts: Accounts,
    /// Run of the engine in which they were read; 0 before the first run.
    pub run: RunEpoch,
    /// Place of that reading among those of its run.
    pub order: ReadingOrder,
}

/// Accounts in a compact form. Wiped when dropped, because it contains password hashes.
#[derive(Clone, Default)]
pub struct Accounts {
    /// Entries in the order of the reading, in the format of [`write_entry`].
    bytes: Vec<u8>,
    /// Offset of each entry, ordered by user name.
    starts: Vec<u32>,
    /// Whether the cluster has accounts that are not in here.
    incomplete: bool,
}

/// Bytes per entry that [`Accounts::memory`] adds for the index.
const INDEX_ENTRY: usize = size_of::<u32>();
/// Error of a stored block that can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the copy of the accounts is damaged")]
pub struct DamagedBook;

impl Accounts {
    /// No accounts, and incomplete: nothing is known of the cluster's accounts.
    pub fn unknown() -> Self {
        Self {
            bytes: Vec::new(),
            starts: Vec::new(),
            incomplete: true,
        }
    }

    /// Whether every account of the cluster is in here.
    pub fn is_complete(&self) -> bool {
        !self.incomplete
    }

    pub fn len(&self) -> usize {
        self.starts.len()
    }

    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// Bytes of memory that these accounts occupy, index included.
    pub fn memory(&self) -> usize {
        self.bytes.capacity() + self.starts.capacity() * INDEX_ENTRY
    }

    /// Block for the store; [`Accounts::from_bytes`] reads it.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Reads accounts from a stored block. Every entry is checked here, so later reads stay within
    /// the block.
    pub fn from_bytes(bytes: Vec<u8>, complete: bool) -> Result<Self, DamagedBook> {
        let mut accounts = Self {
            bytes,
            starts: Vec::new(),
            incomplete: !complete,
        };
        if accounts.bytes.len() > BOOK_BYTES_MAX {
            return Err(DamagedBook);
        }
        let mut at = 0;
        while at < accounts.bytes.len() {
            let (entry, next) = AccountEntry::read(&accounts.bytes, at).ok_or(DamagedBook)?;
            entry.methods_checked().ok_or(DamagedBook)?;
            accounts
                .starts
                .push(u32::try_from(at).map_err(|_| DamagedBook)?);
            at = next;
        }
        accounts.index();
        Ok(accounts)
    }

    /// All accounts in the order in which they were read.
    pub fn iter(&self) -> impl Iterator<Item = Account> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let (entry, next) = AccountEntry::read(&self.bytes, at)?;
            at = next;
            Some(entry.account())
        })
    }

    /// Accounts that this login can mean, in the order of its names, with a host pattern that
    /// matches the client. Locked ones too: whoever has the password gets the engine's answer.
    /// Takes a binary search per name, also for a name that doesn't exist.
    pub fn candidates(&self, claim: &Claim) -> Vec<Account> {
        // A tenant can give a name any number of host patterns; a login is compared with a bounded
        // number.
        let entries = claim
            .names
            .iter()
            .flat_map(|name| self.of_user(name).take(HOSTS_PER_USER_MAX));
        let admitted = entries.filter(|entry| entry.admits(claim.client));
        admitted
            .take(CANDIDATES_MAX)
            .map(|entry| entry.account())
            .collect()
    }

    /// Whether an account of this user is in here.
    pub fn has_user(&self, name: &str) -> bool {
        self.of_user(name).next().is_some()
    }

    /// A copy in which the accounts of these users are replaced by those of `fresh`.
    #[must_use]
    pub fn with_users(&self, users: &[String], fresh: &Self) -> Self {
        let mut builder = AccountsBuilder::new(BOOK_BYTES_MAX);
        let named = |user: &[u8]| users.iter().any(|name| name.as_bytes() == user);
        for entry in self.entries().filter(|entry| !named(entry.user)) {
            builder.push_entry(entry.bytes);
        }
        // They come last, so they are the ones left out if there is no room for all.
        for entry in fresh.entries() {
            builder.push_entry(entry.bytes);
        }
        // Accounts that the old copy lacked are still missing.
        builder.incomplete |= self.incomplete;
        builder.finish()
    }

    /// Whether both have the same accounts of these users.
    pub fn same_users(&self, users: &[String], other: &Self) -> bool {
        users.iter().all(|name| {
            self.of_user(name)
                .map(|e| e.bytes)
                .eq(other.of_user(name).map(|e| e.bytes))
        })
    }

    fn entries(&self) -> impl Iterator<Item = AccountEntry<'_>> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let (entry, next) = AccountEntry::read(&self.bytes, at)?;
            at = next;
            Some(entry)
        })
    }

    fn entry(&self, start: u32) -> Option<AccountEntry<'_>> {
        AccountEntry::read(&self.bytes, usize::try_from(start).ok()?).map(|(entry, _)| entry)
    }

    fn of_user<'a>(&'a self, name: &'a str) -> impl Iterator<Item = AccountEntry<'a>> {
        let first = self
            .starts
            .partition_point(|start| user_at(&self.bytes, *start) < name.as_bytes());
        let from_first = self.starts.get(first..).unwrap_or_default().iter();
        from_first
            .filter_map(|start| self.entry(*start))
            .take_while(|entry| entry.user == name.as_bytes())
    }

    fn index(&mut self) {
        let bytes = &self.bytes;
        // Entries of the same user keep the order of the reading: the sort itself isn't stable.
        self.starts
            .sort_unstable_by(|a, b| user_at(bytes, *a).cmp(user_at(bytes, *b)).then(a.cmp(b)));
        self.starts.shrink_to_fit();
    }
}

impl PartialEq for Accounts {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes && self.incomplete == other.incomplete
    }
}

impl Eq for Accounts {}

impl std::fmt::Debug for Accounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Accounts({}, {} bytes, complete: {})",
            self.len(),
            self.bytes.len(),
            self.is_complete()
        )
    }
}

impl Drop for Accounts {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

impl FromIterator<Account> for Accounts {
    fn from_iter<T: IntoIterator<Item = Account>>(accounts: T) -> Self {
        let mut builder = AccountsBuilder::new(BOOK_BYTES_MAX);
        for account in accounts {
            builder.push(&account);
        }
        builder.finish()
    }
}

/// Accounts under construction, with a bound on their memory.
pub struct AccountsBuilder {
    bytes: Vec<u8>,
    starts: Vec<u32>,
    incomplete: bool,
    bytes_max: usize,
}

impl AccountsBuilder {
    /// `bytes_max` bounds the memory of the finished accounts. All of it is reserved at once: a
    /// block that grows would leave copies of hashes behind. Pages that are never written use no
    /// memory.
    pub fn new(bytes_max: usize) -> Self {
        let bytes_max = bytes_max.min(BOOK_BYTES_MAX);
        Self {
            bytes: Vec::with_capacity(bytes_max),
            starts: Vec::new(),
            incomplete: false,
            bytes_max,
        }
    }

    /// Adds an account. Returns false, and marks the accounts incomplete, if there is no room.
    pub fn push(&mut self, account: &Account) -> bool {
        let before = self.bytes.len();
        let too_long = account.user.len().max(account.host.len()) > TEXT_MAX;
        self.incomplete |= too_long;
        if too_long || !self.has_room(entry_size(account)) {
            return false;
        }
        write_entry(account, &mut self.bytes);
        self.push_start(before);
        true
    }

    /// Marks the accounts incomplete: the cluster has accounts that are not in here.
    pub fn set_incomplete(&mut self) {
        self.incomplete = true;
    }

    pub fn finish(mut self) -> Accounts {
        // Taken out, because the builder is wiped when it is dropped.
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.shrink_to_fit();
        let starts = std::mem::take(&mut self.starts);
        let mut accounts = Accounts {
            bytes,
            starts,
            incomplete: self.incomplete,
        };
        accounts.index();
        accounts
    }

    fn push_entry(&mut self, entry: &[u8]) {
        if self.has_room(entry.len()) {
            let before = self.bytes.len();
            self.bytes.extend_from_slice(entry);
            self.push_start(before);
        }
    }

    fn has_room(&mut self, size: usize) -> bool {
        let with_index = self.bytes.len() + size + (self.starts.len() + 1) * INDEX_ENTRY;
        let fits = with_index <= self.bytes_max;
        self.incomplete |= !fits;
        fits
    }

    fn push_start(&mut self, at: usize) {
        // A block has at most `BOOK_BYTES_MAX` bytes, so the offset always fits.
        self.starts.push(u32::try_from(at).unwrap_or(u32::MAX));
    }
}

impl Drop for AccountsBuilder {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

/// User name of the entry at this offset.
fn user_at(block: &[u8], start: u32) -> &[u8] {
    let at = usize::try_from(start).unwrap_or(usize::MAX);
    AccountEntry::read(block, at).map_or(&[][..], |(entry, _)| entry.user)
}

#[cfg(test)]
#[path = "book_tests.rs"]
mod tests;
