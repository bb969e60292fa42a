//! Refused logins tell a stranger nothing about which prefixes exist, whatever the state of their
//! clusters.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

#[path = "names/alike.rs"]
mod alike;
#[path = "names/watch.rs"]
mod watch;

use alike::{alike, summary};
use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;
use tidegate_e2e::balancer::{behind_a_balancer, login_from};
use tidegate_e2e::limits::{SOON, soon};
use tidegate_e2e::probe::Verdict;
use tidegate_e2e::session::{Session, almighty};
use tidegate_e2e::wire::{self, Refused};
use tidegate_e2e::{Cluster, Server, processes};
use watch::{LONG, Seen, TICK, TRIES, codes, fresh_source, unknown_names, watch};

const DENIED: u16 = 1045;
const NOT_JUDGED: u16 = 1040;
/// Number of unknown names.
const UNKNOWN: usize = 60;

/// Returns the folder of the engine of the first cluster, the second, and so on. The names of the
/// folders are random.
fn folder(server: &Server, number: usize) -> PathBuf {
    let entries = std::fs::read_dir(server.data().join("engines")).expect("clusters");
    let mut folders: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    folders.sort_by_key(|folder| {
        let facts = std::fs::metadata(folder).expect("a folder");
        facts.created().expect("a file system that records it")
    });
    folders.remove(number - 1)
}

/// Locks a file that the engine in this folder locks before it recovers. It waits for that for 30 s
/// (Aria's control file), and is found and stopped meanwhile, however busy the machine is.
fn delay_recovery(folder: &Path) -> std::fs::File {
    let path = folder.join("data/aria_log_control");
    let file = std::fs::File::options().read(true).write(true).open(path);
    let file = file.expect("a cluster has one");
    fcntl_lock(&file, FlockOperation::LockExclusive).expect("no engine runs");
    file
}

/// Kills the server with kill -9 and starts it again; the recoveries of these clusters are stopped
/// before they begin. Returns their engines.
fn restart_with_stuck_recoveries(server: &mut Server, stuck: &[usize]) -> Vec<u32> {
    let folders: Vec<PathBuf> = stuck.iter().map(|number| folder(server, *number)).collect();
    server.kill9();
    soon("engines end with their server", || {
        server.engines().is_empty().then_some(())
    });
    let locks: Vec<_> = folders
        .iter()
        .map(|folder| delay_recovery(folder))
        .collect();
    let stopper = std::thread::spawn(move || {
        let mut stopped = vec![None; folders.len()];
        let began = Instant::now();
        while stopped.contains(&None) {
            assert!(began.elapsed() < SOON, "recoveries that began: {stopped:?}");
            for (engine, folder) in stopped
                .iter_mut()
                .zip(&folders)
                .filter(|(engine, _)| engine.is_none())
            {
                *engine = processes::engines_of(folder).first().copied();
                engine.inspect(|pid| processes::kill(*pid, Signal::STOP));
            }
        }
        stopped.into_iter().flatten().collect()
    });
    server.run();
    let stopped = stopper.join().expect("the stopper");
    drop(locks);
    stopped
}

fn restart_with_stuck_recovery(server: &mut Server, (stuck, number): (&Cluster, usize)) -> u32 {
    let pids = restart_with_stuck_recoveries(server, &[number]);
    assert_eq!(
        server.state(&stuck.name),
        "waking",
        "it was stopped before it had recovered"
    );
    pids[0]
}

#[test]
fn a_stuck_recovery_makes_its_own_cluster_wait_and_no_other() {
    let mut server = behind_a_balancer("");
    let clean = server.create("clean");
    let stuck = server.create("stuck");
    server.sleep("clean");
    let names = unknown_names(24);
    let mut waiting = Vec::new();
    for _ in 0..2 {
        let source = fresh_source();
        soon("a session", || {
            (login_from(&server, &source, &stuck, &stuck.user, &stuck.password) == Verdict::In)
                .then_some(())
        });
        let pid = restart_with_stuck_recovery(&mut server, (&stuck, 2));
        assert_eq!(
            login_from(&server, &source, &clean, &clean.user, &clean.password),
            Verdict::In
        );
        assert_eq!(watch(&server, &clean, &clean.user).code, DENIED);
        for password in ["not it", &stuck.password] {
            let refused = login_from(&server, &source, &stuck, &stuck.user, password).refused();
            assert_eq!(refused.code, NOT_JUDGED, "{refused:?}");
        }
        let seen = codes(&server, &clean, &names);
        assert!(
            seen.contains(&DENIED) && seen.contains(&NOT_JUDGED),
            "unknown names are of both kinds: {seen:?}"
        );
        assert_eq!(
            codes(&server, &clean, &names),
            seen,
            "each stays of its kind while that lasts"
        );
        waiting.push(seen);
        assert_eq!(
            server.state("stuck"),
            "waking",
            "nobody above has waited for it"
        );
        processes::kill(pid, Signal::CONT);
        soon("the recovery's end", || {
            (watch(&server, &stuck, &stuck.user).code == DENIED).then_some(())
        });
        assert_eq!(codes(&server, &clean, &names), vec![DENIED; names.len()]);
        assert_eq!(
            login_from(&server, &source, &stuck, &stuck.user, &stuck.password),
            Verdict::In
        );
    }
    assert_eq!(waiting[0], waiting[1], "and after a restart");
}

#[test]
fn stuck_recoveries_take_nobody_elses_turn() {
    let mut server = behind_a_balancer("");
    // More clusters than recover at the same time.
    let stuck: Vec<Cluster> = (0..6)
        .map(|n| server.create(&format!("stuck-{n}")))
        .collect();
    let last = server.create("last");
    let clean = server.create("clean");
    server.sleep("clean");
    for cluster in stuck.iter().chain([&last]) {
        assert_eq!(
            login_from(
                &server,
                &fresh_source(),
                cluster,
                &cluster.user,
                &cluster.password
            ),
            Verdict::In
        );
    }
    let pids = restart_with_stuck_recoveries(&mut server, &[1, 2, 3, 4, 5, 6]);
    for cluster in [&clean, &last] {
        soon("a login", || {
            let verdict = login_from(
                &server,
                &fresh_source(),
                cluster,
                &cluster.user,
                &cluster.password,
            );
            (verdict == Verdict::In).then_some(())
        });
    }
    for cluster in &stuck {
        assert_eq!(
            server.state(&cluster.name),
            "waking",
            "nobody above has waited for it"
        );
    }
    pids.iter()
        .for_each(|pid| processes::kill(*pid, Signal::CONT));
    for cluster in &stuck {
        soon("its recovery", || {
            (server.state(&cluster.name) != "waking").then_some(())
        });
    }
}

/// Makes its engine unable to start.
fn spoil(server: &Server, cluster: &Cluster, number: usize) {
    server.sleep(&cluster.name);
    let mut folders = vec![folder(server, number)];
    let mut spoiled = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else if entry.file_name() == "ibdata1" {
                std::fs::write(entry.path(), [0xa5; 65_536]).unwrap();
                spoiled += 1;
            }
        }
    }
    assert_eq!(spoiled, 1);
    let failed = Session::login(cluster, &cluster.user, &cluster.password, wire::ORDINARY)
        .err()
        .expect("no engine");
    assert!([1105, 1040].contains(&failed.code), "{failed:?}");
    server.wait_state(&cluster.name, "failed");
}

/// Returns the refusal of a wrong password from one source.
fn wrong_password(server: &Server, cluster: &Cluster, user: &str) -> Refused {
    login_from(server, "203.0.113.9", cluster, user, "not it").refused()
}

#[test]
fn a_failed_cluster_denies_as_an_unknown_prefix_does_and_tells_only_its_owner() {
    let server = behind_a_balancer("");
    let failed = server.create("failed");
    let asleep = server.create("asleep");
    spoil(&server, &failed, 1);
    let unknown = wrong_password(&server, &failed, "zzzzzzzzzzzz.root");
    assert_eq!(unknown.code, DENIED);
    for user in [&*failed.user, &failed.login("nobody")] {
        assert_eq!(wrong_password(&server, &failed, user), unknown, "{user}");
    }
    let owner = login_from(
        &server,
        "198.51.100.7",
        &failed,
        &failed.user,
        &failed.password,
    )
    .refused();
    assert_eq!(owner.code, 1105, "{owner:?}");
    // Seventy failures at the same time from one source are all counted; then a guess from another
    // source is delayed as well.
    std::thread::scope(|scope| {
        for _ in 0..70 {
            scope.spawn(|| wrong_password(&server, &failed, &failed.user));
        }
    });
    let began = Instant::now();
    assert_eq!(wrong_password(&server, &asleep, &asleep.user), unknown);
    // A lower limit only, so that a slow machine can't fail it.
    assert!(
        began.elapsed() >= TICK * 20,
        "the guess was answered after {:?}",
        began.elapsed()
    );
}

#[test]
fn no_kind_of_name_can_be_told_from_unknown_ones() {
    let mut server = behind_a_balancer("");
    let [asleep, awake, failed, slow, stuck] =
        ["asleep", "awake", "failed", "slow", "stuck"].map(|name| server.create(name));
    spoil(&server, &failed, 3);
    for name in ["asleep", "awake", "slow"] {
        server.sleep(name);
    }
    Session::open(&stuck).run("CREATE TABLE t (n INT)");
    let pid = restart_with_stuck_recovery(&mut server, (&stuck, 5));
    soon("the failed one's turn", || {
        (server.state("failed") == "failed").then_some(())
    });
    let _held = Session::open(&awake);
    // The tenant prevents readings of its accounts.
    let mut locks = almighty(&slow);
    locks.run("LOCK TABLES mysql.global_priv WRITE");

    let kinds = [&asleep, &awake, &failed, &slow, &stuck];
    let real: Vec<String> = kinds
        .iter()
        .flat_map(|c| [c.user.clone(), c.login("nobody")])
        .collect();
    let names = [real.clone(), unknown_names(UNKNOWN)].concat();
    let server_ref = &server;
    let cluster = &asleep;
    let seen: BTreeMap<String, Vec<Seen>> = std::thread::scope(|scope| {
        let watchers: Vec<_> = names
            .iter()
            .map(|name| {
                scope.spawn(move || {
                    let first = watch(server_ref, cluster, name);
                    // Logins that wait for a recovery run at the same time: twenty in a row would
                    // take minutes.
                    let rest: Vec<Seen> = if first.ticks > LONG {
                        std::thread::scope(|inner| {
                            let all: Vec<_> = (1..TRIES)
                                .map(|_| inner.spawn(|| watch(server_ref, cluster, name)))
                                .collect();
                            all.into_iter()
                                .map(|one| one.join().expect("a watcher"))
                                .collect()
                        })
                    } else {
                        (1..TRIES)
                            .map(|_| watch(server_ref, cluster, name))
                            .collect()
                    };
                    (name.clone(), [vec![first], rest].concat())
                })
            })
            .collect();
        watchers
            .into_iter()
            .map(|watcher| watcher.join().expect("a watcher"))
            .collect()
    });
    assert_eq!(server.state("stuck"), "waking");
    processes::kill(pid, Signal::CONT);

    let unknown: Vec<&Vec<Seen>> = names[real.len()..].iter().map(|name| &seen[name]).collect();
    for (name, kind) in real
        .iter()
        .zip(kinds.iter().flat_map(|c| [&c.name, &c.name]))
    {
        let twins = unknown
            .iter()
            .filter(|other| alike(&seen[name], other))
            .count();
        println!(
            "{kind} {}: {} like {twins} of {UNKNOWN}",
            name.rsplit('.').next().unwrap(),
            summary(&seen[name])
        );
        assert!(twins > 0, "{name} ({kind}) is like no unknown name");
    }
    // Each unknown name is like a real one: otherwise a stranger would know that it does not exist.
    for other in &unknown {
        assert!(
            real.iter().any(|name| alike(&seen[name], other)),
            "like no real name: {}",
            summary(other)
        );
    }
    // The names above must be of several kinds, or the test compares nothing.
    assert!(
        seen[&slow.user]
            .iter()
            .filter(|one| one.code == NOT_JUDGED)
            .count()
            > TRIES / 2,
        "{:?}",
        seen[&slow.user]
    );
    assert!(seen[&stuck.user].iter().all(|one| one.code == NOT_JUDGED));
    for cluster in [&asleep, &awake, &failed] {
        assert!(
            seen[&cluster.user]
                .iter()
                .filter(|one| one.code == DENIED)
                .count()
                > TRIES / 2,
            "{}",
            cluster.name
        );
    }
    locks.run("UNLOCK TABLES");
}
