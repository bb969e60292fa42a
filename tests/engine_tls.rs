//! Accounts that require TLS: their connection from the gateway to the engine uses TLS with the
//! client's version and cipher, and nothing else is different for them.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::sync::LazyLock;
use tidegate_e2e::clients::mariadb;
use tidegate_e2e::limits::soon;
use tidegate_e2e::probe::{Probe, Verdict, frames};
use tidegate_e2e::session::{Outcome, Session};
use tidegate_e2e::wire::{self, Refused, Response, lenenc};
use tidegate_e2e::{Cluster, Server, tls};

static SERVER: LazyLock<Server> = LazyLock::new(Server::start);

/// Bytes of a row that needs two packets and hundreds of reads.
const LARGE: usize = 17 << 20;

/// Version and cipher that the engine sees. Only the engine itself answers this statement.
const LEG: &str = "SELECT GROUP_CONCAT(VARIABLE_VALUE ORDER BY VARIABLE_NAME DESC SEPARATOR ' ') \
     FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME IN ('SSL_VERSION', 'SSL_CIPHER')";

/// A cluster with an account `tls` that has REQUIRE SSL, logged in as that account.
fn secure_cluster(server: &Server, name: &str) -> (Cluster, Cluster) {
    let cluster = server.create(name);
    let mut root = Session::open(&cluster);
    root.run("CREATE USER tls IDENTIFIED BY 'right' REQUIRE SSL");
    root.run("GRANT ALL ON test.* TO tls");
    root.quit();
    let account = account(&cluster, "tls");
    (cluster, account)
}

/// The login data of another account.
fn account(cluster: &Cluster, user: &str) -> Cluster {
    Cluster {
        user: cluster.login(user),
        password: "right".into(),
        ..cluster.clone()
    }
}

fn refused(cluster: &Cluster, password: &str) -> Refused {
    match Session::login(cluster, &cluster.user, password, wire::ORDINARY) {
        Err(refused) => refused,
        Ok(_) => panic!("{} got in with {password:?}", cluster.user),
    }
}

/// Logs in. While the cluster recovers, the only other answer allowed is "try again".
fn login_soon(cluster: &Cluster) -> Session {
    soon("a login", || match Session::as_root(cluster) {
        Ok(session) => Some(session),
        Err(refused) => {
            assert_eq!(refused.code, 1040, "{refused:?}");
            None
        }
    })
}

#[test]
fn require_ssl_lets_in_whatever_the_cluster_does() {
    let mut server = Server::start();
    let (cluster, secure) = secure_cluster(&server, "secure");
    let plain_leg = Session::open(&cluster).value(LEG);
    assert_eq!(plain_leg.trim(), "", "an ordinary account needs no TLS");
    let told = "TLSv1.3 TLS_AES_128_GCM_SHA256";
    assert_eq!(mariadb(&secure, LEG).expect(), told, "awake");
    assert_eq!(refused(&secure, "wrong").code, 1045);
    server.sleep("secure");
    let denied = refused(&secure, "wrong");
    assert_eq!(denied, refused(&account(&cluster, "nobody"), "wrong"));
    assert_eq!(server.state("secure"), "asleep", "not woken by a guess");
    assert_eq!(mariadb(&secure, LEG).expect(), told, "asleep");
    server.sleep("secure");
    assert_eq!(server.stop(), 0);
    server.run();
    assert_eq!(server.state("secure"), "asleep");
    assert_eq!(mariadb(&secure, LEG).expect(), told, "from the store");
    server.kill9();
    server.run();
    assert_eq!(login_soon(&secure).value(LEG), told, "after kill -9");
}

#[test]
fn a_requirement_that_changes_applies_to_the_next_login() {
    let (cluster, secure) = secure_cluster(&SERVER, "changes");
    let mut root = Session::open(&cluster);
    root.run("CREATE USER app IDENTIFIED BY 'right'");
    root.run("GRANT ALL ON test.* TO app");
    let app = account(&cluster, "app");
    // The gateway's copy of the accounts knows no requirement.
    let mut before = Session::open(&app);
    root.run("ALTER USER app REQUIRE SSL");
    assert!(Session::open(&app).value(LEG).starts_with("TLSv1.3 "));
    assert_eq!(before.value(LEG).trim(), "", "an open session stays");
    before.quit();
    SERVER.sleep("changes");
    assert!(mariadb(&app, LEG).expect().starts_with("TLSv1.3 "));
    let mut root = Session::open(&cluster);
    root.run("ALTER USER app REQUIRE NONE");
    root.run("ALTER USER tls IDENTIFIED BY 'changed'");
    // TLS for an account that does not require it any more is no obstacle.
    Session::open(&app).quit();
    assert_eq!(refused(&secure, "right").code, 1045, "the old password");
    let changed = Cluster {
        password: "changed".into(),
        ..secure
    };
    assert!(Session::open(&changed).value(LEG).starts_with("TLSv1.3 "));
    root.quit();
    SERVER.sleep("changes");
    assert_eq!(Session::open(&app).value(LEG).trim(), "");
    assert!(Session::open(&changed).value(LEG).starts_with("TLSv1.3 "));
}

#[test]
fn the_only_administrator_may_require_tls_of_itself() {
    let cluster = SERVER.create("itself");
    Session::open(&cluster).run("ALTER USER root REQUIRE SSL");
    let mut root = Session::open(&cluster);
    assert!(root.value(LEG).starts_with("TLSv1.3 "));
    // The gateway's own work goes on: a password, a user, the databases.
    root.quit();
    SERVER.sleep("itself");
    SERVER.json(&["user", "create", "itself", "app", "--role", "read-write"]);
    let users = SERVER.json(&["user", "list", "itself"]).to_string();
    assert!(users.contains("\"app\""), "{users}");
    assert!(Session::open(&cluster).value(LEG).starts_with("TLSv1.3 "));
}

/// Returns the cipher of an answer to [`LEG`].
fn cipher_of(told: &str) -> &str {
    told.split_once(' ').unwrap().1
}

/// Logs in over this version of TLS.
fn session_over(cluster: &Cluster, version: &'static rustls::SupportedProtocolVersion) -> Session {
    let config = tls::verified(&cluster.ca, &[version]);
    let mut probe = Probe::secured(cluster.addr(), config);
    let verdict = probe.login(&Response::new(&cluster.user), &cluster.password);
    assert_eq!(verdict, Verdict::In);
    Session {
        probe,
        capabilities: wire::ORDINARY,
    }
}

#[test]
fn version_and_cipher_of_the_client_reach_the_engine_and_a_cipher_can_be_required() {
    let (cluster, secure) = secure_cluster(&SERVER, "ciphers");
    let old = "TLSv1.2 ECDHE-ECDSA-AES128-GCM-SHA256";
    let new = "TLSv1.3 TLS_AES_128_GCM_SHA256";
    let mut root = Session::open(&cluster);
    for (version, told) in [
        (&rustls::version::TLS12, old),
        (&rustls::version::TLS13, new),
    ] {
        assert_eq!(session_over(&secure, version).value(LEG), told);
    }
    root.run(&format!(
        "ALTER USER tls REQUIRE CIPHER '{}'",
        cipher_of(new)
    ));
    assert_eq!(
        session_over(&secure, &rustls::version::TLS13).value(LEG),
        new
    );
    SERVER.sleep("ciphers");
    assert_eq!(
        mariadb(&secure, LEG).expect(),
        new,
        "also by the stored book"
    );
    let mut root = Session::open(&cluster);
    root.run(&format!(
        "ALTER USER tls REQUIRE CIPHER '{}'",
        cipher_of(old)
    ));
    assert_eq!(
        session_over(&secure, &rustls::version::TLS12).value(LEG),
        old
    );
    let told = refused(&secure, "right");
    assert_eq!(told.code, 1045);
    assert!(told.message.contains("has REQUIRE CIPHER, and"), "{told:?}");
    assert!(!refused(&secure, "wrong").message.contains("CIPHER"));
}

/// The file with key and certificate of a server's only cluster.
fn key_file(server: &Server) -> PathBuf {
    let engines = std::fs::read_dir(server.data().join("engines")).unwrap();
    let folders: Vec<PathBuf> = engines
        .map(|entry| entry.unwrap().path().join("run/leg.pem"))
        .filter(|path| path.exists())
        .collect();
    assert_eq!(folders.len(), 1, "{folders:?}");
    folders[0].clone()
}

#[test]
fn each_start_has_a_key_of_its_own_that_only_its_engine_can_read() {
    let server = Server::start();
    let (cluster, secure) = secure_cluster(&server, "keys");
    let path = key_file(&server);
    let first = std::fs::read(&path).unwrap();
    let stat = std::fs::metadata(&path).unwrap();
    assert_eq!(stat.permissions().mode() & 0o777, 0o600);
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.engine())).unwrap();
    let uid = status
        .lines()
        .find(|line| line.starts_with("Uid:"))
        .unwrap();
    let uid: u32 = uid.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert_eq!(stat.uid(), uid, "the engine's user");
    // A tenant may make the engine read its key again: it is the same one.
    let mut root = Session::open(&cluster);
    root.run("FLUSH SSL");
    assert!(Session::open(&secure).value(LEG).starts_with("TLSv1.3 "));
    root.quit();
    server.sleep("keys");
    Session::open(&secure).quit();
    assert_ne!(std::fs::read(&path).unwrap(), first);
}

/// Text that [`pattern_sql`] repeats.
fn pattern_word(row: usize) -> String {
    format!("{row:03}-0123456789-abcdefghijklmnopqrstuvwxyz-")
}

/// Whether this is the text of [`pattern_sql`].
fn is_pattern(bytes: &[u8], row: usize) -> bool {
    let word = pattern_word(row);
    let mut pieces = bytes.chunks(word.len());
    bytes.len() == LARGE && pieces.all(|piece| word.as_bytes().starts_with(piece))
}

/// SQL for a text of [`LARGE`] bytes, different for each row.
fn pattern_sql(row: &str) -> String {
    format!(
        "LEFT(REPEAT(CONCAT(LPAD({row}, 3, '0'), '-0123456789-abcdefghijklmnopqrstuvwxyz-'), \
         {LARGE} DIV 40), {LARGE})"
    )
}

#[test]
fn twenty_rows_of_17_mb_pass_unchanged_in_both_directions() {
    let (_, secure) = secure_cluster(&SERVER, "large");
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let mut session = session_over(&secure, version);
        let pool = session.value("SELECT @@thread_handling");
        assert_eq!(pool, "pool-of-threads", "the engine's usual threads");
        session.send(&format!(
            "SELECT {} FROM (SELECT 1 AS one) a JOIN test.seq_1_to_20",
            pattern_sql("seq")
        ));
        let columns = session.probe.expect();
        assert_eq!(columns, [1]);
        session.skip_columns(1).unwrap();
        for row in 1..=20 {
            let packet = session.probe.expect();
            let mut at = 0;
            assert_eq!(lenenc(&packet, &mut at), Some(LARGE as u64), "row {row}");
            assert!(is_pattern(&packet[at..], row), "row {row}");
        }
        assert_eq!(session.probe.expect()[0], 0xfe);
        // Once is enough for the other direction, whose cipher is the same.
        let back = if version == &rustls::version::TLS13 {
            1..=20
        } else {
            1..=1
        };
        for row in back {
            let word = pattern_word(row);
            let mut text = word.repeat(LARGE / word.len() + 1);
            text.truncate(LARGE);
            let same = format!("SELECT BINARY '{text}' = {}", pattern_sql(&row.to_string()));
            assert_eq!(session.value(&same), "1", "row {row}");
        }
    }
}

#[test]
fn commands_that_come_together_are_all_answered() {
    let (_, secure) = secure_cluster(&SERVER, "together");
    let mut session = Session::open(&secure);
    // One TLS record with many commands: the engine's pool waits for its socket, and must not wait
    // while decrypted commands are left.
    let commands: Vec<u8> = (0..100)
        .flat_map(|n| frames(format!("\x03SELECT {n}").as_bytes()))
        .collect();
    for _ in 0..10 {
        session.probe.raw(&commands).unwrap();
        for n in 0..100 {
            let rows = session.outcome().unwrap().text();
            assert_eq!(rows, [[n.to_string()]]);
        }
    }
    assert!(session.ping());
}

#[test]
fn sleep_and_kill_reach_a_session_over_tls() {
    let (_, secure) = secure_cluster(&SERVER, "ends");
    let mut idle = Session::open(&secure);
    SERVER.sleep("ends");
    let notice = idle.outcome().unwrap().refused();
    assert_eq!(notice.code, 4031);
    let mut victim = Session::open(&secure);
    let mut killer = Session::open(&secure);
    victim.send("SELECT SLEEP(600)");
    let running = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'SELECT \
         SLEEP%'";
    soon("the query runs", || {
        (killer.value(running) == "1").then_some(())
    });
    let id = victim.probe.greeting.id;
    killer.query(&format!("KILL QUERY {id}"));
    let ended = victim.outcome().unwrap();
    assert!(
        matches!(&ended, Outcome::Rows { rows, .. } if rows[0][0].as_deref() == Some(b"1"))
            || matches!(&ended, Outcome::Refused(refused) if refused.code == 1317),
        "{ended:?}"
    );
    assert!(victim.ping());
    // A client that disappears takes its statement with it.
    victim.send("SELECT SLEEP(601)");
    soon("the query runs", || {
        (killer.value(running) == "1").then_some(())
    });
    victim.probe.reset();
    soon("the query ends", || {
        (killer.value(running) == "0").then_some(())
    });
}

#[test]
fn an_engine_that_dies_ends_its_sessions_and_is_trusted_again_with_its_next_key() {
    let server = Server::start();
    let (_, secure) = secure_cluster(&server, "dies");
    let mut session = Session::open(&secure);
    let engine = rustix::process::Pid::from_raw(i32::try_from(server.engine()).unwrap()).unwrap();
    rustix::process::kill_process(engine, rustix::process::Signal::KILL).unwrap();
    let told = session.outcome().unwrap().refused();
    assert_eq!(told.code, 1053, "{told:?}");
    assert!(login_soon(&secure).value(LEG).starts_with("TLSv1.3 "));
}

#[path = "engine_tls/questions.rs"]
mod questions;
