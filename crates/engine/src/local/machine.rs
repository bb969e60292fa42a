//! The memory that this machine gives to the server and its engines.

use crate::local::cgroup;
use std::path::Path;

/// The machine's memory, or the limit of a control group that this process is in, whichever is
/// less. Bytes. `None` if neither can be read.
pub fn memory_bytes() -> Option<u64> {
    let meminfo = std::fs::read_to_string("/proc/meminfo").ok();
    let machine = meminfo.as_deref().and_then(total_of);
    // In a container /proc/meminfo shows the memory of the whole machine.
    [machine, cgroup::memory_limit(Path::new("/proc/self"))]
        .into_iter()
        .flatten()
        .min()
}

fn total_of(meminfo: &str) -> Option<u64> {
    let total = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    total
        .split_whitespace()
        .next()?
        .parse::<u64>()
        .ok()?
        .checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_read_and_no_limit_of_a_group_makes_it_more() {
        assert_eq!(
            total_of("MemTotal:       2048 kB\nMemFree: 1 kB\n"),
            Some(2 << 20)
        );
        assert_eq!(total_of("nonsense"), None);
        let all = total_of(&std::fs::read_to_string("/proc/meminfo").unwrap()).unwrap();
        assert!((64 << 20..=all).contains(&memory_bytes().unwrap()));
    }
}
