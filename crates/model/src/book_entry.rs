//! Account in the block of an account book: its format, and reads and writes of it.

use crate::account::{Account, Requirement, Unsupported, Verifier};
use crate::limits::METHODS_MAX;
use std::net::IpAddr;

pub(crate) const LOCKED: u8 = 0x10;
const REQUIRES_SHIFT: u8 = 5;
/// The host pattern is `%`, and is left out.
const ANY_HOST: u8 = 0x80;
const METHODS: u8 = 0x0F;

const TAG_EMPTY: u8 = 0;
const TAG_NATIVE: u8 = 1;
/// Tags from here on are the codes of [`Unsupported`].
const TAG_UNSUPPORTED: u8 = 2;

/// An entry within a block.
#[derive(Clone, Copy)]
pub(crate) struct AccountEntry<'a> {
    pub bytes: &'a [u8],
    pub flags: u8,
    pub user: &'a [u8],
    host: &'a [u8],
    methods: &'a [u8],
}

impl<'a> AccountEntry<'a> {
    /// The entry at this offset, and the offset of the next. `None` at the end, and where the bytes
    /// are damaged.
    pub fn read(block: &'a [u8], at: usize) -> Option<(Self, usize)> {
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

    pub fn admits(&self, client: IpAddr) -> bool {
        std::str::from_utf8(self.host).is_ok_and(|host| crate::account::admits(host, client))
    }

    pub fn methods_checked(&self) -> Option<Vec<Verifier>> {
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

    pub fn account(&self) -> Account {
        Account {
            user: String::from_utf8_lossy(self.user).into_owned(),
            host: String::from_utf8_lossy(self.host).into_owned(),
            verifiers: self.methods_checked().unwrap_or_default(),
            locked: self.flags & LOCKED != 0,
            requires: match self.flags >> REQUIRES_SHIFT & 3 {
                0 => Requirement::None,
                1 => Requirement::Tls,
                2 => Requirement::Certificate,
                _ => Requirement::Cipher,
            },
        }
    }
}

/// Appends an account: flags, user, host unless it is `%`, methods.
pub(crate) fn write_entry(account: &Account, out: &mut Vec<u8>) {
    let any_host = account.host == "%";
    let methods = account
        .verifiers
        .get(..METHODS_MAX)
        .unwrap_or(&account.verifiers);
    let requires: u8 = match account.requires {
        Requirement::None => 0,
        Requirement::Tls => 1,
        Requirement::Certificate => 2,
        // Stored books of earlier versions have 2 for it.
        Requirement::Cipher => 3,
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
pub(crate) fn entry_size(account: &Account) -> usize {
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
pub(crate) const TEXT_MAX: usize = 0x7FFF;

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
