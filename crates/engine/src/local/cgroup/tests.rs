//! Tests of the groups with real processes, on the hierarchies of this machine. They need root;
//! another user's run shows that nothing is claimed that is not there.

use super::parent::Parent;
use super::{CgroupHome, Controller, EngineGroup, GroupLimits, Version, files};
use crate::local::settings::CgroupChoice;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tidegate_model::ClusterId;

const LIMITS: GroupLimits = GroupLimits {
    memory_max_bytes: 64 << 20,
    cpu_weight: 50,
    tasks_max: 20,
};

fn home(run: &Path) -> Option<CgroupHome> {
    let home = CgroupHome::open(&CgroupChoice::Auto, run);
    if rustix::process::geteuid().is_root() {
        return Some(home);
    }
    assert_eq!(
        home.enforcer(Controller::Memory).is_ok(),
        home.make_group(ClusterId(1), LIMITS).unwrap().is_some()
    );
    let _ = std::io::Write::write_all(
        &mut std::io::stderr(),
        b"\nnot run: control groups need root\n",
    );
    None
}

/// Runs a shell script whose process has entered the group first, as an engine's helper does.
fn run_in(group: &EngineGroup, script: &str) -> Child {
    let enter: String = group
        .entrances()
        .iter()
        .map(|file| format!("echo 0 > '{}' && ", file.display()))
        .collect();
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("{enter} {{ {script}\n}}"));
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Starts a process that stays in the group, and waits until it has entered.
fn stay_in(group: &EngineGroup) -> Child {
    let child = run_in(group, "sleep 60");
    let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while group.is_empty() && std::time::Instant::now() < until {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    assert!(!group.is_empty(), "it did not enter");
    child
}

fn output(child: Child) -> String {
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}

#[test]
fn a_process_over_the_memory_limit_ends_alone_and_within_it() {
    let temp = tempfile::tempdir().unwrap();
    let Some(home) = home(temp.path()) else {
        return;
    };
    let small = ClusterId(1);
    let other = ClusterId(2);
    let group = home.make_group(small, LIMITS).unwrap().unwrap();
    let neighbour = home.make_group(other, LIMITS).unwrap().unwrap();
    let mut bystander = stay_in(&neighbour);
    // `tail` keeps what has no line end: three times the limit.
    let out = output(run_in(
        &group,
        "head -c 192M /dev/zero | tail -n 1 | wc -c; echo done",
    ));
    assert!(
        !out.contains("201326592"),
        "it got 192 MB in a group of 64 MB: {out}"
    );
    assert_eq!(bystander.try_wait().unwrap(), None, "a neighbour was hit");
    assert!(neighbour.kill(), "the neighbour can't be killed");
    bystander.wait().unwrap();
}

#[test]
fn tasks_are_limited_and_use_is_measured() {
    let temp = tempfile::tempdir().unwrap();
    let Some(home) = home(temp.path()) else {
        return;
    };
    let group = home.make_group(ClusterId(3), LIMITS).unwrap().unwrap();
    let script = "for i in $(seq 40); do sleep 60 & done; echo never";
    let mut child = run_in(&group, script);
    let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
    // The shell tries again for a while when it can't fork, so the number is read while it does.
    while group.usage().tasks < Some(20) && std::time::Instant::now() < until {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let usage = group.usage();
    assert_eq!(usage.tasks, Some(20), "{usage:?}");
    assert!(
        usage.memory_bytes.unwrap() > 0 && usage.cpu_micros.unwrap() > 0,
        "{usage:?}"
    );
    assert!(!group.remove(), "a group with processes was removed");
    assert!(group.kill() && group.is_empty());
    child.wait().unwrap();
    assert!(group.remove());
}

#[test]
fn limits_can_be_raised_and_lowered_while_a_group_lives() {
    let temp = tempfile::tempdir().unwrap();
    let Some(home) = home(temp.path()) else {
        return;
    };
    let group = home.make_group(ClusterId(4), LIMITS).unwrap().unwrap();
    for (memory, cpu_weight, shares) in [
        (128u64 << 20, 200, 2048),
        (32 << 20, 1, 10),
        (96 << 20, 10_000, 102_400),
    ] {
        group
            .set_limits(GroupLimits {
                memory_max_bytes: memory,
                cpu_weight,
                tasks_max: 7,
            })
            .unwrap();
        for dir in group.entrances() {
            for name in [
                "memory.limit_in_bytes",
                "memory.memsw.limit_in_bytes",
                "memory.max",
            ] {
                let limit = files::read_number(&dir.with_file_name(name));
                assert!(limit.is_none_or(|v| v == memory), "{name}: {limit:?}");
            }
            for (name, expected) in [
                ("cpu.shares", shares),
                ("cpu.weight", u64::from(cpu_weight)),
                ("pids.max", 7),
            ] {
                let value = files::read_number(&dir.with_file_name(name));
                assert!(value.is_none_or(|v| v == expected), "{name}: {value:?}");
            }
        }
    }
}

#[test]
fn an_engine_that_uses_much_cpu_time_gives_way_and_a_calm_one_does_not() {
    let temp = tempfile::tempdir().unwrap();
    let Some(home) = home(temp.path()) else {
        return;
    };
    // With the largest weight it gets its time on a busy machine too.
    let limits = GroupLimits {
        cpu_weight: 10_000,
        ..LIMITS
    };
    let heavy = home.make_group(ClusterId(20), limits).unwrap().unwrap();
    let calm = home.make_group(ClusterId(21), LIMITS).unwrap().unwrap();
    if heavy.cpu_share().is_none_or(|share| !share.can_give_way()) {
        let _ = std::io::Write::write_all(
            &mut std::io::stderr(),
            b"\nnot run: this kernel has no idle class for groups\n",
        );
        return;
    }
    let mut bystander = stay_in(&calm);
    let mut burner = run_in(&heavy, "while :; do :; done");
    wait_for_class(&heavy, 1);
    assert_eq!(group_value(&calm, "cpu.idle"), Some(0));
    // Limits may be set meanwhile, and are in force afterwards.
    heavy
        .set_limits(GroupLimits {
            cpu_weight: 200,
            ..LIMITS
        })
        .unwrap();
    assert!(heavy.kill());
    burner.wait().unwrap();
    wait_for_class(&heavy, 0);
    assert!(group_value(&heavy, "cpu.shares").is_none_or(|shares| shares == 2048));
    assert!(group_value(&heavy, "cpu.weight").is_none_or(|weight| weight == 200));
    assert!(calm.kill());
    bystander.wait().unwrap();
}

/// Returns a file's value in the first hierarchy that has it.
fn group_value(group: &EngineGroup, name: &str) -> Option<u64> {
    let entrances = group.entrances();
    let files = entrances.iter().map(|file| file.with_file_name(name));
    files.into_iter().find_map(|file| files::read_number(&file))
}

/// Waits until the group is in the idle class (1) or out of it (0).
fn wait_for_class(group: &EngineGroup, idle: u64) {
    let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while group_value(group, "cpu.idle") != Some(idle) {
        assert!(std::time::Instant::now() < until, "cpu.idle is not {idle}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// A copy of the group that uses fewer means of the kernel.
fn without(group: &EngineGroup, controllers: &[Controller]) -> EngineGroup {
    let mut weaker = group.clone();
    weaker.forget(controllers);
    weaker
}

#[test]
fn every_way_to_kill_ends_processes_that_left_their_parent() {
    let temp = tempfile::tempdir().unwrap();
    let Some(home) = home(temp.path()) else {
        return;
    };
    for (id, missing) in [
        (5, &[][..]),
        (6, &[Controller::Kill][..]),
        (7, &[Controller::Kill, Controller::Freezer][..]),
    ] {
        let group = home.make_group(ClusterId(id), LIMITS).unwrap().unwrap();
        // Another session, without a parent, ignoring every signal that can be ignored.
        let out = output(run_in(
            &group,
            "trap '' TERM HUP INT; setsid sleep 600 > /dev/null & echo $!",
        ));
        assert!(!out.is_empty() && !group.is_empty());
        let weaker = without(&group, missing);
        assert!(weaker.kill() && group.is_empty(), "without {missing:?}");
        assert!(group.remove());
    }
}

#[test]
fn a_later_server_on_the_same_folder_kills_what_an_earlier_one_left() {
    let temp = tempfile::tempdir().unwrap();
    let Some(first) = home(temp.path()) else {
        return;
    };
    let group = first.make_group(ClusterId(8), LIMITS).unwrap().unwrap();
    output(run_in(
        &group,
        "setsid sleep 600 > /dev/null & echo started",
    ));
    assert!(!group.is_empty());
    // As if the server was killed: no part of it runs, not even its exit handler.
    std::mem::forget(first);
    // Another process would have another name; here the record alone has to lead to it.
    let second = CgroupHome::open(&CgroupChoice::Off, temp.path());
    assert!(group.is_empty() && group.entrances().iter().all(|file| !file.exists()));
    drop(second);
}

#[test]
fn an_end_leaves_no_group_and_off_makes_none() {
    let temp = tempfile::tempdir().unwrap();
    let Some(home) = home(temp.path()) else {
        return;
    };
    let group = home.make_group(ClusterId(9), LIMITS).unwrap().unwrap();
    output(run_in(
        &group,
        "setsid sleep 600 > /dev/null & echo started",
    ));
    let dirs: Vec<_> = group.entrances();
    assert!(
        !home.kill_cluster(ClusterId(99)) || dirs.iter().all(|file| file.exists()),
        "another cluster's group"
    );
    drop(home);
    for file in dirs {
        assert!(!file.parent().unwrap().exists(), "{}", file.display());
    }
    let off = CgroupHome::open(&CgroupChoice::Off, temp.path());
    assert!(off.make_group(ClusterId(9), LIMITS).unwrap().is_none());
    assert_eq!(
        off.enforcer(Controller::Memory),
        Err("engine.cgroup is \"off\"")
    );
}

#[test]
fn two_servers_never_share_a_group() {
    let one = tempfile::tempdir().unwrap();
    let two = tempfile::tempdir().unwrap();
    let (Some(first), Some(second)) = (home(one.path()), home(two.path())) else {
        return;
    };
    let group = second.make_group(ClusterId(1), LIMITS).unwrap().unwrap();
    let mut child = stay_in(&group);
    drop(first);
    assert!(group.entrances().iter().all(|file| file.exists()));
    assert_eq!(
        child.try_wait().unwrap(),
        None,
        "the end of one server hit the engine of another"
    );
    assert!(group.kill());
    child.wait().unwrap();
}

#[test]
fn a_probe_claims_what_a_server_gets_and_leaves_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let probe = CgroupHome::probe(&CgroupChoice::Auto);
    let server = CgroupHome::open(&CgroupChoice::Auto, temp.path());
    for controller in [
        Controller::Memory,
        Controller::Cpu,
        Controller::Pids,
        Controller::Kill,
    ] {
        assert_eq!(
            probe.enforcer(controller).ok(),
            server.enforcer(controller).ok(),
            "{controller:?}"
        );
    }
    let places: Vec<Parent> = probe.parents().to_vec();
    drop(probe);
    for place in places {
        let prefix = place.prefix.trim_end_matches('-').to_owned();
        let left = std::fs::read_dir(&place.base).unwrap().flatten();
        let left: Vec<_> = left
            .filter(|e| e.file_name().to_string_lossy().starts_with(&prefix))
            .collect();
        assert!(left.is_empty(), "{left:?}");
    }
    let v1 = server.enforcer(Controller::Memory) == Ok(Version::V1);
    assert!(!v1 || Path::new("/sys/fs/cgroup/memory").exists());
}

#[test]
fn a_group_named_by_the_operator_is_used() {
    let temp = tempfile::tempdir().unwrap();
    if home(temp.path()).is_none() {
        return;
    }
    let name = format!("/tidegate-test-{}", std::process::id());
    let home = CgroupHome::open(&CgroupChoice::parse(&name).unwrap(), temp.path());
    let group = home.make_group(ClusterId(1), LIMITS).unwrap().unwrap();
    let bases: Vec<_> = group
        .entrances()
        .iter()
        .filter_map(|file| Some(file.ancestors().nth(2)?.to_owned()))
        .collect();
    assert!(
        !bases.is_empty()
            && bases
                .iter()
                .all(|base| base.to_str().unwrap().ends_with(&name)),
        "{bases:?}"
    );
    drop(home);
    bases
        .iter()
        .for_each(|base| assert!(files::remove_group(base), "{}", base.display()));
}
