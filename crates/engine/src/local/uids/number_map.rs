//! User numbers that this process's user namespace has: those that are users and groups in it.

use std::ops::RangeInclusive;

/// Numbers that an engine may have, whatever the namespace: above the users of the system and of
/// people, below the number that means "none".
const ENGINE_NUMBERS: RangeInclusive<u32> = 10_000..=u32::MAX - 2;

/// Numbers that a distribution gives out by itself at the end of the first 65,536: dynamic users of
/// services, `nobody` (systemd.io/UIDS-GIDS).
const RESERVED: RangeInclusive<u32> = 60_000..=65_535;

/// Fewest numbers that a server can use: a cluster's and the template's.
const MIN_NUMBERS: u32 = 2;

/// Numbers of a user namespace.
#[derive(Debug, Clone)]
pub struct NumberMap {
    users: Vec<RangeInclusive<u32>>,
    groups: Vec<RangeInclusive<u32>>,
}

impl NumberMap {
    /// Reads those of this process.
    pub fn read() -> Self {
        let [users, groups] = ["uid_map", "gid_map"]
            .map(|map| std::fs::read_to_string(format!("/proc/self/{map}")).unwrap_or_default());
        Self::parse(&users, &groups)
    }

    /// Reads them as the kernel writes them, in lines of: inside, outside, count
    /// (user_namespaces(7)).
    pub fn parse(users: &str, groups: &str) -> Self {
        Self {
            users: ranges(users),
            groups: ranges(groups),
        }
    }

    /// Whether all these numbers are users and groups.
    pub fn has(&self, range: &RangeInclusive<u32>) -> bool {
        [&self.users, &self.groups].iter().all(|mapped| {
            mapped
                .iter()
                .any(|mapped| mapped.contains(range.start()) && mapped.contains(range.end()))
        })
    }

    /// Whether every number of the machine is a user here: no file has an owner without a number.
    pub fn is_whole(&self) -> bool {
        self.has(&(0..=u32::MAX - 1))
    }

    /// Returns the ranges that engines may have, lowest first. Each is enough for a server.
    pub fn for_engines(&self) -> Vec<RangeInclusive<u32>> {
        let below = *ENGINE_NUMBERS.start()..=RESERVED.start() - 1;
        let above = RESERVED.end() + 1..=*ENGINE_NUMBERS.end();
        let mut both: Vec<_> = self
            .users
            .iter()
            .flat_map(|users| {
                self.groups
                    .iter()
                    .filter_map(|groups| overlap(users, groups))
            })
            .flat_map(|range| [overlap(&range, &below), overlap(&range, &above)])
            .flatten()
            .filter(|range| range.end() - range.start() >= MIN_NUMBERS - 1)
            .collect();
        both.sort_unstable_by_key(|range| *range.start());
        both
    }
}

fn ranges(map: &str) -> Vec<RangeInclusive<u32>> {
    map.lines()
        .filter_map(|line| {
            let mut numbers = line.split_whitespace().map(str::parse::<u32>);
            let inside = numbers.next()?.ok()?;
            let count = numbers.nth(1)?.ok()?.checked_sub(1)?;
            Some(inside..=inside.saturating_add(count))
        })
        .collect()
}

/// Returns the numbers that both ranges have.
pub fn overlap(
    one: &RangeInclusive<u32>,
    other: &RangeInclusive<u32>,
) -> Option<RangeInclusive<u32>> {
    let first = *one.start().max(other.start());
    let last = *one.end().min(other.end());
    (first <= last).then_some(first..=last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_get_numbers_that_are_users_and_groups() {
        let all = "         0          0 4294967295\n";
        let rootless = "0 1000 1\n1 100000 65536\n";
        for (users, groups, want) in [
            (all, all, vec![10_000..=59_999, 65_536..=u32::MAX - 2]),
            (rootless, rootless, vec![10_000..=59_999]),
            ("0 0 1\n", "0 0 1\n", vec![]),
            (all, "0 0 1\n", vec![]),
            ("0 5 70000\n", "60000 5 4294900000\n", vec![65_536..=69_999]),
            ("", all, vec![]),
            ("nonsense\n0 0 0\n", all, vec![]),
        ] {
            let map = NumberMap::parse(users, groups);
            assert_eq!(map.for_engines(), want, "{users:?} {groups:?}");
            for range in want {
                assert!(map.has(&range), "{range:?}");
            }
        }
    }
}
