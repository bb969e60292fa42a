//! Registry of sessions: ids, limits, lists, kills and the map of session ids.

use super::*;
use crate::id::RunEpoch;

const RUN: RunEpoch = RunEpoch(3);

fn engine_session(id: u64) -> EngineSession {
    EngineSession::of_single(RUN, id)
}

#[test]
fn case_83_ids_are_mapped_within_cluster_and_user_only() {
    let sessions = Sessions::default();
    let client = "127.0.0.1:1".parse().unwrap();
    let a = sessions.open(client);
    let b = sessions.open(client);
    a.admit(ClusterId(1), "root", "TLS 1.3", 10).unwrap();
    b.admit(ClusterId(2), "root", "TLS 1.3", 10).unwrap();
    a.attached(engine_session(5));
    b.attached(engine_session(5));
    let from = engine_session(9);
    for (cluster, user, target) in [(1, "root", Some(5)), (2, "root", None), (1, "app", None)] {
        let cluster = ClusterId(cluster);
        assert_eq!(sessions.kill_target(a.id(), cluster, user, from), target);
    }
}

#[test]
fn case_72_an_id_of_another_run_or_node_is_not_mapped() {
    let sessions = Sessions::default();
    let client = "127.0.0.1:1".parse().unwrap();
    let target = sessions.open(client);
    target.admit(ClusterId(1), "root", "TLS 1.3", 10).unwrap();
    let same = engine_session(9);
    let next_run = EngineSession::of_single(RunEpoch(4), 9);
    let next_node = EngineSession { node: 1, ..same };
    let id = target.id();
    // It has no engine yet.
    assert_eq!(sessions.kill_target(id, ClusterId(1), "root", same), None);
    target.attached(engine_session(u64::MAX));
    for (from, found) in [(same, Some(u64::MAX)), (next_run, None), (next_node, None)] {
        assert_eq!(
            sessions.kill_target(id, ClusterId(1), "root", from),
            found,
            "{from:?}"
        );
    }
}

#[test]
fn a_kill_is_noted_for_the_session_of_the_same_cluster_user_and_engine_only() {
    let sessions = Sessions::default();
    let client = "127.0.0.1:1".parse().unwrap();
    let target = sessions.open(client);
    target.admit(ClusterId(1), "root", "TLS 1.3", 10).unwrap();
    target.attached(engine_session(5));
    let next_run = EngineSession::of_single(RunEpoch(4), 5);
    for (cluster, user, engine) in [
        (2, "root", engine_session(5)),
        (1, "app", engine_session(5)),
        (1, "root", engine_session(6)),
        (1, "root", next_run),
    ] {
        sessions.note_kill(ClusterId(cluster), user, engine);
        assert!(!target.is_killed_in_sql(), "{cluster} {user} {engine:?}");
    }
    sessions.note_kill(ClusterId(1), "root", engine_session(5));
    assert!(target.is_killed_in_sql());
}

#[test]
fn places_are_counted_and_given_back() {
    let sessions = Sessions::default();
    let client = "127.0.0.1:1".parse().unwrap();
    let a = sessions.open(client);
    let b = sessions.open(client);
    a.admit(ClusterId(1), "u", "", 1).unwrap();
    assert_eq!(b.admit(ClusterId(1), "u", "", 1), Err(SessionLimitReached));
    drop(a);
    b.admit(ClusterId(1), "u", "", 1).unwrap();
    assert_eq!(sessions.count(ClusterId(1)), 1);
    drop(b);
    assert_eq!(sessions.count(ClusterId(1)), 0);
    assert!(sessions.list(None).is_empty());
    assert!(
        sessions.lock().per_cluster.is_empty(),
        "nothing is kept of clusters without sessions"
    );
}

#[test]
fn case_50_a_session_moves_to_the_cluster_of_its_new_user() {
    let sessions = Sessions::default();
    let moved = logged_in(&sessions, 1, 1);
    moved.attached(engine_session(5));
    // Another user of the same cluster: its engine's session goes on.
    moved.admit(ClusterId(1), "other", "", 1).unwrap();
    let from = engine_session(9);
    for (user, target) in [("u", None), ("other", Some(5))] {
        let found = sessions.kill_target(moved.id(), ClusterId(1), user, from);
        assert_eq!(found, target, "{user}");
    }
    let resident = logged_in(&sessions, 2, 1);
    let full = moved.admit(ClusterId(2), "u", "", 1);
    assert_eq!(full, Err(SessionLimitReached));
    assert_eq!(sessions.count(ClusterId(1)), 1, "it stays where it is");
    drop(resident);
    moved.admit(ClusterId(2), "u", "", 1).unwrap();
    assert_eq!(sessions.count(ClusterId(1)), 0);
    let list = sessions.list(Some(ClusterId(2)));
    assert_eq!(
        (list.len(), list[0].id, list[0].engine),
        (1, moved.id(), None)
    );
    sessions.note_kill(ClusterId(1), "other", engine_session(5));
    sessions.note_kill(ClusterId(2), "u", engine_session(5));
    assert!(!moved.is_killed_in_sql(), "the id is another session's now");
    drop(moved);
    assert!(sessions.list(None).is_empty() && sessions.lock().per_cluster.is_empty());
}

#[test]
fn a_list_of_one_cluster_has_its_own_sessions_only() {
    let sessions = Sessions::default();
    let client = "127.0.0.1:1".parse().unwrap();
    let mut guards = Vec::new();
    for n in 0..100u64 {
        let guard = sessions.open(client);
        guard.admit(ClusterId(n % 4), "u", "TLS 1.3", 100).unwrap();
        guards.push(guard);
    }
    let unproven = sessions.open(client);
    let own = sessions.list(Some(ClusterId(3)));
    assert_eq!(own.len(), 25);
    assert!(own.iter().all(|s| s.cluster == ClusterId(3)) && own.is_sorted_by_key(|s| s.id));
    assert_eq!(
        sessions.list(None).len(),
        100,
        "and none that has not logged in"
    );
    assert!(sessions.list(Some(ClusterId(9))).is_empty());
    drop((guards, unproven));
}

#[test]
fn a_list_is_read_page_by_page() {
    let sessions = Sessions::default();
    let guards: Vec<_> = (0..50).map(|n| logged_in(&sessions, n % 2, 100)).collect();
    let unproven = sessions.open("127.0.0.1:1".parse().unwrap());
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = sessions.page(Some(ClusterId(1)), after, 7);
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        seen.extend(page.into_iter().map(|session| session.id));
    }
    // The counter of the ids may start again in between.
    let mut own: Vec<_> = guards
        .iter()
        .skip(1)
        .step_by(2)
        .map(SessionGuard::id)
        .collect();
    own.sort();
    assert_eq!(seen, own);
    assert_eq!(sessions.page(None, None, 99).len(), 50);
    assert_eq!(sessions.logged_in(), 50);
    drop((guards, unproven));
    assert_eq!(sessions.logged_in(), 0, "nothing is kept of ended sessions");
}

fn logged_in(sessions: &Sessions, cluster: u64, max: u32) -> SessionGuard {
    let guard = sessions.open("127.0.0.1:1".parse().unwrap());
    guard.admit(ClusterId(cluster), "u", "", max).unwrap();
    guard
}

/// Lists, counts and kills of one cluster with the maximum number of sessions, as fast as three
/// threads can.
#[test]
fn a_registry_full_of_one_clusters_sessions_delays_no_session_of_another() {
    const SESSIONS: u32 = 10_000;
    const LOGINS: usize = 20;
    // Half of the sessions: the system may give the processor to another thread in the middle of a
    // few, on a busy machine.
    const LATEST: Duration = Duration::from_millis(50);
    let sessions = Sessions::default();
    let busy: Vec<_> = (0..SESSIONS)
        .map(|_| logged_in(&sessions, 1, SESSIONS))
        .collect();
    let done = std::sync::atomic::AtomicBool::new(false);
    let lists = std::sync::atomic::AtomicU32::new(0);
    let took = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                lists.fetch_add(1, Ordering::Relaxed);
                drop(sessions.list(Some(ClusterId(1))));
            }
        });
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                sessions.count(ClusterId(1));
            }
        });
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                sessions.kill(busy[0].id());
            }
        });
        let mut took = Vec::new();
        for _ in 0..LOGINS {
            // Each session meets a list that has just begun.
            let seen = lists.load(Ordering::Relaxed);
            while lists.load(Ordering::Relaxed) == seen {
                std::thread::yield_now();
            }
            let began = Instant::now();
            drop(logged_in(&sessions, 2, SESSIONS));
            took.push(began.elapsed());
        }
        done.store(true, Ordering::Relaxed);
        took.sort();
        took
    });
    assert!(took[LOGINS / 2] < LATEST, "they took {took:?}");
}
