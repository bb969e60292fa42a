//! Tests of the served certificate and its replacement. The clock is settable and each poll is
//! called by the test, so nothing waits.

use super::*;
use crate::limits::{LEAF_DAYS, SETTLED_READS};
use crate::profile::{Roots, client_config};
use crate::support::{TestCa, leaf_seen, shake, write_pair};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use time::Duration;

/// An identity with its events and a clock that can be moved forward.
struct Bench {
    identity: Identity,
    events: Arc<Mutex<Vec<TlsEvent>>>,
    days: Arc<AtomicI64>,
}

fn try_open(settings: TlsSettings) -> Result<Bench, TlsError> {
    let events = Arc::new(Mutex::new(Vec::new()));
    let days = Arc::new(AtomicI64::new(0));
    let sink = events.clone();
    let clock = days.clone();
    let identity = Identity::open_at(
        settings,
        move |event| sink.lock().unwrap().push(event),
        move || OffsetDateTime::now_utc() + Duration::days(clock.load(Ordering::SeqCst)),
    )?;
    Ok(Bench {
        identity,
        events,
        days,
    })
}

fn open(settings: TlsSettings) -> Bench {
    try_open(settings).unwrap()
}

impl Bench {
    /// Polls as often as a change needs to be judged.
    fn poll(&self) {
        for _ in 0..SETTLED_READS {
            self.identity.poll_source();
        }
    }

    fn served(&self) -> Vec<u8> {
        self.identity
            .inner
            .resolver
            .served
            .load()
            .chain
            .certified
            .cert[0]
            .to_vec()
    }

    fn take_events(&self) -> Vec<TlsEvent> {
        std::mem::take(&mut self.events.lock().unwrap())
    }
}

fn with_files(folder: &Path, ca: &TestCa, pair: &(String, String)) -> TlsSettings {
    let (certificate, key, ca) = write_pair(folder, ca, pair);
    TlsSettings {
        certificate: Some(certificate),
        key: Some(key),
        ca: Some(ca),
        ..TlsSettings::new(folder)
    }
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn is_rejection(events: &[TlsEvent]) -> bool {
    matches!(events, [TlsEvent::Rejected { .. }])
}

#[path = "identity_clock_tests.rs"]
mod by_the_clock;

#[path = "identity_crash_tests.rs"]
mod by_crash;

#[test]
fn a_first_start_makes_a_ca_that_a_second_start_keeps() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(TlsSettings::new(folder.path()));
    let ca = folder.path().join("ca.pem");
    assert_eq!(first.identity.trust(), Trust::Local(ca.clone()));
    assert_eq!(first.identity.ca_path(), Some(ca.clone()));
    assert_eq!(
        first.take_events(),
        [TlsEvent::CaCreated { ca: ca.clone() }]
    );
    assert_eq!(first.identity.names(), ["localhost", "127.0.0.1", "::1"]);
    let written = std::fs::read(&ca).unwrap();

    let second = open(TlsSettings::new(folder.path()));
    assert_eq!(std::fs::read(&ca).unwrap(), written);
    assert_eq!(second.served(), first.served(), "a fresh leaf is kept");
    assert_eq!(second.take_events(), []);
}

#[test]
fn keys_are_for_their_owner_only_and_the_root_key_is_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    open(TlsSettings::new(folder.path()));
    assert_eq!(mode(&folder.path().join("ca.pem")), 0o644);
    assert_eq!(mode(&folder.path().join("tls")), 0o700);
    let mut keys = 0;
    for entry in std::fs::read_dir(folder.path().join("tls")).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        // A sealed file contains no clear text.
        if path.extension().is_some_and(|end| end == "sealed") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        if path.extension().is_some_and(|end| end == "json") {
            assert!(!text.contains("PRIVATE"), "{text}");
            continue;
        }
        let key =
            rcgen::KeyPair::from_pem(&text[text.find("-----BEGIN PRIVATE").unwrap()..]).unwrap();
        let root = std::fs::read(folder.path().join("ca.pem")).unwrap();
        let (_, root) = x509_parser::pem::parse_x509_pem(&root).unwrap();
        let root = root.parse_x509().unwrap();
        assert_ne!(
            root.public_key().subject_public_key.data.as_ref(),
            key.public_key_raw()
        );
        keys += 1;
    }
    assert_eq!(keys, 2, "the issuing CA's and the leaf's");
}

#[test]
fn an_open_key_folder_is_closed_again() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("tls");
    std::fs::create_dir(&keys).unwrap();
    std::fs::set_permissions(&keys, std::fs::Permissions::from_mode(0o755)).unwrap();
    open(TlsSettings::new(folder.path()));
    assert_eq!(mode(&keys), 0o700);
}

#[test]
fn a_half_made_ca_is_made_anew_and_told_about() {
    let folder = tempfile::tempdir().unwrap();
    open(TlsSettings::new(folder.path()));
    let authority = folder.path().join("tls/authority.pem");
    let whole = std::fs::read(&authority).unwrap();
    let old_ca = std::fs::read(folder.path().join("ca.pem")).unwrap();
    // Cut off inside each of its three parts.
    for cut in [whole.len() / 6, whole.len() / 2, whole.len() - 40] {
        std::fs::write(&authority, &whole[..cut]).unwrap();
        let bench = open(TlsSettings::new(folder.path()));
        assert!(
            matches!(bench.take_events()[..], [TlsEvent::CaRemade { .. }]),
            "cut at {cut}"
        );
        assert_ne!(std::fs::read(folder.path().join("ca.pem")).unwrap(), old_ca);
        assert!(folder.path().join("tls/authority.unusable").exists());
        let client = client_config(Roots::file(folder.path().join("ca.pem"))).unwrap();
        assert!(shake(client, bench.identity.server_config(), "localhost").is_ok());
    }
}

#[test]
fn a_crash_between_the_key_and_ca_pem_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    open(TlsSettings::new(folder.path()));
    let ca = folder.path().join("ca.pem");
    let written = std::fs::read(&ca).unwrap();
    std::fs::remove_file(&ca).unwrap();
    std::fs::write(folder.path().join("tls/authority.new"), "left over").unwrap();
    let bench = open(TlsSettings::new(folder.path()));
    assert_eq!(
        bench.take_events(),
        [TlsEvent::CaRestored { ca: ca.clone() }]
    );
    assert_eq!(std::fs::read(&ca).unwrap(), written);
}

#[test]
fn names_given_later_are_added_or_left_out_with_the_hint() {
    let folder = tempfile::tempdir().unwrap();
    let at_first = TlsSettings {
        names: vec!["DB.example.com".to_owned()],
        ..TlsSettings::new(folder.path())
    };
    let bench = open(at_first);
    assert!(
        bench
            .identity
            .names()
            .contains(&"db.example.com".to_owned())
    );

    let names = [
        "later.test",
        "192.168.7.7",
        "other.example.com",
        "203.0.113.9",
        "db.example.com",
    ];
    let later = TlsSettings {
        names: names.map(str::to_owned).to_vec(),
        ..TlsSettings::new(folder.path())
    };
    let bench = open(later);
    assert_eq!(
        bench.identity.names(),
        [
            "localhost",
            "127.0.0.1",
            "::1",
            "later.test",
            "192.168.7.7",
            "db.example.com"
        ]
    );
    let events = bench.take_events();
    let left_out: Vec<_> = ["other.example.com", "203.0.113.9"]
        .map(|name| TlsEvent::NameLeftOut { name: name.into() })
        .into();
    assert_eq!(events, left_out);
    assert!(events[0].to_string().contains("tidegate trust renew"));
}

#[test]
fn a_name_that_is_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let settings = TlsSettings {
        names: vec!["https://db.test".to_owned()],
        ..TlsSettings::new(folder.path())
    };
    assert!(matches!(try_open(settings), Err(TlsError::BadName(_))));
}

#[test]
fn case_19_a_pair_that_is_no_better_never_replaces_a_good_one() {
    let folder = tempfile::tempdir().unwrap();
    let ca = TestCa::new("company");
    let good = ca.leaf(&["db.test"], -1, 30);
    let settings = with_files(folder.path(), &ca, &good);
    let certificate = settings.certificate.clone().unwrap();
    let key = settings.key.clone().unwrap();
    let bench = open(settings);
    let served = bench.served();
    let other = ca.leaf(&["db.test"], -1, 60);
    let stranger = TestCa::new("stranger").leaf(&["db.test"], -1, 60);
    let expired = ca.leaf(&["db.test"], -60, -1);
    let future = ca.leaf(&["db.test"], 1, 60);
    let half = (other.0[..other.0.len() / 2].to_owned(), other.1.clone());
    let half_key = (other.0.clone(), other.1[..other.1.len() / 2].to_owned());
    let mixed = (other.0.clone(), good.1.clone());
    let empty = (String::new(), String::new());
    let nameless = ca.leaf(&[], -1, 60);
    for (what, pair) in [
        ("mismatched", &mixed),
        ("half a certificate", &half),
        ("half a key", &half_key),
        ("empty", &empty),
        ("expired", &expired),
        ("not yet valid", &future),
        ("of a CA that clients do not have", &stranger),
        ("without names", &nameless),
    ] {
        std::fs::write(&certificate, &pair.0).unwrap();
        std::fs::write(&key, &pair.1).unwrap();
        bench.poll();
        assert_eq!(bench.served(), served, "{what}");
        assert!(is_rejection(&bench.take_events()), "{what}");
        bench.poll();
        assert_eq!(bench.take_events(), [], "said once: {what}");
    }
    std::fs::remove_file(&certificate).unwrap();
    bench.poll();
    assert!(is_rejection(&bench.take_events()));

    // A good pair is accepted after all that.
    std::fs::write(&certificate, &other.0).unwrap();
    std::fs::write(&key, &other.1).unwrap();
    bench.poll();
    assert_ne!(bench.served(), served);
    assert!(matches!(
        bench.take_events()[..],
        [TlsEvent::Swapped { .. }]
    ));
}

#[test]
fn a_pair_that_becomes_valid_is_taken_then() {
    let folder = tempfile::tempdir().unwrap();
    let ca = TestCa::new("company");
    let settings = with_files(folder.path(), &ca, &ca.leaf(&["db.test"], -1, 30));
    let bench = open(settings);
    let served = bench.served();
    write_pair(folder.path(), &ca, &ca.leaf(&["db.test"], 2, 60));
    bench.poll();
    assert_eq!(bench.served(), served);
    bench.days.store(3, Ordering::SeqCst);
    bench.identity.poll_source();
    assert_ne!(bench.served(), served);
}

#[test]
fn case_20_a_swapped_symlink_is_seen_by_new_handshakes_only() {
    // Kubernetes mounts a secret this way: the files are behind `..data`, a link that is replaced
    // by rename.
    let folder = tempfile::tempdir().unwrap();
    let ca = TestCa::new("company");
    let root = folder.path();
    for (name, days) in [("one", 30), ("two", 60)] {
        std::fs::create_dir(root.join(name)).unwrap();
        write_pair(&root.join(name), &ca, &ca.leaf(&["db.test"], -1, days));
    }
    symlink("one", root.join("..data")).unwrap();
    symlink("..data/cert.pem", root.join("cert.pem")).unwrap();
    symlink("..data/key.pem", root.join("key.pem")).unwrap();
    let settings = TlsSettings {
        certificate: Some(root.join("cert.pem")),
        key: Some(root.join("key.pem")),
        ca: Some(root.join("one/company-ca.pem")),
        ..TlsSettings::new(folder.path())
    };
    let bench = open(settings);
    let client = client_config(Roots::file(root.join("one/company-ca.pem"))).unwrap();
    let before = shake(client.clone(), bench.identity.server_config(), "db.test").unwrap();

    symlink("two", root.join("..data.new")).unwrap();
    std::fs::rename(root.join("..data.new"), root.join("..data")).unwrap();
    bench.poll();
    let after = shake(client, bench.identity.server_config(), "db.test").unwrap();
    assert_ne!(leaf_seen(&before), leaf_seen(&after));
    assert_eq!(
        bench.identity.trust(),
        Trust::Private(Some(root.join("one/company-ca.pem")))
    );
}

#[test]
fn a_change_is_judged_only_when_it_has_settled() {
    let folder = tempfile::tempdir().unwrap();
    let ca = TestCa::new("company");
    let bench = open(with_files(
        folder.path(),
        &ca,
        &ca.leaf(&["db.test"], -1, 30),
    ));
    let served = bench.served();
    let next = ca.leaf(&["db.test"], -1, 60);
    // A renewal tool has written the certificate and not yet the key.
    std::fs::write(folder.path().join("cert.pem"), &next.0).unwrap();
    bench.identity.poll_source();
    std::fs::write(folder.path().join("key.pem"), &next.1).unwrap();
    bench.identity.poll_source();
    assert_eq!(
        (bench.served(), bench.take_events()),
        (served.clone(), vec![]),
        "no alarm in between"
    );
    bench.identity.poll_source();
    assert_ne!(bench.served(), served);
}

#[test]
fn an_expired_pair_is_served_at_start_for_want_of_a_better_one() {
    let folder = tempfile::tempdir().unwrap();
    let ca = TestCa::new("company");
    let bench = open(with_files(
        folder.path(),
        &ca,
        &ca.leaf(&["db.test"], -60, -1),
    ));
    assert!(matches!(
        bench.take_events()[..],
        [TlsEvent::ServingInvalid { .. }]
    ));
}

#[test]
fn files_that_cannot_be_served_stop_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let ca = TestCa::new("company");
    let pair = ca.leaf(&["db.test"], -1, 30);
    let settings = with_files(folder.path(), &ca, &pair);
    let half = TlsSettings {
        key: None,
        ..settings.clone()
    };
    assert!(matches!(try_open(half), Err(TlsError::HalfPair)));
    std::fs::write(
        folder.path().join("company-ca.pem"),
        TestCa::new("other").pem(),
    )
    .unwrap();
    assert!(matches!(
        try_open(settings.clone()),
        Err(TlsError::Chain(_))
    ));
    std::fs::write(
        folder.path().join("key.pem"),
        ca.leaf(&["db.test"], -1, 30).1,
    )
    .unwrap();
    assert!(matches!(try_open(settings), Err(TlsError::Pair(_))));
}

#[test]
fn a_key_that_the_world_may_read_is_told_about() {
    let folder = tempfile::tempdir().unwrap();
    let ca = TestCa::new("company");
    let settings = with_files(folder.path(), &ca, &ca.leaf(&["db.test"], -1, 30));
    let key = settings.key.clone().unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(
        open(settings).take_events(),
        [TlsEvent::KeyExposed { key, mode: 0o644 }]
    );
}

#[test]
fn the_primary_host_is_carried_and_reaches_the_listener() {
    let folder = tempfile::tempdir().unwrap();
    let names = ["nowhere.test".to_owned(), "127.0.0.5".to_owned()];
    let bench = open(TlsSettings {
        names: names.to_vec(),
        ..TlsSettings::new(folder.path())
    });
    for (listen, host) in [
        ("127.0.0.1:4000", "127.0.0.1"),
        ("127.0.0.5:4000", "127.0.0.5"),
        ("0.0.0.0:4000", "127.0.0.5"),
        ("[::1]:4000", "::1"),
        // No name of the certificate leads there, so the configured one is assumed to, through a
        // load balancer for example.
        ("127.0.0.9:4000", "nowhere.test"),
    ] {
        let listen = [listen.parse().unwrap()];
        assert_eq!(bench.identity.primary_host(&listen), host, "{listen:?}");
    }
}

#[tokio::test]
async fn the_watch_takes_a_new_pair_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let ca = TestCa::new("company");
    let settings = with_files(folder.path(), &ca, &ca.leaf(&["db.test"], -1, 30));
    let (sent, mut swapped) = tokio::sync::mpsc::unbounded_channel();
    let identity = Identity::open(settings, move |event| drop(sent.send(event))).unwrap();
    let watch = tokio::spawn(identity.watch());
    write_pair(
        folder.path(),
        &ca,
        &ca.leaf(&["db.test", "more.test"], -1, 60),
    );
    while !matches!(swapped.recv().await, Some(TlsEvent::Swapped { .. })) {}
    assert_eq!(identity.names(), ["db.test", "more.test"]);
    watch.abort();
}
