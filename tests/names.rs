//! Refused logins tell a stranger nothing about which prefixes exist, whatever the state of their
//! clusters.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use rustix::process::Signal;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tidegate_e2e::balancer::{behind_a_balancer, from_the_balancer};
use tidegate_e2e::limits::soon;
use tidegate_e2e::probe::{Probe, Verdict};
use tidegate_e2e::session::{Session, almighty};
use tidegate_e2e::wire::{self, Refused, Response};
use tidegate_e2e::{Cluster, Server, processes, tls};

const DENIED: u16 = 1045;
const NOT_JUDGED: u16 = 1040;
/// Interval of the moments at which refusals are sent.
const TICK: Duration = Duration::from_millis(200);
/// Refusals later than this have waited for a recovery.
const LONG: u32 = 25;
/// Logins with each name, and number of unknown names.
const TRIES: usize = 20;
const UNKNOWN: usize = 60;

/// Everything that a stranger observes of a refused login.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Seen {
    code: u16,
    message: String,
    packets: u32,
    /// Time from the credential to the refusal.
    ticks: u32,
}

/// Returns another network for each login, so that none is delayed by earlier failures.
fn fresh_source() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{}.{}.{}.9", 11 + n / 65_536, n / 256 % 256, n % 256)
}

fn connected(server: &Server, source: &str, cluster: &Cluster) -> Probe {
    let mut tcp = from_the_balancer(server);
    tcp.write_all(format!("PROXY TCP4 {source} 127.0.0.1 4711 4000\r\n").as_bytes())
        .expect("written");
    let mut probe = Probe::over(tcp);
    probe.write(1, &wire::ssl_request(wire::ORDINARY));
    probe
        .upgrade(tls::verified(&cluster.ca, tls::BOTH), "127.0.0.1")
        .expect("the TLS handshake");
    probe
}

fn login_from(
    server: &Server,
    source: &str,
    cluster: &Cluster,
    user: &str,
    password: &str,
) -> Verdict {
    connected(server, source, cluster).login(&Response::new(user), password)
}

/// Logs in with a wrong password and records what a stranger observes.
fn watch(server: &Server, cluster: &Cluster, user: &str) -> Seen {
    let began = Instant::now();
    let mut probe = connected(server, &fresh_source(), cluster);
    probe.write(2, &Response::new(user).bytes());
    let mut packets = 0;
    let mut came = Instant::now();
    loop {
        let packet = probe.expect();
        packets += 1;
        match packet.as_slice() {
            [0x01, 0x04] => {
                probe.answer(b"not it\0");
                came = Instant::now();
            }
            [0xff, ..] => {
                let Refused { code, message, .. } =
                    Refused::parse(&packet).expect("an error packet");
                let ticks =
                    u32::try_from(came.elapsed().as_millis() / TICK.as_millis()).expect("soon");
                // The wait for a recovery starts at accept, so it includes the handshake.
                let whole =
                    u32::try_from(began.elapsed().as_millis() / TICK.as_millis()).expect("soon");
                let ticks = if ticks > LONG {
                    (whole + 5) / 10 * 10
                } else {
                    ticks
                };
                return Seen {
                    code,
                    message,
                    packets,
                    ticks,
                };
            }
            other => panic!("what is this packet? {other:?}"),
        }
    }
}

fn unknown_names(n: usize) -> Vec<String> {
    const LETTERS: &[u8] = b"abcdefghjkmnpqrstuvwxyz";
    (0..n)
        .map(|i| {
            let first = char::from(LETTERS[i / LETTERS.len() % LETTERS.len()]);
            let second = char::from(LETTERS[i % LETTERS.len()]);
            format!("zz{first}{second}zzzzzzzz.root")
        })
        .collect()
}

/// Returns the code of one refused login per name, all at the same time.
fn codes(server: &Server, cluster: &Cluster, names: &[String]) -> Vec<u16> {
    std::thread::scope(|scope| {
        let seen: Vec<_> = names
            .iter()
            .map(|name| scope.spawn(|| watch(server, cluster, name).code))
            .collect();
        seen.into_iter()
            .map(|thread| thread.join().expect("a watcher"))
            .collect()
    })
}

/// Returns the folder of a cluster's engine. Folders are numbered in the order of creation.
fn folder(server: &Server, number: u32) -> PathBuf {
    server.data().join("engines").join(number.to_string())
}

/// Kills the server with kill -9 and starts it again; the recoveries of these clusters are frozen
/// as they appear. Returns their engines.
fn restart_with_stuck_recoveries(server: &mut Server, stuck: &[u32]) -> Vec<u32> {
    let folders: Vec<PathBuf> = stuck.iter().map(|number| folder(server, *number)).collect();
    server.kill9();
    soon("engines end with their server", || {
        server.engines().is_empty().then_some(())
    });
    let stopper = std::thread::spawn(move || {
        let mut stopped = vec![None; folders.len()];
        let began = Instant::now();
        while stopped.contains(&None) {
            assert!(
                began.elapsed() < Duration::from_secs(60),
                "recoveries that began: {stopped:?}"
            );
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
    stopper.join().expect("the stopper")
}

fn restart_with_stuck_recovery(server: &mut Server, (stuck, number): (&Cluster, u32)) -> u32 {
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
fn spoil(server: &Server, cluster: &Cluster, number: u32) {
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

/// Refusal of a wrong password from one source.
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

/// Share of refusals that came within so many ticks.
fn share_up_to(all: &[Seen], ticks: u32) -> f64 {
    all.iter().filter(|seen| seen.ticks <= ticks).count() as f64 / all.len() as f64
}

/// Returns the largest difference between the cumulative shares of two lists of ticks
/// (Kolmogorov-Smirnov).
fn difference(a: &[Seen], b: &[Seen]) -> f64 {
    let most = a.iter().chain(b).map(|seen| seen.ticks).max().unwrap_or(0);
    (0..=most)
        .map(|ticks| (share_up_to(a, ticks) - share_up_to(b, ticks)).abs())
        .fold(0.0, f64::max)
}

/// Counts each answer, without its time.
fn answers(seen: &[Seen]) -> BTreeMap<(u16, &str, u32), usize> {
    let mut counts = BTreeMap::new();
    for one in seen {
        *counts
            .entry((one.code, one.message.as_str(), one.packets))
            .or_default() += 1;
    }
    counts
}

/// Whether the others give each answer that is given here more than once.
fn are_given_by(
    some: &BTreeMap<(u16, &str, u32), usize>,
    others: &BTreeMap<(u16, &str, u32), usize>,
) -> bool {
    some.iter()
        .all(|(answer, times)| *times <= 1 || others.contains_key(answer))
}

/// Whether a stranger can tell the two apart: by an answer that only one of them gives more than
/// once in twenty logins, or by times that differ more than two series of the same name do by
/// chance (0.5: less than 1 in 100).
fn alike(a: &[Seen], b: &[Seen]) -> bool {
    let of_a = answers(a);
    let of_b = answers(b);
    are_given_by(&of_a, &of_b) && are_given_by(&of_b, &of_a) && difference(a, b) <= 0.5
}

fn refusal_seen(code: u16, ticks: u32) -> Seen {
    Seen {
        code,
        message: String::new(),
        packets: 2,
        ticks,
    }
}

#[test]
fn the_classifier_tells_apart_what_is_different() {
    let fast = vec![refusal_seen(DENIED, 1); TRIES];
    assert!(alike(
        &fast,
        &[&fast[1..], &[refusal_seen(DENIED, 2)]].concat()
    ));
    assert!(!alike(&fast, &vec![refusal_seen(DENIED, 2); TRIES]));
    assert!(!alike(&fast, &vec![refusal_seen(NOT_JUDGED, 1); TRIES]));
    let packets = vec![
        Seen {
            packets: 3,
            ..refusal_seen(DENIED, 1)
        };
        TRIES
    ];
    assert!(!alike(&fast, &packets));
}

fn summary(seen: &[Seen]) -> String {
    let ticks: Vec<u32> = seen.iter().map(|one| one.ticks).collect();
    format!(
        "{:?} ticks {ticks:?}",
        answers(seen)
            .into_iter()
            .map(|(a, n)| (a.0, a.2, n))
            .collect::<Vec<_>>()
    )
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
