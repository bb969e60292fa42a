//! Measured use of a running engine: by its control group where there is one, otherwise by the
//! files of its process in /proc. It reads small files only.

use crate::driver::RunUsage;
use crate::local::cgroup::EngineGroup;
use crate::local::cgroup::files::read_text;
use std::path::PathBuf;

/// Measures the use of a run. Blocks on files of the kernel.
pub fn measure(pid: u32, group: Option<&EngineGroup>) -> RunUsage {
    let by_group = group.map(EngineGroup::usage).unwrap_or_default();
    let status = match (by_group.memory_bytes, by_group.tasks) {
        (Some(_), Some(_)) => String::new(),
        _ => read_text(&proc_file(pid, "status")).unwrap_or_default(),
    };
    RunUsage {
        memory_bytes: by_group
            .memory_bytes
            .or_else(|| Some(status_field(&status, "RssAnon:")? * 1024)),
        cpu_micros: by_group
            .cpu_micros
            .or_else(|| stat_cpu_micros(&read_text(&proc_file(pid, "stat")).ok()?)),
        tasks: by_group.tasks.or_else(|| status_field(&status, "Threads:")),
    }
}

fn proc_file(pid: u32, name: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/{name}"))
}

fn status_field(status: &str, name: &str) -> Option<u64> {
    status
        .lines()
        .find_map(|line| line.strip_prefix(name))?
        .split_whitespace()
        .next()?
        .parse()
        .ok()
}

/// User and system time of all threads (proc_pid_stat(5), fields 14 and 15) in ticks of 10 ms,
/// which is what Linux shows on every architecture. The name before them may contain anything but
/// is in brackets.
fn stat_cpu_micros(stat: &str) -> Option<u64> {
    let after_name = stat.rsplit_once(')')?.1;
    let mut fields = after_name.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((user + system) * 10_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_measured_without_a_group() {
        let usage = measure(std::process::id(), None);
        assert!(usage.memory_bytes.unwrap() > 100_000, "{usage:?}");
        assert!(
            usage.tasks.unwrap() >= 1 && usage.cpu_micros.is_some(),
            "{usage:?}"
        );
        assert_eq!(measure(0, None), RunUsage::default(), "no such process");
    }

    #[test]
    fn a_name_with_brackets_and_blanks_does_not_shift_the_fields() {
        let stat = "7 (a) b (c) S 1 1 1 0 -1 4194304 100 0 0 0 12 34 0 0 20 0 1 0 5 6 7";
        assert_eq!(stat_cpu_micros(stat), Some(460_000));
        assert_eq!(stat_cpu_micros("7 (a"), None);
    }
}
