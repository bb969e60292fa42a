//! Accounts of one cluster in one compact block of memory, indexed by user name, and the copy that
//! lets a password be judged while the engine sleeps.
//!
//! An account costs its names and 21 bytes per password hash, plus 7 bytes; no account has an
//! allocation of its own. So the bound on a book is a bound on real memory, and a book of 1.5 MB
//! holds more than 40,000 ordinary accounts.

use crate::account::{Account, Requirement, Unsupported, Verifier};
use crate::id::RunEpoch;
use crate::limits::{BOOK_BYTES_MAX, CANDIDATES_MAX, HOSTS_PER_USER_MAX, METHODS_MAX};
use std::net::IpAddr;
use std::time::Instant;
use zeroize::Zeroize;

/// User names and address that a login claims. They select the accounts that it may mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// In order of preference; empty for a login that can mean no account.
    pub names: Vec<String>,
    pub client: IpAddr,
}

/// Accounts of one cluster as one reading saw them.
#[derive(Debug, Clone)]
pub struct AccountBook {
    pub accounts: Accounts,
    /// The run of the engine they were read in; 0 before the first.
    pub run: RunEpoch,
    /// When that reading began. `None` for a copy that came from the store.
    pub read_began: Option<Instant>,
}

/// Accounts in a compact form. Wiped when dropped, since it contains password hashes.
#[derive(Clone, Default)]
pub struct Accounts {
    /// One entry after the other, in the order of the reading. See [`write_entry`].
    bytes: Vec<u8>,
    /// Where each entry starts, ordered by user name.
    starts: Vec<u32>,
    /// False if the cluster has accounts that are not in here.
    incomplete: bool,
}

/// Entry size that [`Accounts::memory`] adds for the index.
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

/// Bytes that are no block of accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the copy of the accounts is damaged")]
pub struct DamagedBook;

impl Accounts {
    /// Accounts of which nothing is known.
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

    /// Block to be stored; [`Accounts::from_bytes`] reads it.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Accounts from a stored block. Every entry is checked, so nothing later can run past the end.
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

    /// Accounts that may speak for this login, in the order of its names: unlocked, with a host
    /// pattern that covers the client. Costs a search per name, not a scan; the same for a name
    /// that does not exist.
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

    /// A copy in which the accounts of these users are the `fresh` ones.
    #[must_use]
    pub fn with_users(&self, users: &[String], fresh: &Self) -> Self {
        let mut builder = AccountsBuilder::new(BOOK_BYTES_MAX);
        let named = |user: &[u8]| users.iter().any(|name| name.as_bytes() == user);
        for entry in self.entries().filter(|entry| !named(entry.user)) {
            builder.push_entry(entry.bytes);
        }
        // Last, and so the ones that are left out if there is no room for all.
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
        let user = |start: &u32| self.entry(*start).map_or(&[][..], |entry| entry.user);
        let first = self
            .starts
            .partition_point(|start| user(start) < name.as_bytes());
        let from_first = self.starts.get(first..).unwrap_or_default().iter();
        from_first
            .filter_map(|start| self.entry(*start))
            .take_while(|entry| entry.user == name.as_bytes())
    }

    fn index(&mut self) {
        let bytes = &self.bytes;
        let user = |start: u32| {
            let at = usize::try_from(start).unwrap_or(usize::MAX);
            AccountEntry::read(bytes, at).map_or(&[][..], |(entry, _)| entry.user)
        };
        // By place among namesakes: the order of the reading, whatever the sort does.
        self.starts
            .sort_unstable_by(|a, b| user(*a).cmp(user(*b)).then(a.cmp(b)));
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
    /// `bytes_max`: memory of the finished accounts. Address space for all of it is taken at once,
    /// so that no hash is left behind by a growing block; pages that are not written cost nothing.
    pub fn new(bytes_max: usize) -> Self {
        let bytes_max = bytes_max.min(BOOK_BYTES_MAX);
        Self {
            bytes: Vec::with_capacity(bytes_max),
            starts: Vec::new(),
            incomplete: false,
            bytes_max,
        }
    }

    /// Adds an account. False if there is no room for it; then the accounts are incomplete.
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

    /// Notes that accounts exist that are not in here.
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
        // A block is far below 4 GB.
        self.starts.push(u32::try_from(at).unwrap_or(u32::MAX));
    }
}

impl Drop for AccountsBuilder {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
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
    /// The entry at this place, and the place of the next. `None` at the end and where the bytes
    /// make no sense.
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

/// Size of an entry, for the bound. Never below the true one.
fn entry_size(account: &Account) -> usize {
    let text = |text: &str| text.len() + if text.len() < 0x80 { 1 } else { 2 };
    let host = if account.host == "%" {
        0
    } else {
        text(&account.host)
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
    1 + text(&account.user) + host + methods
}

/// Largest text whose length fits into two bytes. The engine's names end at 1,020 bytes.
const TEXT_MAX: usize = 0x7FFF;

/// One byte of length below 128, else two of which the first has its top bit set.
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
