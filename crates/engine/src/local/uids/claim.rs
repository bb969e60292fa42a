//! The range of user numbers that a server claims. Two servers on one machine never have the same
//! numbers: each block of [`BLOCK`] numbers has a lock file, and a claim keeps the locks of all
//! blocks that it touches.

use super::number_map::{NumberMap, overlap};
use crate::limits::UID_DRAWS_MAX;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::ops::RangeInclusive;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Numbers of one claim by default, and of one lock.
const BLOCK: u32 = 65_536;

/// Numbers that no distribution and no container manager gives out by itself (systemd.io/UIDS-GIDS:
/// the ranges above that of systemd-nspawn, which ends at 1879048191).
const POOL: RangeInclusive<u32> = 1_879_048_192..=2_147_352_575;

/// Directory of the lock files. It outlives every server: a lock file that is deleted while
/// somebody has it locked would let a second server lock another file of the same name.
const LOCKS: &str = "/run/tidegate";

/// Choice of an operator.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum UidChoice {
    /// A block that no other server has: the one that the clusters have numbers of, else one drawn
    /// at random, so that servers that never run at the same time seldom share one either. A user
    /// namespace without the numbers of the pool gives others that it has.
    #[default]
    Auto,
    Range(RangeInclusive<u32>),
}

/// Reads `FIRST-LAST`.
fn parse_range(text: &str) -> Option<(u32, u32)> {
    let (first, last) = text.split_once('-')?;
    Some((first.parse().ok()?, last.parse().ok()?))
}

impl UidChoice {
    /// Reads `auto` or `FIRST-LAST`. The error is a sentence's end: "must be ...".
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let Some((first, last)) = parse_range(text) else {
            return Err(
                "must be \"auto\", or FIRST-LAST such as \"1879048192-1879113727\"".to_owned(),
            );
        };
        // Below are the system's own users, above is the number that means "none".
        if first < 1000 || last > u32::MAX - 2 {
            return Err("must lie between 1000 and 4294967293".to_owned());
        }
        if last.saturating_sub(first) < 1 || last - first >= 1 << 24 {
            return Err("must have 2 to 16777216 numbers".to_owned());
        }
        Ok(Self::Range(first..=last))
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    #[error(
        "the user numbers {}-{} of engine.uids are in use by {holder}",
        range.start(),
        range.end()
    )]
    Held {
        range: RangeInclusive<u32>,
        holder: String,
    },
    #[error(
        "no range of user numbers is free for engines: other servers have those that were tried"
    )]
    NoneFree,
    #[error("this user namespace has no user numbers {}-{}", .0.start(), .0.end())]
    Unmapped(RangeInclusive<u32>),
    #[error("the lock of engine.uids, {path}, can't be used: {source}", path = path.display())]
    Lock { path: PathBuf, source: io::Error },
}

impl ClaimError {
    pub fn hint(&self) -> String {
        match self {
            Self::Held { .. } => {
                "stop that server, or give this one other numbers: engine.uids = \"auto\" finds \
                 free ones"
                    .to_owned()
            }
            Self::NoneFree => {
                "give this server other numbers: engine.uids = \"FIRST-LAST\"".to_owned()
            }
            Self::Unmapped(_) => {
                "give engine.uids numbers that /proc/self/uid_map and gid_map have (each line: \
                 first number, first number outside, how many), or leave it at \"auto\""
                    .to_owned()
            }
            Self::Lock { path, .. } => format!(
                "make {} writable for root (a systemd unit: RuntimeDirectory=tidegate; a container \
                 with a read-only root: --tmpfs /run), or run as an ordinary user",
                path.parent().unwrap_or(path).display()
            ),
        }
    }
}

/// Range of user numbers that no other server of this machine has, for as long as this value lives.
pub struct UidClaim {
    range: RangeInclusive<u32>,
    _locks: Vec<File>,
}

impl fmt::Debug for UidClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UidClaim").field(&self.range).finish()
    }
}

impl UidClaim {
    /// Claims what was chosen. `in_use`: the numbers that clusters have already. `owner`: names
    /// this server to others.
    pub fn take(choice: &UidChoice, in_use: &[u32], owner: &str) -> Result<Self, ClaimError> {
        take_in(Path::new(LOCKS), &NumberMap::read(), choice, in_use, owner)
    }

    /// Numbers for clusters. The last of the range is the template's.
    pub fn for_clusters(&self) -> RangeInclusive<u32> {
        *self.range.start()..=self.range.end().saturating_sub(1)
    }

    pub fn range(&self) -> RangeInclusive<u32> {
        self.range.clone()
    }

    pub fn contains(&self, uid: u32) -> bool {
        self.range.contains(&uid)
    }
}

fn take_in(
    locks: &Path,
    map: &NumberMap,
    choice: &UidChoice,
    in_use: &[u32],
    owner: &str,
) -> Result<UidClaim, ClaimError> {
    match choice {
        UidChoice::Range(range) if !map.has(range) => Err(ClaimError::Unmapped(range.clone())),
        UidChoice::Range(range) => claim(locks, range, owner),
        UidChoice::Auto => {
            let space = if map.has(&POOL) {
                vec![POOL]
            } else {
                map.for_engines()
            };
            for range in used_blocks(&space, in_use)
                .into_iter()
                .chain((0..UID_DRAWS_MAX).filter_map(|_| random_block(&space)))
            {
                match claim(locks, &range, owner) {
                    Err(ClaimError::Held { range, holder }) => {
                        tracing::debug!(?range, holder, "these user numbers are another server's");
                    }
                    other => return other,
                }
            }
            Err(ClaimError::NoneFree)
        }
    }
}

/// Blocks of the space that clusters have numbers of, the one with most first.
fn used_blocks(space: &[RangeInclusive<u32>], in_use: &[u32]) -> Vec<RangeInclusive<u32>> {
    let mut blocks: BTreeMap<u32, (RangeInclusive<u32>, usize)> = BTreeMap::new();
    for uid in in_use {
        let part = space
            .iter()
            .find(|part| part.contains(uid))
            .and_then(|part| overlap(part, &block(uid - uid % BLOCK)));
        if let Some(part) = part {
            blocks.entry(*part.start()).or_insert((part, 0)).1 += 1;
        }
    }
    let mut blocks: Vec<_> = blocks.into_values().collect();
    blocks.sort_by_key(|(_, clusters)| std::cmp::Reverse(*clusters));
    blocks.into_iter().map(|(part, _)| part).collect()
}

/// Returns a block of the space, or the part of it that is in the space.
fn random_block(space: &[RangeInclusive<u32>]) -> Option<RangeInclusive<u32>> {
    let blocks_of = |part: &RangeInclusive<u32>| part.end() / BLOCK - part.start() / BLOCK + 1;
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).ok()?;
    let blocks: u32 = space.iter().map(blocks_of).sum();
    let mut drawn = u32::from_le_bytes(bytes).checked_rem(blocks)?;
    for part in space {
        let here = blocks_of(part);
        if drawn < here {
            return overlap(part, &block((part.start() / BLOCK + drawn) * BLOCK));
        }
        drawn -= here;
    }
    None
}

fn block(first: u32) -> RangeInclusive<u32> {
    first..=first.saturating_add(BLOCK - 1)
}

fn claim(locks: &Path, range: &RangeInclusive<u32>, owner: &str) -> Result<UidClaim, ClaimError> {
    match DirBuilder::new().mode(0o755).create(locks) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
            return Err(ClaimError::Lock {
                path: locks.join("lock"),
                source: e,
            });
        }
        _ => {}
    }
    let first_block = range.start() - range.start() % BLOCK;
    let mut held = Vec::new();
    for first in (first_block..=*range.end()).step_by(BLOCK as usize) {
        let path = locks.join(format!("uids-{first}.lock"));
        match lock_block(&path, owner) {
            Ok(Some(file)) => held.push(file),
            Ok(None) => {
                return Err(ClaimError::Held {
                    range: range.clone(),
                    holder: read_owner(&path),
                });
            }
            Err(source) => return Err(ClaimError::Lock { path, source }),
        }
    }
    Ok(UidClaim {
        range: range.clone(),
        _locks: held,
    })
}

/// The file with its lock, or nothing if another server has it. Closed to others, since whoever can
/// open a file can lock it.
fn lock_block(path: &Path, owner: &str) -> io::Result<Option<File>> {
    let mut file = OpenOptions::new()
        .create(true)
        // Another server may have the lock, and the text is its own then.
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(e)) => return Err(e),
    }
    // Only with the lock: the text names its owner to other servers.
    file.set_len(0)?;
    file.rewind()?;
    write!(file, "{owner}")?;
    Ok(Some(file))
}

fn read_owner(path: &Path) -> String {
    let mut text = String::new();
    let read = File::open(path).and_then(|f| f.take(512).read_to_string(&mut text));
    match (read, text.trim()) {
        (Ok(_), owner) if !owner.is_empty() => owner.to_owned(),
        _ => "another server".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As in a machine's first namespace.
    const ALL: &str = "         0          0 4294967295\n";

    fn take(locks: &Path, choice: &UidChoice, in_use: &[u32]) -> Result<UidClaim, ClaimError> {
        let map = NumberMap::parse(ALL, ALL);
        take_in(locks, &map, choice, in_use, "the server on /data, pid 7")
    }

    #[test]
    fn two_servers_never_have_a_number_in_common() {
        let temp = tempfile::tempdir().unwrap();
        let locks = temp.path().join("run");
        let mut claims: Vec<UidClaim> = Vec::new();
        for _ in 0..50 {
            let claim = take(&locks, &UidChoice::Auto, &[]).unwrap();
            assert!(POOL.contains(claim.range().start()) && POOL.contains(claim.range().end()));
            assert_eq!(claim.range().count(), 65_536);
            assert!(
                !claims
                    .iter()
                    .any(|other| other.contains(*claim.range().start())),
                "{claims:?}"
            );
            claims.push(claim);
        }
    }

    #[test]
    fn a_server_gets_the_block_of_its_clusters_again_unless_another_has_it() {
        let temp = tempfile::tempdir().unwrap();
        // One left from an older range, two of one block, one of another.
        let in_use = [600_003, 1_879_113_728, 1_879_179_264 + 5, 1_879_179_264 + 9];
        let first = take(temp.path(), &UidChoice::Auto, &in_use).unwrap();
        assert_eq!(first.range(), 1_879_179_264..=1_879_244_799);
        // A copy of its data directory on the same machine.
        let second = take(temp.path(), &UidChoice::Auto, &in_use).unwrap();
        assert_eq!(second.range(), 1_879_113_728..=1_879_179_263);
        let third = take(temp.path(), &UidChoice::Auto, &in_use).unwrap();
        assert!(
            !first.contains(*third.range().start()) && !second.contains(*third.range().start())
        );
        drop(first);
        assert_eq!(
            take(temp.path(), &UidChoice::Auto, &in_use)
                .unwrap()
                .range(),
            1_879_179_264..=1_879_244_799
        );
    }

    #[test]
    fn a_range_that_touches_anothers_block_is_refused_by_name() {
        let temp = tempfile::tempdir().unwrap();
        let _first = take(temp.path(), &UidChoice::Range(600_000..=665_535), &[]).unwrap();
        for taken in [
            UidChoice::Range(600_000..=665_535),
            UidChoice::Range(650_000..=650_007),
            UidChoice::Range(665_535..=700_000),
        ] {
            let error = take(temp.path(), &taken, &[]).unwrap_err();
            assert!(
                error.to_string().contains("the server on /data, pid 7"),
                "{error}"
            );
            assert!(error.hint().contains("auto"), "{}", error.hint());
        }
        take(temp.path(), &UidChoice::Range(720_896..=720_903), &[]).unwrap();
    }

    #[test]
    fn numbers_that_the_namespace_lacks_are_refused() {
        let temp = tempfile::tempdir().unwrap();
        let rootless = "0 1000 1\n1 100000 65536\n";
        let rootless = NumberMap::parse(rootless, rootless);
        let missing = UidChoice::Range(60_000..=70_000);
        let claim = take_in(temp.path(), &rootless, &missing, &[], "x");
        assert!(matches!(claim, Err(ClaimError::Unmapped(_))));
        let mapped = UidChoice::Range(30_000..=40_000);
        assert!(take_in(temp.path(), &rootless, &mapped, &[], "x").is_ok());
        let one = NumberMap::parse("0 1000 1\n", "0 1000 1\n");
        let claim = take_in(temp.path(), &one, &UidChoice::Auto, &[], "x");
        assert!(matches!(claim, Err(ClaimError::NoneFree)));
    }

    #[test]
    fn a_namespace_without_the_pool_gives_numbers_that_it_has() {
        let temp = tempfile::tempdir().unwrap();
        let rootless = "0 1000 1\n1 100000 65535\n";
        let rootless = NumberMap::parse(rootless, rootless);
        let first = take_in(temp.path(), &rootless, &UidChoice::Auto, &[7], "x").unwrap();
        assert_eq!(first.range(), 10_000..=59_999);
        let second = take_in(temp.path(), &rootless, &UidChoice::Auto, &[], "x");
        assert!(matches!(second, Err(ClaimError::NoneFree)));
        drop(first);
        // As a container of LXD has it.
        let many = "0 1000000 1000000000\n";
        let many = NumberMap::parse(many, many);
        let first = take_in(temp.path(), &many, &UidChoice::Auto, &[], "x").unwrap();
        let second = take_in(temp.path(), &many, &UidChoice::Auto, &[], "x").unwrap();
        assert!(many.has(&first.range()) && many.has(&second.range()));
        assert!(!first.contains(*second.range().start()));
        let used = *second.range().end();
        drop((first, second));
        let again = take_in(temp.path(), &many, &UidChoice::Auto, &[used], "x").unwrap();
        assert!(again.contains(used), "{again:?}");
    }

    #[test]
    fn a_choice_is_read_or_refused_with_what_it_must_be() {
        assert_eq!(UidChoice::parse("auto"), Ok(UidChoice::Auto));
        assert_eq!(
            UidChoice::parse("600000-665535"),
            Ok(UidChoice::Range(600_000..=665_535))
        );
        for bad in [
            "",
            "yes",
            "1",
            "5-9",
            "600000-600000",
            "9000-8000",
            "-1-5",
            "600000-4294967295",
            "1000-4000000000",
        ] {
            assert!(
                UidChoice::parse(bad).unwrap_err().starts_with("must "),
                "{bad}"
            );
        }
    }
}
