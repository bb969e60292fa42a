//! The report of `config check` about walls and limits, compared with a running engine of the same
//! configuration; and on a machine from which a wall or a means of a limit is taken.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tidegate_e2e::server::{binary, new_folder};
use tidegate_e2e::session::Session;
use tidegate_e2e::{Options, Server, not_run};

/// Limits of the cluster, which no other group has.
const MEMORY: u64 = 300 << 20;
const WEIGHT: u64 = 37;
const TASKS: u64 = 217;

/// Mount points of the control group hierarchies: by controller for v1, "v2" for v2.
fn hierarchies() -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    for line in fs::read_to_string("/proc/self/mountinfo").unwrap().lines() {
        let (mount, kind) = line.split_once(" - ").unwrap();
        let at = PathBuf::from(mount.split(' ').nth(4).unwrap());
        let mut kind = kind.split(' ');
        match kind.next().unwrap() {
            "cgroup2" => drop(found.insert("v2".to_owned(), at)),
            "cgroup" => {
                for controller in kind.nth(1).unwrap().split(',') {
                    found.insert(controller.to_owned(), at.clone());
                }
            }
            _ => {}
        }
    }
    found
}

/// Group of a process in the hierarchy of this controller, or in v2.
fn group_of(pid: u32, controller: &str) -> Option<PathBuf> {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let path = groups.lines().find_map(|line| {
        let (_, rest) = line.split_once(':').unwrap();
        let (controllers, path) = rest.split_once(':').unwrap();
        let found = match controller {
            "v2" => controllers.is_empty(),
            _ => controllers.split(',').any(|name| name == controller),
        };
        found.then(|| path.trim_start_matches('/').to_owned())
    })?;
    Some(hierarchies().get(controller)?.join(path))
}

/// Whether a file of the process's group has this value.
fn has_value(pid: u32, controller: &str, file: &str, value: u64) -> bool {
    let group = group_of(pid, controller);
    let text = group.and_then(|group| fs::read_to_string(group.join(file)).ok());
    text.is_some_and(|text| text.trim() == value.to_string())
}

/// A line of /proc/PID/NAME without its label, in words.
fn line_of(pid: u32, name: &str, label: &str) -> Vec<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(label));
    let words = line.unwrap().split_whitespace();
    words.map(str::to_owned).collect()
}

/// The means by which a limit is enforced on a process: v1, v2, the process's own limit, or none.
fn means_of(pid: u32, v1: (&str, &str, u64), v2: (&str, u64), own: Option<(&str, u64)>) -> String {
    let (controller, file, value) = v1;
    if has_value(pid, controller, file, value) {
        return "cgroup v1".to_owned();
    }
    if has_value(pid, "v2", v2.0, v2.1) {
        return "cgroup v2".to_owned();
    }
    let own = own.filter(|(label, value)| line_of(pid, "limits", label)[1] == value.to_string());
    own.map_or("not in force", |_| "rlimit").to_owned()
}

/// Group of an engine, unless it is that of its server.
fn own_group(engine: u32, server: u32, controller: &str) -> Option<PathBuf> {
    let group = group_of(engine, controller)?;
    (group_of(server, controller)? != group).then_some(group)
}

/// The means by which everything that an engine started would be killed.
fn kill_means_of(engine: u32, server: u32) -> &'static str {
    let own = own_group(engine, server, "v2");
    if own.is_some_and(|group| group.join("cgroup.kill").exists()) {
        "cgroup v2"
    } else if own_group(engine, server, "freezer").is_some() {
        "cgroup v1"
    } else {
        "not in force"
    }
}

/// Walls and limits that an engine of this server really has, in the form of the report.
fn observed(engine: u32, server: u32) -> Value {
    let data_max = ("Max data size", MEMORY - MEMORY / 32);
    let memory = means_of(
        engine,
        ("memory", "memory.limit_in_bytes", MEMORY),
        ("memory.max", MEMORY),
        Some(data_max),
    );
    let tasks = means_of(
        engine,
        ("pids", "pids.max", TASKS),
        ("pids.max", TASKS),
        Some(("Max processes", TASKS)),
    );
    let cpu = means_of(
        engine,
        ("cpu", "cpu.shares", WEIGHT * 1024 / 100),
        ("cpu.weight", WEIGHT),
        None,
    );
    json!({
        "memory": memory,
        "tasks": tasks,
        "cpu": cpu,
        "kill": kill_means_of(engine, server),
        "own_users": line_of(engine, "status", "Uid:") != line_of(server, "status", "Uid:"),
        "seccomp": line_of(engine, "status", "Seccomp:") == ["2"],
    })
}

/// Walls and limits of a report, except those that no engine shows.
fn reported(report: &Value) -> Value {
    let limits = &report["limits"];
    json!({
        "memory": limits["memory"]["by"],
        "tasks": limits["tasks"]["by"],
        "cpu": limits["cpu"]["by"],
        "kill": limits["kill"]["by"],
        "own_users": report["walls"]["own_users"],
        "seccomp": report["walls"]["seccomp"],
    })
}

fn report_of(out: &Output) -> Value {
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{said}");
    serde_json::from_slice(&out.stdout).unwrap()
}

#[test]
fn the_report_says_what_a_running_engine_really_has() {
    let mut seen = Vec::new();
    for cgroup in ["auto", "off"] {
        let config = format!("[engine]\ncgroup = \"{cgroup}\"\n");
        let server = Server::with(Options {
            config,
            ..Options::default()
        });
        let cluster = server.create("demo");
        let memory = format!("{}M", MEMORY >> 20);
        let limits = [
            "--memory-max",
            &memory,
            "--cpu-weight",
            "37",
            "--tasks-max",
            "217",
        ];
        server.succeed(&[&["cluster", "set", "demo"], &limits[..]].concat());
        let session = Session::open(&cluster);
        let config = server.folder.join("test.toml");
        let config = config.to_str().unwrap();
        let report = server.json(&["--config", config, "config", "check"]);
        let real = observed(server.engine(), server.pid());
        assert_eq!(reported(&report), real, "cgroup = {cgroup}: {report}");
        seen.push(real);
        session.quit();
    }
    assert_eq!(seen[1]["memory"], "rlimit");
    assert_eq!(seen[1]["cpu"], "not in force");
    if hierarchies().contains_key("memory") && rustix::process::geteuid().is_root() {
        assert_ne!(seen[0], seen[1], "groups are in force here");
    }
}

/// Program that refuses the system calls of Landlock with ENOSYS, as a kernel without it does, and
/// then executes its arguments.
const WITHOUT_LANDLOCK: &str = "
import ctypes, os, struct, sys
class Program(ctypes.Structure):
    _fields_ = [('len', ctypes.c_ushort), ('filter', ctypes.c_char_p)]
steps = [(0x20, 0, 0, 0), (0x35, 0, 2, 444), (0x25, 1, 0, 446)]
steps += [(0x06, 0, 0, 0x50026), (0x06, 0, 0, 0x7fff0000)]
program = Program(len(steps), b''.join(struct.pack('HBBI', *step) for step in steps))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.byref(program)) == 0
os.execv(sys.argv[1], sys.argv[1:])
";

/// Runs the report in its own mount namespace after these shell commands.
fn report_after(commands: &str, data: &Path) -> Value {
    let script = format!("{commands}\nexec \"$0\" config check --json --data \"$1\"");
    let out = Command::new("unshare")
        .args(["--mount", "sh", "-ec", &script])
        .arg(binary())
        .arg(data)
        .env("WITHOUT_LANDLOCK", WITHOUT_LANDLOCK)
        .output()
        .unwrap();
    report_of(&out)
}

/// The report without what depends on open files and on the process's number.
fn walls_and_limits(report: &Value) -> Value {
    let mut limits = report["limits"].clone();
    for limit in limits.as_object_mut().unwrap().values_mut() {
        *limit = limit["by"].clone();
    }
    json!({ "walls": report["walls"], "limits": limits })
}

#[test]
fn the_report_changes_with_the_machine() {
    if !rustix::process::geteuid().is_root() {
        return not_run("taking walls from a machine needs root");
    }
    let folder = new_folder();
    let whole = report_after("true", &folder);
    for wall in ["landlock", "seccomp", "own_users"] {
        assert_eq!(whole["walls"][wall], true, "this machine has it: {whole}");
    }
    let hide_seccomp = "mount --bind /dev/null /proc/sys/kernel/seccomp/actions_avail";
    let hide_landlock = "set -- \"$1\"; exec python3 -c \"$WITHOUT_LANDLOCK\" \"$0\" config check \
                         --json --data \"$1\"";
    for (commands, wall) in [(hide_seccomp, "seccomp"), (hide_landlock, "landlock")] {
        let mut expected = walls_and_limits(&whole);
        expected["walls"][wall] = false.into();
        let report = report_after(commands, &folder);
        assert_eq!(walls_and_limits(&report), expected, "without {wall}");
    }
    let hidden = report_after("umount --lazy --recursive /sys/fs/cgroup", &folder);
    for (limit, by) in [
        ("memory", "rlimit"),
        ("tasks", "rlimit"),
        ("cpu", "not in force"),
        ("kill", "not in force"),
    ] {
        assert_eq!(hidden["limits"][limit]["by"], by, "{limit}: {hidden}");
        let reason = hidden["limits"][limit]["reason"].as_str().unwrap();
        assert!(reason.contains("is mounted; hint: "), "{limit}: {reason}");
    }
    assert_eq!(hidden["walls"], whole["walls"]);
    as_an_ordinary_user(&folder);
    fs::remove_dir_all(folder).unwrap();
}

fn as_an_ordinary_user(folder: &Path) {
    const NOBODY: u32 = 65_534;
    // The build folder may be closed to others.
    let program = folder.join("tidegate");
    fs::copy(binary(), &program).unwrap();
    fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut check = Command::new(&program);
    check
        .args(["config", "check", "--data", "/nonexistent"])
        .env_clear()
        .uid(NOBODY)
        .gid(NOBODY)
        .current_dir("/");
    let text = String::from_utf8(check.output().unwrap().stdout).unwrap();
    let report = report_of(&check.arg("--json").output().unwrap());
    assert_eq!(report["walls"]["own_users"], false);
    // It may write into no group, and the limit of tasks counts all processes of a user.
    assert_eq!(report["limits"]["memory"]["by"], "rlimit", "{report}");
    for limit in ["tasks", "cpu", "kill"] {
        assert_eq!(report["limits"][limit]["by"], "not in force", "{report}");
    }
    for line in [
        "\n  own users  not in force\n",
        "\n  cpu        not in force (",
    ] {
        assert!(text.contains(line), "{line:?} in {text}");
    }
}
