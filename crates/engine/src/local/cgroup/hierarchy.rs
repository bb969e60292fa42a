//! The cgroup hierarchies of this machine as the kernel lists them. It only parses; the caller
//! reads the files.

use std::path::{Path, PathBuf};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    V1,
    V2,
}

/// A mounted hierarchy, and the group in it that this process belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hierarchy {
    pub version: Version,
    /// Controllers of v1. Those of v2 are listed in the group's file `cgroup.controllers`.
    pub controllers: Vec<String>,
    pub mount: PathBuf,
    pub own: PathBuf,
}

/// Parses `/proc/self/mountinfo` and `/proc/self/cgroup` (proc_pid_mountinfo(5), cgroups(7)). A
/// line that doesn't parse is skipped: a hierarchy that can't be read is not used.
pub fn parse_hierarchies(mountinfo: &str, own_groups: &str) -> Vec<Hierarchy> {
    mountinfo
        .lines()
        .filter_map(|line| parse_mount(line, own_groups))
        .collect()
}

fn parse_mount(line: &str, own_groups: &str) -> Option<Hierarchy> {
    let (left, right) = line.split_once(" - ")?;
    // After the mount's id, its parent's id and the device.
    let mut fields = left.split(' ').skip(3);
    let root = fields.next()?;
    let mount = unescape(fields.next()?);
    let mut kind = right.split(' ');
    let version = match kind.next()? {
        "cgroup" => Version::V1,
        "cgroup2" => Version::V2,
        _ => return None,
    };
    // After the mount's source.
    let options = kind.nth(1).unwrap_or_default();
    let (controllers, path) = own_groups
        .lines()
        .find_map(|line| own_group(line, version, options))?;
    // In a container without a cgroup namespace the mount shows a part of the hierarchy, and the
    // path is the host's.
    let inside = Path::new(path)
        .strip_prefix(root)
        .or_else(|_| Path::new(path).strip_prefix("/"))
        .ok()?;
    let own = mount.join(inside);
    Some(Hierarchy {
        version,
        controllers,
        own: if inside == Path::new("") {
            mount.clone()
        } else {
            own
        },
        mount,
    })
}

/// A line such as `4:cpu,cpuacct:/path` if it belongs to a mount with these super block options.
fn own_group<'a>(line: &'a str, version: Version, options: &str) -> Option<(Vec<String>, &'a str)> {
    let mut parts = line.splitn(3, ':');
    let _number = parts.next()?;
    let names = parts.next()?;
    let path = parts.next()?;
    let named: Vec<String> = names
        .split(',')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    let belongs = match version {
        // The line of v2 names no controllers: `0::/path`.
        Version::V2 => named.is_empty(),
        Version::V1 => {
            !named.is_empty()
                && named
                    .iter()
                    .all(|name| options.split(',').any(|o| o == name))
        }
    };
    belongs.then_some((named, path))
}

/// The kernel writes blanks and backslashes of a path as three octal digits.
fn unescape(text: &str) -> PathBuf {
    PathBuf::from(
        text.replace("\\040", " ")
            .replace("\\011", "\t")
            .replace("\\134", "\\"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
";

    #[test]
    fn a_hybrid_machine_has_each_hierarchy_with_its_own_group() {
        let own = "9:name=systemd:/\n4:memory:/user/a\n2:cpu,cpuacct:/\n0::/u\n";
        let found = parse_hierarchies(HYBRID, own);
        let dirs: Vec<_> = found
            .iter()
            .map(|h| (h.version, h.own.to_str().unwrap()))
            .collect();
        assert_eq!(
            dirs,
            [
                (Version::V1, "/sys/fs/cgroup/cpu,cpuacct"),
                (Version::V1, "/sys/fs/cgroup/memory/user/a"),
                (Version::V1, "/sys/fs/cgroup/systemd"),
                (Version::V2, "/sys/fs/cgroup/unified/u"),
            ]
        );
        assert_eq!(found[0].controllers, ["cpu", "cpuacct"]);
    }

    #[test]
    fn a_container_that_sees_a_part_of_the_hierarchy_finds_itself_in_it() {
        let mountinfo = "9 1 0:1 /docker/x /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";
        let found = parse_hierarchies(mountinfo, "4:memory:/docker/x\n");
        assert_eq!(found[0].own, Path::new("/sys/fs/cgroup/memory"));
        let found = parse_hierarchies(mountinfo, "4:memory:/docker/x/sub\n");
        assert_eq!(found[0].own, Path::new("/sys/fs/cgroup/memory/sub"));
    }

    #[test]
    fn a_modern_machine_has_one_and_nonsense_has_none() {
        let found = parse_hierarchies(
            "9 1 0:1 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n",
            "0::/a.service\n",
        );
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].own, Path::new("/sys/fs/cgroup/a.service"));
        assert_eq!(parse_hierarchies("nonsense\n - \n", "0::/\n"), []);
        assert_eq!(
            parse_hierarchies("9 1 0:1 / /x rw - cgroup2 cgroup2 rw\n", "junk"),
            []
        );
    }
}
