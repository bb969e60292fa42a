//! A new local CA, made while the server runs or at its next start, and what clients of the old one
//! get.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that can't go on panics"
)]

mod support;

use std::path::Path;
use std::sync::{Arc, Mutex};
use support::{TestCa, shake, write_pair};
use tidegate_tls::{
    Identity, LocalRoot, Roots, TlsError, TlsEvent, TlsSettings, client_config, renew_at_next_start,
};

type Events = Arc<Mutex<Vec<TlsEvent>>>;

fn open(data: &Path, names: &[&str]) -> (Identity, Events) {
    let events = Events::default();
    let settings = TlsSettings {
        names: names.iter().map(ToString::to_string).collect(),
        ..TlsSettings::new(data)
    };
    let sink = events.clone();
    (
        Identity::open(settings, move |event| sink.lock().unwrap().push(event)).unwrap(),
        events,
    )
}

fn take(events: &Events) -> Vec<TlsEvent> {
    std::mem::take(&mut events.lock().unwrap())
}

#[test]
fn a_new_ca_carries_the_names_that_the_old_one_might_not() {
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    drop(open(folder.path(), &[]));
    let (identity, events) = open(folder.path(), &["db.example.com"]);
    assert_eq!(
        take(&events),
        [TlsEvent::NameLeftOut {
            name: "db.example.com".into()
        }]
    );
    let old = LocalRoot::current(folder.path()).unwrap().unwrap();
    let old_client = client_config(Roots::file(&ca)).unwrap();
    let mut session = shake(old_client.clone(), identity.server_config(), "localhost").unwrap();

    identity.renew_ca().unwrap();
    assert!(
        identity.names().contains(&"db.example.com".to_owned()),
        "{:?}",
        identity.names()
    );
    assert!(matches!(
        &take(&events)[..],
        [TlsEvent::CaRemade { .. }, TlsEvent::Swapped { .. }]
    ));
    let new = LocalRoot::current(folder.path()).unwrap().unwrap();
    assert_ne!(new.fingerprint, old.fingerprint);
    assert_ne!(new.name, old.name, "stores tell roots apart by it");
    assert_eq!(LocalRoot::former(folder.path()), [old]);
    let client = client_config(Roots::file(&ca)).unwrap();
    shake(client, identity.server_config(), "db.example.com").unwrap();
    assert!(
        shake(old_client, identity.server_config(), "localhost").is_err(),
        "the old ca.pem is of no use any more"
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

    // A restart keeps the new one.
    let (again, events) = open(folder.path(), &["db.example.com"]);
    assert_eq!((take(&events), again.names()), (vec![], identity.names()));
    assert_eq!(LocalRoot::current(folder.path()).unwrap(), Some(new));
}

#[test]
fn one_asked_for_while_no_server_ran_is_made_once_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path(), &[]));
    let old = LocalRoot::current(folder.path()).unwrap().unwrap();
    renew_at_next_start(folder.path()).unwrap();
    assert_eq!(
        LocalRoot::current(folder.path()).unwrap().as_ref(),
        Some(&old),
        "not before the start"
    );
    let (identity, events) = open(folder.path(), &["db.example.com"]);
    assert!(identity.names().contains(&"db.example.com".to_owned()));
    let events = take(&events);
    assert!(
        matches!(
            &events[..],
            [TlsEvent::CaRemade { reason, .. }] if reason.contains("trust renew")
        ),
        "{events:?}"
    );
    let new = LocalRoot::current(folder.path()).unwrap().unwrap();
    assert_ne!(new, old);
    assert_eq!(LocalRoot::former(folder.path()), [old]);
    drop(identity);
    drop(open(folder.path(), &[]));
    assert_eq!(
        LocalRoot::current(folder.path()).unwrap(),
        Some(new),
        "made once"
    );
}

#[test]
fn where_files_are_served_there_is_no_ca_to_renew() {
    let folder = tempfile::tempdir().unwrap();
    let company = TestCa::new("company");
    let (certificate, key, ca) =
        write_pair(folder.path(), &company, &company.leaf(&["db.test"], -1, 30));
    let settings = TlsSettings {
        certificate: Some(certificate),
        key: Some(key),
        ca: Some(ca),
        ..TlsSettings::new(folder.path())
    };
    let identity = Identity::open(settings, |_| {}).unwrap();
    assert!(matches!(identity.renew_ca(), Err(TlsError::NoLocalCa)));
    assert!(!folder.path().join("ca.pem").exists());
}
