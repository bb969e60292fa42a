//! Tests of the local CA and its leaf over time. The clock is the test's own, so nothing waits.

use super::*;
use crate::StateFolder;

#[test]
fn a_clock_that_runs_behind_costs_nobody_the_ca() {
    let folder = tempfile::tempdir().unwrap();
    open(TlsSettings::new(folder.path()));
    let ca = std::fs::read(folder.path().join("ca.pem")).unwrap();
    let behind = || OffsetDateTime::now_utc() - Duration::days(400);
    Identity::open_at(TlsSettings::new(folder.path()), |_| {}, behind).unwrap();
    assert_eq!(std::fs::read(folder.path().join("ca.pem")).unwrap(), ca);
}

fn ca_file(folder: &Path) -> Vec<u8> {
    std::fs::read(folder.join("ca.pem")).unwrap()
}

/// Opens the identity with a clock that is this many days ahead. Returns its events and the serial
/// number of the leaf that it serves.
fn open_later(folder: &Path, days: i64) -> (Vec<TlsEvent>, String) {
    let events = Arc::new(Mutex::new(Vec::new()));
    let sink = events.clone();
    let later = move || OffsetDateTime::now_utc() + Duration::days(days);
    let tell = move |event| sink.lock().unwrap().push(event);
    let identity = Identity::open_at(TlsSettings::new(folder), tell, later).unwrap();
    let status = identity.status().unwrap();
    assert_eq!(status.alarms, [], "what is served is valid then");
    let events = events.lock().unwrap().clone();
    (events, status.served.serial)
}

#[test]
fn a_ca_and_a_leaf_that_ended_while_the_server_was_off_are_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    open(TlsSettings::new(folder.path()));
    let first = ca_file(folder.path());
    let (events, leaf) = open_later(folder.path(), crate::limits::LEAF_DAYS + 10);
    assert_eq!(
        (events, ca_file(folder.path())),
        (vec![], first.clone()),
        "the CA lives on"
    );
    let (events, next) = open_later(folder.path(), crate::limits::CA_DAYS + 10);
    assert!(
        matches!(events[..], [TlsEvent::CaRemade { .. }]),
        "{events:?}"
    );
    assert_ne!((ca_file(folder.path()), leaf), (first, next));
}

#[test]
fn a_local_leaf_is_renewed_at_two_thirds_while_sessions_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let bench = open(TlsSettings::new(folder.path()));
    let ca = folder.path().join("ca.pem");
    let client = || client_config(Roots::file(&ca)).unwrap();
    let mut session = shake(client(), bench.identity.server_config(), "localhost").unwrap();
    let first = bench.served();
    bench.take_events();

    bench.days.store(LEAF_DAYS * 2 / 3 - 1, Ordering::SeqCst);
    bench.identity.poll_source();
    assert_eq!(bench.served(), first);
    bench.days.store(LEAF_DAYS * 2 / 3 + 1, Ordering::SeqCst);
    bench.identity.poll_source();
    assert_ne!(bench.served(), first);
    assert!(matches!(
        bench.take_events()[..],
        [TlsEvent::Swapped { .. }]
    ));
    assert!(
        bench.identity.not_after() > OffsetDateTime::now_utc() + Duration::days(LEAF_DAYS + 50)
    );

    // The open session still works.
    std::io::Write::write_all(&mut session.client.writer(), b"still here").unwrap();
    let mut wire = Vec::new();
    session.client.write_tls(&mut wire).unwrap();
    session.server.read_tls(&mut wire.as_slice()).unwrap();
    assert_eq!(
        session
            .server
            .process_new_packets()
            .unwrap()
            .plaintext_bytes_to_read(),
        10
    );
}

/// Two processes on one folder, with their clocks together.
#[test]
fn a_leaf_that_one_process_renews_is_served_by_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = TlsSettings::new(folder.path());
    let values = StateFolder::of_files(folder.path());
    settings.master = Some(MasterKey::open(folder.path(), values).unwrap());
    let one = open(settings.clone());
    let two = open(settings);
    assert_eq!(one.served(), two.served());
    let days = LEAF_DAYS * 2 / 3 + 1;
    for bench in [&one, &two] {
        bench.days.store(days, Ordering::SeqCst);
    }
    let first = one.served();
    one.identity.poll_source();
    assert_ne!(one.served(), first);
    assert_eq!(two.served(), first, "until it looks");
    two.identity.poll_source();
    assert_eq!(one.served(), two.served(), "not a third one");
    one.identity.renew_ca().unwrap();
    two.identity.poll_source();
    assert_eq!(one.served(), two.served(), "and the leaf of a new CA");
    for _ in 0..3 {
        one.identity.poll_source();
        two.identity.poll_source();
    }
    assert_eq!(one.served(), two.served(), "neither changes it again");
}

#[test]
fn of_many_makers_of_a_local_ca_one_wins() {
    let folder = tempfile::tempdir().unwrap();
    MasterKey::open(folder.path(), StateFolder::of_files(folder.path())).unwrap();
    let start = std::sync::Barrier::new(4);
    let all: Vec<Bench> = std::thread::scope(|scope| {
        let opening = [(); 4].map(|()| {
            scope.spawn(|| {
                start.wait();
                open(TlsSettings::new(folder.path()))
            })
        });
        opening.map(|one| one.join().unwrap()).into()
    });
    for bench in &all {
        bench.identity.poll_source();
    }
    let client = client_config(Roots::file(folder.path().join("ca.pem"))).unwrap();
    for bench in &all {
        assert_eq!(bench.served(), all[0].served());
        shake(client.clone(), bench.identity.server_config(), "localhost").unwrap();
    }
    let former = folder.path().join("tls/former");
    assert!(!former.exists(), "no client has to forget one");
}
