//! Accounts of one cluster in one compact block of memory, indexed by user name. The copy lets the
//! gateway check a password while the engine sleeps.
//!
//! An account takes its names, 21 bytes per password hash, and 7 bytes; there is no allocation per
//! account. So the bound on a book is a bound on real memory, and a book of 1.5 MB holds more than
//! 40,000 ordinary accounts.

use crate::account::{Account, Requirement, Unsupported, Verifier};
use crate::id::RunEpoch;
use crate::limits::{BOOK_BYTES_MAX, CANDIDATES_MAX, HOSTS_PER_USER_MAX, METHODS_MAX};
use std::net::IpAddr;
use std::time::Instant;
use zeroize::Zeroize;

/// User names and address of a login. They select the accounts that it can mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Names in order of preference; empty for a login that can't mean any account.
    pub names: Vec<String>,
    pub client: IpAddr,
}

/// Accounts of one cluster from one reading.
#[derive(Debug, Clone)]
pub struct AccountBook {
    pub accounts: Accounts,
    /// Run of the engine in which they were read; 0 before the first run.
    pub run: RunEpoch,
    /// Start of that reading. `None` for a copy from the store.
    pub read_began: Option<Instant>,
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
const LOCKED: u8 = 0x10;
const REQUIRES_SHIFT: u8 = 5;
/// The host pattern is `%`, and is left out.
const ANY_HOST: u8 = 0x80;
const METHODS: u8 = 0x0F;

const TAG_EMPTY: u8 = 0;
const TAG_NATIVE: u8 = 1;
/// Tags from here on are the codes of [`Unsupported`].
const TAG_UNSUPPORTED: u8 = 2;

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

    /// Accounts that this login can mean, in the order of its names: unlocked, with a host pattern
    /// that matches the client. Takes a binary search per name, also for a name that doesn't exist.
    pub fn candidates(&self, claim: &Claim) -> Vec<Account> {
        let entries = claim
            .names
            .iter()
            .flat_map(|name| self.of_user(name).take(HOSTS_PER_USER_MAX));
        let admitted =
            entries.filter(|entry| entry.flags & LOCKED == 0 && entry.admits(claim.client));
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

/// An entry within a block.
#[derive(Clone, Copy)]
struct AccountEntry<'a> {
    bytes: &'a [u8],
    flags: u8,
    user: &'a [u8],
    host: &'a [u8],
    methods: &'a [u8],
}

impl<'a> AccountEntry<'a> {
    /// The entry at this offset, and the offset of the next. `None` at the end, and where the bytes
    /// are damaged.
    fn read(block: &'a [u8], at: usize) -> Option<(Self, usize)> {
        let all = block.get(at..)?;
        let mut rest = all;
        let flags = take(&mut rest, 1)?.first().copied()?;
        let user = take_text(&mut rest)?;
        let host = if flags & ANY_HOST == 0 {
            take_text(&mut rest)?
        } else {
            b"%"
        };
        let before_methods = rest;
        for _ in 0..flags & METHODS {
            let tag = take(&mut rest, 1)?.first().copied()?;
            if tag == TAG_NATIVE {
                take(&mut rest, 20)?;
            }
        }
        let methods = before_methods.get(..before_methods.len() - rest.len())?;
        let size = all.len() - rest.len();
        Some((
            Self {
                bytes: all.get(..size)?,
                flags,
                user,
                host,
                methods,
            },
            at + size,
        ))
    }

    fn admits(&self, client: IpAddr) -> bool {
        std::str::from_utf8(self.host).is_ok_and(|host| crate::account::admits(host, client))
    }

    fn methods_checked(&self) -> Option<Vec<Verifier>> {
        let mut rest = self.methods;
        let mut out = Vec::with_capacity(usize::from(self.flags & METHODS));
        while let Some(tag) = take(&mut rest, 1).and_then(|tag| tag.first().copied()) {
            out.push(match tag {
                TAG_EMPTY => Verifier::Empty,
                TAG_NATIVE => Verifier::Native(take(&mut rest, 20)?.try_into().ok()?),
                code => Verifier::Unsupported(Unsupported::from_code(
                    code.checked_sub(TAG_UNSUPPORTED)?,
                )?),
            });
        }
        Some(out)
    }

    fn account(&self) -> Account {
        Account {
            user: String::from_utf8_lossy(self.user).into_owned(),
            host: String::from_utf8_lossy(self.host).into_owned(),
            verifiers: self.methods_checked().unwrap_or_default(),
            locked: self.flags & LOCKED != 0,
            requires: match self.flags >> REQUIRES_SHIFT & 3 {
                0 => Requirement::None,
                1 => Requirement::Tls,
                _ => Requirement::Certificate,
            },
        }
    }
}

/// Appends an account: flags, user, host unless it is `%`, methods.
fn write_entry(account: &Account, out: &mut Vec<u8>) {
    let any_host = account.host == "%";
    let methods = account
        .verifiers
        .get(..METHODS_MAX)
        .unwrap_or(&account.verifiers);
    let requires: u8 = match account.requires {
        Requirement::None => 0,
        Requirement::Tls => 1,
        Requirement::Certificate => 2,
    };
    let mut flags = u8::try_from(methods.len()).unwrap_or(0) | requires << REQUIRES_SHIFT;
    flags |= if account.locked { LOCKED } else { 0 };
    flags |= if any_host { ANY_HOST } else { 0 };
    out.push(flags);
    put_text(&account.user, out);
    if !any_host {
        put_text(&account.host, out);
    }
    for method in methods {
        match method {
            Verifier::Empty => out.push(TAG_EMPTY),
            Verifier::Native(stage2) => {
                out.push(TAG_NATIVE);
                out.extend_from_slice(stage2);
            }
            Verifier::Unsupported(why) => out.push(TAG_UNSUPPORTED + why.code()),
        }
    }
}

/// Size of an entry in bytes, for the bound. Never less than the actual size.
fn entry_size(account: &Account) -> usize {
    let host = if account.host == "%" {
        0
    } else {
        text_size(&account.host)
    };
    let methods = account.verifiers.iter().take(METHODS_MAX);
    let methods: usize = methods
        .map(|m| {
            if matches!(m, Verifier::Native(_)) {
                21
            } else {
                1
            }
        })
        .sum();
    1 + text_size(&account.user) + host + methods
}

/// Size of a text with its length, as [`put_text`] writes it.
fn text_size(text: &str) -> usize {
    text.len() + if text.len() < 0x80 { 1 } else { 2 }
}

/// Longest text whose length fits into two bytes. The engine's names have at most 1,020 bytes.
const TEXT_MAX: usize = 0x7FFF;

/// Appends a text with its length: one byte below 128, else two bytes with the top bit set.
fn put_text(text: &str, out: &mut Vec<u8>) {
    let [high, low] = u16::try_from(text.len()).unwrap_or(0).to_be_bytes();
    if text.len() < 0x80 {
        out.push(low);
    } else {
        out.extend_from_slice(&[high | 0x80, low]);
    }
    out.extend_from_slice(text.as_bytes());
}

fn take_text<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let first = take(rest, 1)?.first().copied()?;
    let len = match first {
        0..0x80 => usize::from(first),
        _ => usize::from(u16::from_be_bytes([
            first & 0x7F,
            take(rest, 1)?.first().copied()?,
        ])),
    };
    take(rest, len)
}

fn take<'a>(rest: &mut &'a [u8], n: usize) -> Option<&'a [u8]> {
    let (now, later) = rest.split_at_checked(n)?;
    *rest = later;
    Some(now)
}

#[cfg(test)]
#[path = "book_tests.rs"]
mod tests;
