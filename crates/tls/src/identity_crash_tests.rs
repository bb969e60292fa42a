//! Tests of the state of TLS after kill -9 between any two of its writes.

use super::*;
use crate::history::HistoryEvent;
use crate::killed_child::KilledChild;
use crate::root::LocalRoot;
use crate::tickets::Tickets;
use rustls::server::ProducesTickets;
use std::time::Duration;

/// Variable with the folder of the child process of the test below.
const CHILD_FOLDER: &str = "TIDEGATE_RENEWING_FOLDER";

#[test]
#[ignore = "child process of a_kill_9_at_any_moment_leaves_what_the_next_start_reads"]
fn renew_until_killed() {
    let folder = PathBuf::from(std::env::var_os(CHILD_FOLDER).unwrap());
    loop {
        let bench = open(TlsSettings::new(&folder));
        bench.identity.renew_ca().unwrap();
        bench.identity.poll_source();
        println!("renewed");
    }
}

fn tickets(folder: &Path) -> Arc<Tickets> {
    open(TlsSettings::new(folder))
        .identity
        .inner
        .tickets
        .clone()
}

#[test]
fn a_kill_9_at_any_moment_leaves_what_the_next_start_reads() {
    let folder = tempfile::tempdir().unwrap();
    let ticket = tickets(folder.path()).encrypt(b"a session").unwrap();
    let mut roots = std::collections::BTreeSet::new();
    for round in 0..30_u32 {
        // A different moment of the next renewal in each round; which one does not matter.
        KilledChild {
            test: "identity::tests::by_crash::renew_until_killed",
            folder: (CHILD_FOLDER, folder.path()),
            repeats: "renewed",
        }
        .run_past_one(Duration::from_micros(400) * round);
        let bench = open(TlsSettings::new(folder.path()));
        let ca = folder.path().join("ca.pem");
        let client = client_config(Roots::file(&ca)).unwrap();
        shake(client, bench.identity.server_config(), "localhost").unwrap();
        let opened = bench.identity.inner.tickets.decrypt(&ticket);
        assert_eq!(opened.as_deref(), Some(b"a session".as_slice()), "{round}");
        let latest = bench.identity.history().into_iter().next().unwrap();
        let served = bench.identity.status().unwrap().served;
        assert!(
            matches!(&latest.what, HistoryEvent::Served { serial, .. } if *serial == served.serial),
            "round {round}: {latest:?}"
        );
        let former = LocalRoot::former(folder.path());
        roots.extend(former.into_iter().map(|root| root.fingerprint));
        let current = LocalRoot::current(folder.path()).unwrap().unwrap();
        assert!(
            !roots.contains(&current.fingerprint),
            "round {round}: an older root is back"
        );
    }
    assert!(
        roots.len() >= 29,
        "each root that clients may trust is kept"
    );
}
