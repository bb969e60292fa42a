//! COM_CHANGE_USER: a session goes on as another user, of the same cluster or of another one, as
//! if it had logged in again.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use std::sync::LazyLock;
use tidegate_e2e::limits::soon;
use tidegate_e2e::not_run;
use tidegate_e2e::probe::{Verdict, frame};
use tidegate_e2e::session::{Outcome, Session};
use tidegate_e2e::wire::{self, NATIVE, Refused, SHA2};
use tidegate_e2e::{Cluster, Options, Server};

static SERVER: LazyLock<Server> = LazyLock::new(Server::start);

const UTF8MB4_GENERAL_CI: u16 = 45;
const UTF8MB4_UCA1400_AI_CI: u16 = 2304;

/// Returns a COM_CHANGE_USER as libraries send it: with an empty proof.
fn change_packet(user: &str, database: &str, collation: u16, plugin: &str) -> Vec<u8> {
    let mut out = vec![0x11];
    out.extend_from_slice(user.as_bytes());
    // The NUL of the name, and the length of the proof.
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(database.as_bytes());
    out.push(0);
    out.extend_from_slice(&collation.to_le_bytes());
    out.extend_from_slice(plugin.as_bytes());
    out.push(0);
    out
}

fn change_to(session: &mut Session, user: &str, password: &str, database: &str) -> Verdict {
    let packet = change_packet(user, database, UTF8MB4_GENERAL_CI, NATIVE);
    session.probe.command(&packet);
    session.probe.finish_login(password)
}

fn change_to_root(session: &mut Session, cluster: &Cluster) -> Verdict {
    change_to(session, &cluster.user, &cluster.password, &cluster.database)
}

/// A cluster with a second account `app` and a table `t`.
fn cluster_with_app(server: &Server, name: &str) -> Cluster {
    let cluster = server.create(name);
    let mut root = Session::open(&cluster);
    root.run("CREATE USER app@'%' IDENTIFIED BY 'pw'");
    root.run("GRANT ALL ON test.* TO app@'%'");
    root.run("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, a INT)");
    root.quit();
    cluster
}

/// Users of the logged-in sessions of a cluster that have this id.
fn users_of(server: &Server, cluster: &str, id: u32) -> Vec<String> {
    let list = server.json(&["session", "list", "--cluster", cluster]);
    let sessions = list.as_array().expect("a list");
    let own = sessions.iter().filter(|s| s["id"] == id);
    own.map(|s| s["user"].as_str().expect("a name").to_owned())
        .collect()
}

#[test]
fn case_50_another_user_of_the_cluster_finds_a_new_session_with_the_same_ids() {
    let cluster = cluster_with_app(&SERVER, "same");
    let mut session = Session::open(&cluster);
    let id = session.probe.greeting.id;
    let engines = session.value("SELECT CONNECTION_ID()");
    session.run("SET @who = 'root', sql_mode = 'ANSI'");
    session.run("CREATE TEMPORARY TABLE mine (a INT)");
    session.run("INSERT INTO t (a) VALUES (1)");
    assert_eq!(session.value("SELECT LAST_INSERT_ID()"), "1");
    session.run("BEGIN");
    session.run("INSERT INTO t (a) VALUES (2)");
    assert_eq!(users_of(&SERVER, "same", id), ["root"]);
    let app = cluster.login("app");
    assert_eq!(change_to(&mut session, &app, "pw", "test"), Verdict::In);
    for (sql, want) in [
        ("SELECT CURRENT_USER()", "app@%"),
        ("SELECT CONNECTION_ID()", &engines),
        ("SELECT @who", "NULL"),
        ("SELECT @@sql_mode LIKE '%ANSI%'", "0"),
        ("SELECT LAST_INSERT_ID()", "0"),
        ("SELECT COUNT(*) FROM t", "1"),
        ("SELECT DATABASE()", "test"),
        ("SELECT @@collation_connection", "utf8mb4_general_ci"),
    ] {
        assert_eq!(session.value(sql), want, "{sql}");
    }
    assert_eq!(session.query("SELECT * FROM mine").refused().code, 1146);
    assert_eq!(users_of(&SERVER, "same", id), ["app"]);
    // A pool changes to the same user, again and again. Without a database, none is selected.
    for _ in 0..20 {
        assert_eq!(change_to(&mut session, &app, "pw", ""), Verdict::In);
        assert_eq!(session.value("SELECT DATABASE()"), "NULL");
        assert_eq!(session.value("SELECT CONNECTION_ID()"), engines);
    }
    // The id of the greeting stays the one for KILL, and only its new user has it.
    let kill = format!("KILL {id}");
    let mut other = Session::login(&cluster, &app, "pw", wire::ORDINARY).unwrap();
    assert!(matches!(other.query(&kill), Outcome::Ok { .. }));
    session.probe.until_closed();
}

#[test]
fn case_50_a_user_of_a_sleeping_cluster_wakes_it_and_leaves_the_first_rolled_back() {
    let first = cluster_with_app(&SERVER, "first");
    let second = cluster_with_app(&SERVER, "second");
    SERVER.sleep("second");
    let mut session = Session::open(&first);
    let id = session.probe.greeting.id;
    session.run("INSERT INTO t (a) VALUES (1)");
    session.run("BEGIN");
    session.run("UPDATE t SET a = 2");
    assert_eq!(change_to_root(&mut session, &second), Verdict::In);
    // As soon as the new user is told, nothing of the former session is left.
    let mut watcher = Session::open(&first);
    let locked = watcher.query("SELECT a FROM t FOR UPDATE NOWAIT");
    assert_eq!(locked.text(), [["1"]]);
    assert_eq!(session.value("SELECT COUNT(*) FROM t"), "0");
    assert_eq!(users_of(&SERVER, "second", id), ["root"]);
    assert!(users_of(&SERVER, "first", id).is_empty());
    watcher.quit();
    // The engine that it left is not kept awake by it.
    SERVER.sleep("first");
    assert_eq!(session.value("SELECT 1"), "1");
    // And back, while its transaction is open.
    session.run("BEGIN");
    assert_eq!(change_to_root(&mut session, &first), Verdict::In);
    assert_eq!(session.value("SELECT a FROM t"), "1");
    SERVER.sleep("second");
    session.quit();
    SERVER.wait_log("user changed");
}

/// Answers of a change of user that is refused, up to the end of the connection.
fn refused_change(cluster: &Cluster, user: &str, password: &str) -> Refused {
    let mut session = Session::open(cluster);
    session.run("BEGIN");
    session.run("INSERT INTO t (a) VALUES (7)");
    let refused = change_to(&mut session, user, password, "test").refused();
    assert!(session.probe.until_closed().is_empty(), "it is closed");
    refused
}

#[test]
fn case_50_a_failure_is_answered_as_that_of_a_login_and_ends_the_session() {
    let cluster = cluster_with_app(&SERVER, "failing");
    let app = cluster.login("app");
    let nobody = cluster.login("nobody");
    let unknown = format!("{}.app", "z".repeat(cluster.user.find('.').unwrap()));
    for (user, password) in [
        (app.as_str(), "wrong"),
        (&app, ""),
        (&nobody, "pw"),
        (&unknown, "pw"),
        ("abcdefghjkmn.", "pw"),
    ] {
        let refused = refused_change(&cluster, user, password);
        let login = Session::login(&cluster, user, password, wire::ORDINARY);
        assert_eq!(Some(&refused), login.err().as_ref(), "{user}");
        assert_eq!(refused.code, 1045);
    }
    let refused = refused_change(&cluster, "root", "pw");
    assert!(refused.message.contains("missing-prefix"), "{refused:?}");
    // The engine refuses what only it knows.
    let mut session = Session::open(&cluster);
    let refused = change_to(&mut session, &app, "pw", "absent").refused();
    assert!([1044, 1049].contains(&refused.code), "{refused:?}");
    session.probe.until_closed();
    // Every one of those sessions is gone, and its transaction.
    let mut watcher = Session::open(&cluster);
    soon("the end of all sessions", || {
        let count = watcher.value(
            "SELECT COUNT(*) FROM information_schema.processlist WHERE user IN ('root', 'app')",
        );
        (count == "1").then_some(())
    });
    assert_eq!(watcher.value("SELECT COUNT(*) FROM t"), "0");
}

#[test]
fn case_50_malformed_and_endless_changes_are_refused() {
    let cluster = cluster_with_app(&SERVER, "broken");
    let app = cluster.login("app");
    let whole = change_packet(&app, "test", UTF8MB4_GENERAL_CI, NATIVE);
    let endless = [&[0x11][..], &[b'u'; 100_000]].concat();
    let plugin_at = whole.len() - NATIVE.len() - 1;
    for (payload, code) in [
        (&whole[..1], 1043),
        (&whole[..8], 1043),
        (&whole[..app.len() + 3], 1043),
        (&whole[..plugin_at - 1], 1043),
        (&endless, 1153),
    ] {
        let mut session = Session::open(&cluster);
        session.probe.command(payload);
        let refused = Refused::parse(&session.probe.expect()).expect("an error");
        assert_eq!((session.probe.seq, refused.code), (1, code), "{refused:?}");
        session.probe.until_closed();
    }
    // Longer than a login may be, by its header alone.
    let mut session = Session::open(&cluster);
    let header = [&frame(0, &vec![0; 2 << 20])[..4], &[0x11]].concat();
    session.probe.raw(&header).unwrap();
    let refused = Refused::parse(&session.probe.expect()).expect("an error");
    assert_eq!(refused.code, 1153);
    session.probe.until_closed();
    // A command behind it is no proof, as it is none to MariaDB.
    let mut session = Session::open(&cluster);
    let both = [frame(0, &whole), frame(0, &[0x0e])].concat();
    session.probe.raw(&both).unwrap();
    assert_eq!(session.probe.expect()[0], 0xfe);
    let refused = Refused::parse(&session.probe.expect()).expect("an error");
    assert_eq!(refused.code, 1156);
}

#[test]
fn case_50_answers_before_it_come_first_and_commands_behind_the_proof_are_kept() {
    let cluster = cluster_with_app(&SERVER, "pipelined");
    let other = cluster_with_app(&SERVER, "pipelined-too");
    for target in [&cluster, &other] {
        let mut session = Session::open(&cluster);
        let query = [&[3][..], b"SELECT SLEEP(0.3), REPEAT('x', 200000)"].concat();
        let app = target.login("app");
        let change = change_packet(&app, "test", UTF8MB4_GENERAL_CI, NATIVE);
        let both = [frame(0, &query), frame(0, &change)].concat();
        session.probe.raw(&both).unwrap();
        let rows = session.outcome().unwrap().text();
        assert_eq!(rows[0][1].len(), 200_000, "its answer is whole");
        let switch = session.probe.expect();
        assert_eq!((session.probe.seq, switch[0]), (1, 0xfe));
        let salt = &switch[1 + NATIVE.len() + 1..][..20];
        // The library of MariaDB proves its password with the greeting's, whatever comes here.
        assert_eq!(salt, session.probe.greeting.salt);
        let proof = wire::native_scramble("pw", salt);
        let queries = [&[3][..], b"SELECT CURRENT_USER()"].concat();
        let mut sent = frame(2, &proof);
        for _ in 0..3 {
            sent.extend(frame(0, &queries));
        }
        session.probe.raw(&sent).unwrap();
        assert_eq!(session.probe.finish_login(""), Verdict::In);
        assert_eq!(session.probe.seq, 3);
        for _ in 0..3 {
            assert_eq!(session.outcome().unwrap().text(), [["app@%"]]);
        }
    }
}

#[test]
fn case_50_every_cut_of_the_command_is_the_same_change() {
    let cluster = cluster_with_app(&SERVER, "cut");
    let app = cluster.login("app");
    let packet = frame(0, &change_packet(&app, "test", UTF8MB4_GENERAL_CI, SHA2));
    let mut session = Session::open(&cluster);
    for cut in [1, 3, 4, 5, 6, 20, packet.len() - 1] {
        let (head, tail) = packet.split_at(cut);
        session.probe.raw(head).unwrap();
        session.probe.raw(tail).unwrap();
        assert_eq!(session.probe.finish_login("pw"), Verdict::In, "{cut}");
        assert_eq!(session.value("SELECT CURRENT_USER()"), "app@%");
    }
}

#[test]
fn case_50_collations_beyond_one_byte_and_attributes_reach_the_engine() {
    let cluster = cluster_with_app(&SERVER, "collated");
    let other = cluster_with_app(&SERVER, "collated-too");
    let capabilities = wire::ORDINARY | wire::CONNECT_ATTRS;
    for target in [&cluster, &other] {
        let login = Session::login(&cluster, &cluster.user, &cluster.password, capabilities);
        let mut session = login.unwrap();
        let app = target.login("app");
        for attributes in [&b"\x08\x03key\x03val"[..], b"\0", b"", b"\x50\x03key"] {
            let mut packet = change_packet(&app, "test", UTF8MB4_UCA1400_AI_CI, NATIVE);
            packet.extend_from_slice(attributes);
            session.probe.command(&packet);
            assert_eq!(session.probe.finish_login("pw"), Verdict::In);
            let collation = session.value("SELECT @@collation_connection");
            assert_eq!(collation, "utf8mb4_uca1400_ai_ci", "{attributes:?}");
        }
    }
}

#[test]
fn case_50_an_account_that_requires_tls_gets_a_connection_that_has_it() {
    let cluster = cluster_with_app(&SERVER, "secure");
    let mut session = Session::open(&cluster);
    session.run("CREATE USER tls@'%' IDENTIFIED BY 'pw' REQUIRE SSL");
    let tls = cluster.login("tls");
    for (user, secure) in [("tls", true), ("app", true), ("tls", true)] {
        let name = cluster.login(user);
        assert_eq!(change_to(&mut session, &name, "pw", ""), Verdict::In);
        // The engine itself answers this statement.
        let version = session.value(
            "SELECT VARIABLE_VALUE FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = \
             'SSL_VERSION'",
        );
        assert_eq!(!version.is_empty(), secure, "{user}");
    }
    let refused = change_to(&mut session, &tls, "wrong", "").refused();
    assert_eq!(refused.code, 1045);
}

#[test]
fn case_50_limits_and_addresses_of_the_new_cluster_apply() {
    let first = cluster_with_app(&SERVER, "leaving");
    let full = cluster_with_app(&SERVER, "full");
    let fenced = cluster_with_app(&SERVER, "fenced");
    for name in ["leaving", "full"] {
        SERVER.succeed(&["cluster", "set", name, "--connections-max", "1"]);
    }
    SERVER.succeed(&["cluster", "set", "fenced", "--ip-allow", "203.0.113.9"]);
    SERVER.sleep("fenced");
    let mut session = Session::open(&first);
    // Within its cluster, it takes no second place.
    let app = first.login("app");
    assert_eq!(change_to(&mut session, &app, "pw", "test"), Verdict::In);
    let resident = Session::open(&full);
    assert_eq!(change_to_root(&mut session, &full).refused().code, 1040);
    session.probe.until_closed();
    resident.quit();
    // Its former place is free.
    let mut session = soon("a place", || Session::as_root(&first).ok());
    assert_eq!(change_to_root(&mut session, &fenced).refused().code, 1130);
    session.probe.until_closed();
    assert_eq!(SERVER.state("fenced"), "asleep");
    let mut session = soon("a place", || Session::as_root(&first).ok());
    soon(
        "the end of the resident's session",
        || match change_to_root(&mut session, &full) {
            Verdict::In => Some(()),
            _ => {
                session = soon("a place", || Session::as_root(&first).ok());
                None
            }
        },
    );
    assert_eq!(session.value("SELECT CURRENT_USER()"), "root@%");
    let next = soon("the former place", || Session::as_root(&first).ok());
    next.quit();
}

#[test]
fn case_50_a_session_in_the_middle_of_a_change_can_be_killed_and_is_not_waited_for() {
    let options = Options {
        config: "[gateway]\nlogin_deadline = \"3s\"\n".into(),
        ..Options::default()
    };
    let server = Server::with(options);
    let cluster = cluster_with_app(&server, "stalled");
    let app = cluster.login("app");
    let change = change_packet(&app, "test", UTF8MB4_GENERAL_CI, NATIVE);
    let mut session = Session::open(&cluster);
    let id = session.probe.greeting.id;
    session.probe.command(&change);
    assert_eq!(session.probe.expect()[0], 0xfe);
    // Until the password is proved, it is the session of its former user.
    assert_eq!(users_of(&server, "stalled", id), ["root"]);
    server.succeed(&["session", "kill", &id.to_string()]);
    assert!(session.probe.until_closed().is_empty());
    // The first bytes of the command, the whole command, or an answer without an end.
    let start = frame(0, &change)[..9].to_vec();
    let whole = frame(0, &change);
    for (sent, seq) in [(start, 1), (whole, 3)] {
        let mut session = Session::open(&cluster);
        session.probe.raw(&sent).unwrap();
        if seq == 3 {
            assert_eq!(session.probe.expect()[0], 0xfe);
        }
        let refused = Refused::parse(&session.probe.expect()).expect("an error");
        assert!(refused.message.contains("login-timeout"), "{refused:?}");
        assert_eq!(session.probe.seq, seq);
        session.probe.until_closed();
    }
    server.sleep("stalled");
}

/// Three persistent connections, one after the other, then a change to another account and back.
const PHP: &str = r#"
mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
for ($i = 0; $i < 3; $i++) {
    $m = mysqli_init();
    $m->ssl_set(null, null, getenv('CA'), null, null);
    $m->real_connect('p:127.0.0.1', getenv('NAME'), getenv('PW'), 'test', (int) getenv('PORT'), null,
        MYSQLI_CLIENT_SSL);
    echo json_encode($m->query('select connection_id(), @who')->fetch_row()), "\n";
    $m->query("set @who = 'alice'");
    if ($i < 2) $m->close();
}
$m->change_user(getenv('OTHER'), 'pw', 'test');
echo json_encode($m->query('select current_user(), @who')->fetch_row()), "\n";
try {
    $m->change_user(getenv('OTHER'), 'wrong', 'test');
} catch (mysqli_sql_exception $e) {
    echo $e->getCode(), "\n";
}
"#;

#[test]
fn case_50_persistent_connections_of_php_are_one_session_and_begin_anew() {
    let php = std::process::Command::new("php").arg("-m").output();
    if !php.is_ok_and(|out| String::from_utf8_lossy(&out.stdout).contains("mysqli")) {
        not_run("php with mysqli is not here");
        return;
    }
    let cluster = cluster_with_app(&SERVER, "php");
    let out = std::process::Command::new("php")
        .args(["-r", PHP])
        .env("CA", &cluster.ca)
        .env("NAME", &cluster.user)
        .env("PW", &cluster.password)
        .env("OTHER", cluster.login("app"))
        .env("PORT", cluster.addr().port().to_string())
        .output()
        .expect("php");
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    let lines: Vec<_> = said.lines().collect();
    let [first, second, third, changed, code] = lines[..] else {
        panic!("{said}{}", String::from_utf8_lossy(&out.stderr))
    };
    assert!(first.ends_with(",null]"), "{said}");
    assert_eq!((first, first), (second, third), "one session of the engine");
    assert_eq!(changed, "[\"app@%\",null]");
    assert_eq!(code, "1045");
}
