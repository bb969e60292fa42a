//! Settings of a cluster beside its limits, and its name.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use std::sync::LazyLock;
use std::time::Duration;
use tidegate_e2e::balancer::dial_from;
use tidegate_e2e::clients::mariadb;
use tidegate_e2e::limits::soon;
use tidegate_e2e::probe::{Probe, Verdict};
use tidegate_e2e::session::Session;
use tidegate_e2e::wire::{self, Refused, Response};
use tidegate_e2e::{Cluster, Options, Server, tls};

/// Server whose clusters sleep after a second, so each test has its own cluster.
static SLEEPY: LazyLock<Server> = LazyLock::new(|| Server::with(Options::sleepy()));
/// Server whose clusters sleep only on command.
static CALM: LazyLock<Server> = LazyLock::new(Server::start);

/// Pause between two pings: a tenth of the time after which a cluster sleeps.
const PING_PAUSE: Duration = Duration::from_millis(100);

/// Pings in several times that time.
const PINGS: usize = 50;

/// Pings until the gateway ends the session. Returns its error, or none if it answers all pings.
fn ping(session: &mut Session, times: usize) -> Option<Refused> {
    for _ in 0..times {
        std::thread::sleep(PING_PAUSE);
        session.probe.command(b"\x0e");
        let answer = session.probe.expect();
        if answer[0] != 0 {
            return Some(Refused::parse(&answer).expect("an error packet"));
        }
    }
    None
}

#[test]
fn pings_do_not_keep_a_cluster_awake_unless_it_is_told_so() {
    let cluster = SLEEPY.create("pinged");
    let mut session = Session::open(&cluster);
    assert_eq!(session.value("SELECT 1"), "1");
    let ended = ping(&mut session, PINGS).expect("the cluster falls asleep");
    assert_eq!((ended.code, ended.state.as_str()), (4031, "HY000"));
    SLEEPY.wait_state("pinged", "asleep");

    let mut session = Session::open(&cluster);
    // Also for sessions that are open.
    SLEEPY.succeed(&["cluster", "set", "pinged", "--ping-holds", "on"]);
    assert_eq!(ping(&mut session, PINGS), None, "a ping keeps it awake");
    let shown = SLEEPY.json(&["cluster", "show", "pinged"]);
    assert_eq!(
        (&shown["state"], &shown["ping_holds"]),
        (&"awake".into(), &true.into())
    );
    SLEEPY.succeed(&["cluster", "set", "pinged", "--ping-holds", "off"]);
    let ended = ping(&mut session, PINGS).expect("the cluster falls asleep");
    assert_eq!(ended.code, 4031);
}

#[test]
fn queries_between_pings_keep_a_cluster_awake() {
    let cluster = SLEEPY.create("worked");
    let mut session = Session::open(&cluster);
    for _ in 0..PINGS / 5 {
        assert_eq!(session.value("SELECT 1"), "1");
        assert_eq!(ping(&mut session, 5), None);
    }
}

#[test]
fn a_transaction_is_kept_while_its_session_only_pings() {
    let cluster = SLEEPY.create("pinged-tx");
    let mut session = Session::open(&cluster);
    session.run("CREATE TABLE t (n INT)");
    session.run("BEGIN");
    session.run("INSERT INTO t VALUES (1)");
    assert_eq!(ping(&mut session, PINGS / 2), None);
    assert_eq!(session.value("SELECT COUNT(*) FROM t"), "1");
    session.run("COMMIT");
}

#[test]
fn a_renamed_cluster_keeps_its_logins_and_frees_its_name() {
    let cluster = CALM.create("before");
    mariadb(&cluster, "CREATE TABLE t (n INT)").expect();
    let mut session = Session::open(&cluster);
    // Awake.
    let renamed = CALM.json(&["cluster", "rename", "before", "after"]);
    assert_eq!(
        (&renamed["name"], &renamed["prefix"]),
        (&"after".into(), &cluster.prefix.as_str().into())
    );
    assert_eq!(
        session.value("SELECT COUNT(*) FROM t"),
        "0",
        "open sessions stay"
    );
    drop(session);
    let other = CALM.create("before");
    // Asleep.
    CALM.sleep("after");
    CALM.succeed(&["cluster", "rename", "after", "later"]);
    assert_eq!(CALM.state("later"), "asleep");
    assert_eq!(mariadb(&cluster, "SELECT COUNT(*) FROM t").expect(), "0");
    assert_eq!(mariadb(&other, "SELECT 1").expect(), "1");

    let taken = CALM.fail(&["cluster", "rename", "later", "before"]);
    assert!(
        taken.contains("cluster \"before\" already exists"),
        "{taken}"
    );
    let wrong = CALM.fail(&["cluster", "rename", "later", "No!"]);
    assert!(wrong.contains("is not a valid name"), "{wrong}");
    let missing = CALM.fail(&["cluster", "rename", "after", "other"]);
    assert!(
        missing.contains("there is no cluster \"after\""),
        "{missing}"
    );
    CALM.succeed(&["cluster", "rename", "later", "later"]);
}

#[test]
fn names_and_settings_survive_a_restart() {
    let mut server = Server::start();
    let cluster = server.create("old");
    server.succeed(&["cluster", "rename", "old", "new"]);
    server.succeed(&[
        "cluster",
        "set",
        "new",
        "--deletion-protection",
        "on",
        "--ping-holds",
        "on",
    ]);
    server.restart();
    let shown = server.json(&["cluster", "show", "new"]);
    assert_eq!(shown["deletion_protection"], true);
    assert_eq!(shown["ping_holds"], true);
    assert_eq!(mariadb(&cluster, "SELECT 1").expect(), "1");
}

#[test]
fn a_protected_cluster_is_not_deleted_until_its_protection_is_turned_off() {
    let cluster = CALM.create("precious");
    let shown = CALM.succeed(&["cluster", "set", "precious", "--deletion-protection", "on"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("protected"), "{shown}");
    let refused = CALM.fail(&["cluster", "delete", "precious", "--yes"]);
    assert!(
        refused.contains("is protected against deletion"),
        "{refused}"
    );
    let hint = "turn the protection off: `tidegate cluster set precious --deletion-protection off`";
    assert!(refused.contains(&CALM.printed_hint(hint)), "{refused}");

    assert_eq!(mariadb(&cluster, "SELECT 1").expect(), "1");
    CALM.succeed(&["cluster", "set", "precious", "--deletion-protection", "off"]);
    CALM.succeed(&["cluster", "delete", "precious", "--yes"]);
    CALM.fail(&["cluster", "show", "precious"]);
}

#[test]
fn a_cluster_that_never_sleeps_is_started_with_the_server() {
    let mut server = Server::with(Options {
        config: "[cluster]\nsleep_after = \"never\"\n".into(),
        ..Options::default()
    });
    let cluster = server.create("always");
    server.wait_state("always", "awake");
    let shown = server.succeed(&["cluster", "show", "always"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("never"), "{shown}");
    server.restart();
    server.wait_state("always", "awake");
    server.succeed(&["cluster", "set", "always", "--sleep-after", "1s"]);
    server.wait_state("always", "asleep");
    server.succeed(&["cluster", "set", "always", "--sleep-after", "never"]);
    server.wait_state("always", "awake");
    assert_eq!(mariadb(&cluster, "SELECT 1").expect(), "1");
}

/// Asks a new session, because open sessions keep their values.
fn value(cluster: &Cluster, sql: &str) -> String {
    mariadb(cluster, sql).expect()
}

#[test]
fn server_variables_apply_asleep_and_awake_and_after_every_wake() {
    let cluster = CALM.create("tuned");
    // Asleep.
    let set = ["cluster", "set", "tuned", "--param"];
    CALM.succeed(
        &[
            &set[..],
            &["time_zone=+03:00", "--param", "sql_mode=ANSI_QUOTES"],
        ]
        .concat(),
    );
    let ask = "SELECT CONCAT_WS(' ', @@time_zone, @@sql_mode, @@tx_isolation, @@wait_timeout)";
    assert_eq!(
        value(&cluster, ask),
        "+03:00 ANSI_QUOTES REPEATABLE-READ 28800"
    );
    // Awake, with a session.
    let mut session = Session::open(&cluster);
    CALM.succeed(
        &[
            &set[..],
            &["tx_isolation=read committed", "--param", "wait_timeout=77"],
        ]
        .concat(),
    );
    CALM.succeed(&["cluster", "set", "tuned", "--param", "sql_mode="]);
    let mode =
        "STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_AUTO_CREATE_USER,NO_ENGINE_SUBSTITUTION";
    assert_eq!(
        value(&cluster, ask),
        format!("+03:00 {mode} READ-COMMITTED 77")
    );
    assert_eq!(
        session.value("SELECT @@wait_timeout"),
        "28800",
        "an open session keeps its values"
    );
    drop(session);
    let shown = CALM.json(&["cluster", "show", "tuned"]);
    let variables = serde_json::json!({
        "time_zone": "+03:00", "transaction_isolation": "READ-COMMITTED", "wait_timeout": "77",
    });
    assert_eq!(
        (&shown["variables"], &shown["variables_wait"]),
        (&variables, &false.into())
    );
    CALM.sleep("tuned");
    assert_eq!(
        value(&cluster, ask),
        format!("+03:00 {mode} READ-COMMITTED 77")
    );
    CALM.succeed(&[
        "cluster",
        "set",
        "tuned",
        "--unset-param",
        "time_zone",
        "--unset-param",
        "transaction_isolation",
        "--unset-param",
        "wait_timeout",
    ]);
    assert_eq!(
        value(&cluster, ask),
        format!("SYSTEM {mode} REPEATABLE-READ 28800")
    );
    CALM.sleep("tuned");
    assert_eq!(
        value(&cluster, ask),
        format!("SYSTEM {mode} REPEATABLE-READ 28800")
    );
}

#[test]
fn a_character_set_brings_its_collation_and_goes_with_it() {
    let cluster = CALM.create("letters");
    let ask = "SELECT CONCAT_WS(' ', @@GLOBAL.character_set_server, @@GLOBAL.collation_server)";
    for (set, want) in [
        ("character_set_server=latin1", "latin1 latin1_swedish_ci"),
        (
            "collation_server=latin1_german2_ci",
            "latin1 latin1_german2_ci",
        ),
        ("character_set_server=", "latin1 latin1_german2_ci"),
        ("collation_server=", "utf8mb4 utf8mb4_general_ci"),
        (
            "collation_server=utf8mb4_unicode_ci",
            "utf8mb4 utf8mb4_unicode_ci",
        ),
    ] {
        CALM.succeed(&["cluster", "set", "letters", "--param", set]);
        assert_eq!(value(&cluster, ask), want, "{set}");
        CALM.sleep("letters");
        assert_eq!(value(&cluster, ask), want, "{set}, after a sleep");
    }
}

#[test]
fn a_value_that_the_engine_refuses_changes_nothing() {
    let cluster = CALM.create("refused");
    let ask = "SELECT CONCAT_WS(' ', @@time_zone, @@sql_mode)";
    CALM.succeed(&[
        "cluster",
        "set",
        "refused",
        "--param",
        "sql_mode=ANSI_QUOTES",
    ]);
    for awake in [false, true] {
        if !awake {
            CALM.sleep("refused");
        }
        for bad in [
            "time_zone=Mars/Olympus",
            "time_zone=+25:00",
            "sql_mode=NO_SUCH_MODE",
            "character_set_server=klingon",
            "collation_server=utf8mb4_none",
        ] {
            // The good one comes before or after it.
            let out = CALM.fail(&[
                "cluster",
                "set",
                "refused",
                "--param",
                bad,
                "--param",
                "wait_timeout=99",
                "--ping-holds",
                "on",
            ]);
            assert!(out.contains("refuses it"), "{bad}: {out}");
        }
        assert_eq!(value(&cluster, ask), "SYSTEM ANSI_QUOTES");
        assert_eq!(value(&cluster, "SELECT @@GLOBAL.wait_timeout"), "28800");
        let shown = CALM.json(&["cluster", "show", "refused"]);
        assert_eq!(
            shown["variables"],
            serde_json::json!({"sql_mode": "ANSI_QUOTES"})
        );
        assert_eq!(shown["ping_holds"], false);
    }
    for bad in [
        "wait_timeout=0",
        "max_allowed_packet=1G",
        "max_statement_time=0.0001",
    ] {
        let out = CALM.fail(&["cluster", "set", "refused", "--param", bad]);
        assert!(out.contains("is not a value of"), "{bad}: {out}");
    }
    for bad in ["max_connections=5", "init_connect=x", "local_infile=0"] {
        let out = CALM.fail(&["cluster", "set", "refused", "--param", bad]);
        assert!(
            out.contains("is not a server variable that can be set"),
            "{bad}: {out}"
        );
    }
}

#[test]
fn a_tenant_cannot_set_variables_for_all_sessions_nor_by_the_gateway_s_account() {
    let cluster = CALM.create("tenant");
    CALM.succeed(&["cluster", "set", "tenant", "--param", "wait_timeout=99"]);
    let out = mariadb(&cluster, "SET GLOBAL wait_timeout = 5");
    assert!(out.err.contains("1227"), "{out:?}");
    let grants = value(
        &cluster,
        "SELECT JSON_VALUE(Priv, '$.access') & 32768 FROM mysql.global_priv \
         WHERE User = 'tidegate.admin'",
    );
    assert_eq!(grants, "0", "the gateway's account has no SUPER");
    mariadb(
        &cluster,
        "GRANT EXECUTE ON test.* TO 'tidegate.admin'@localhost",
    )
    .expect();
    let out = mariadb(
        &cluster,
        "CREATE DEFINER = 'tidegate.admin'@localhost PROCEDURE p() SET GLOBAL wait_timeout = 5; \
         CALL p()",
    );
    assert!(out.err.contains("1227"), "{out:?}");
    assert_eq!(value(&cluster, "SELECT @@GLOBAL.wait_timeout"), "99");
}

#[test]
fn variables_of_a_run_that_cannot_take_them_wait_for_the_next_one() {
    let cluster = CALM.create("waits");
    let mut session = Session::open(&cluster);
    assert_eq!(session.value("SELECT 1"), "1");
    let bad = CALM.fail(&[
        "cluster",
        "set",
        "waits",
        "--param",
        "sql_mode=NO_SUCH_MODE",
    ]);
    assert!(bad.contains("refuses it"), "{bad}");
    let shown = CALM.succeed(&["cluster", "set", "waits", "--param", "wait_timeout=99"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("from the next wake on"), "{shown}");
    assert_eq!(session.value("SELECT @@GLOBAL.wait_timeout"), "28800");
    drop(session);
    CALM.sleep("waits");
    assert_eq!(value(&cluster, "SELECT @@GLOBAL.wait_timeout"), "99");
    assert_eq!(
        CALM.json(&["cluster", "show", "waits"])["variables_wait"],
        false
    );

    // Without a session, the run is replaced.
    let cluster = CALM.create("replaced");
    assert_eq!(value(&cluster, "SELECT 1"), "1");
    CALM.succeed(&["cluster", "set", "replaced", "--param", "wait_timeout=99"]);
    assert_eq!(value(&cluster, "SELECT @@GLOBAL.wait_timeout"), "99");
}

#[test]
fn a_damaged_variable_in_the_store_costs_its_value_only() {
    let mut server = Server::start();
    let cluster = server.create("damaged");
    server.succeed(&["cluster", "set", "damaged", "--param", "wait_timeout=99"]);
    for variables in [
        r#"{"time_zone":"Mars/Olympus","max_connections":"1","wait_timeout":"99"}"#,
        r#"{"sql_mode":"x'; DROP TABLE t","wait_timeout":"99"}"#,
    ] {
        server.stop();
        store(
            &server,
            &format!(
                "UPDATE clusters SET variables = '{}'",
                variables.replace('\'', "''")
            ),
        );
        server.run();
        assert_eq!(
            value(
                &cluster,
                "SELECT CONCAT(@@GLOBAL.wait_timeout, ' ', @@time_zone)"
            ),
            "99 SYSTEM"
        );
    }
    assert!(
        server.log().contains("its default applies"),
        "{}",
        server.log()
    );
    server.stop();
    store(&server, "UPDATE clusters SET variables = '[7'");
    server.run();
    assert_eq!(value(&cluster, "SELECT @@GLOBAL.wait_timeout"), "28800");
}

const CHANGE_STORE: &str = "import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute(sys.argv[2])
db.commit()";

/// Changes the store of a server that is stopped.
fn store(server: &Server, sql: &str) {
    let done = std::process::Command::new("python3")
        .args(["-c", CHANGE_STORE])
        .arg(server.data().join("store.sqlite"))
        .arg(sql)
        .status();
    assert!(done.expect("python3 is installed").success());
}

#[test]
fn events_run_only_in_a_cluster_that_never_sleeps() {
    let mut server = Server::start();
    let cluster = server.create("clockwork");
    let out = server.fail(&["cluster", "set", "clockwork", "--events", "on"]);
    assert!(
        out.contains("events do not run in a sleeping cluster"),
        "{out}"
    );
    server.succeed(&[
        "cluster",
        "set",
        "clockwork",
        "--sleep-after",
        "never",
        "--events",
        "on",
    ]);
    let out = server.fail(&["cluster", "set", "clockwork", "--sleep-after", "5m"]);
    assert!(out.contains("--events off"), "{out}");
    mariadb(
        &cluster,
        "CREATE TABLE t (n INT); \
         CREATE EVENT e ON SCHEDULE EVERY 1 SECOND DO INSERT INTO t VALUES (1)",
    )
    .expect();
    let some = "SELECT COUNT(*) > 0 FROM t";
    soon("an event runs", || {
        (value(&cluster, some) == "1").then_some(())
    });
    server.restart();
    value(&cluster, "TRUNCATE t");
    soon("an event runs after a restart", || {
        (value(&cluster, some) == "1").then_some(())
    });
    server.succeed(&[
        "cluster",
        "set",
        "clockwork",
        "--events",
        "off",
        "--sleep-after",
        "5m",
    ]);
    assert_eq!(value(&cluster, "SELECT @@event_scheduler"), "OFF");
    let shown = server.json(&["cluster", "show", "clockwork"]);
    assert_eq!(
        (&shown["events"], &shown["events_defined"]),
        (&false.into(), &1.into())
    );
    mariadb(&cluster, "CREATE EVENT e2 ON SCHEDULE EVERY 1 DAY DO DO 1").expect();
    server.sleep("clockwork");
    let shown = server.succeed(&["cluster", "show", "clockwork"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("2 defined, not running"), "{shown}");
}

/// Logs in from this loopback address. Returns the refusal, if it is refused.
fn refusal_from(source: &str, cluster: &Cluster, user: &str, password: &str) -> Option<Refused> {
    let mut probe = Probe::over(dial_from(source, cluster.addr()));
    probe.write(1, &wire::ssl_request(wire::ORDINARY));
    probe
        .upgrade(tls::verified(&cluster.ca, tls::BOTH), "127.0.0.1")
        .expect("the TLS handshake");
    match probe.login(&Response::new(user), password) {
        Verdict::In => None,
        other => Some(other.refused()),
    }
}

fn code_from(source: &str, cluster: &Cluster, user: &str, password: &str) -> u16 {
    refusal_from(source, cluster, user, password).map_or(0, |refused| refused.code)
}

#[test]
fn logins_from_other_addresses_are_refused_whatever_their_password() {
    let cluster = CALM.create("fenced");
    let set = ["cluster", "set", "fenced", "--ip-allow"];
    CALM.succeed(&[&set[..], &["127.0.0.9", "2001:db8::/32,127.0.9.0/24"]].concat());
    for password in [cluster.password.as_str(), "wrong", ""] {
        let refused = refusal_from("127.0.0.1", &cluster, &cluster.user, password).unwrap();
        assert_eq!((refused.code, refused.state.as_str()), (1130, "HY000"));
        assert!(
            refused.message.contains("address-not-allowed"),
            "{refused:?}"
        );
    }
    let out = mariadb(&cluster, "SELECT 1");
    assert!(out.err.contains("1130"), "{out:?}");
    assert_eq!(CALM.state("fenced"), "asleep", "nothing was woken");
    for source in ["127.0.0.9", "127.0.9.7"] {
        assert_eq!(
            code_from(source, &cluster, &cluster.user, &cluster.password),
            0
        );
        assert_eq!(code_from(source, &cluster, &cluster.user, "wrong"), 1045);
    }
    // Open sessions stay, and a restart keeps the list.
    CALM.succeed(&[&set[..], &["any"]].concat());
    let mut session = Session::open(&cluster);
    CALM.succeed(&[&set[..], &["::ffff:127.0.0.9"]].concat());
    assert_eq!(session.value("SELECT 1"), "1");
    let shown = CALM.json(&["cluster", "show", "fenced"]);
    assert_eq!(shown["ip_allow"], serde_json::json!(["127.0.0.9"]));
    for (wrong, text) in [
        ("10.0.0.1/8", "give 10.0.0.0/8"),
        ("localhost", "is not an address or a network"),
        ("any,10.0.0.0/8", "is not an address or a network"),
    ] {
        let out = CALM.fail(&[&set[..], &[wrong]].concat());
        assert!(out.contains(text), "{wrong}: {out}");
    }
    let many: Vec<_> = (0..201).map(|n| format!("10.0.{n}.0/24")).collect();
    let out = CALM.fail(&[&set[..], &[many.join(",").as_str()]].concat());
    assert!(out.contains("more than 200"), "{out}");
    CALM.succeed(&[&set[..], &[many[..200].join(",").as_str()]].concat());
}

/// Prefixes that no cluster has.
fn unknown_users() -> Vec<String> {
    let letters = "abcdefghjkmnpqrs".chars();
    letters
        .map(|c| format!("{}.root", c.to_string().repeat(12)))
        .collect()
}

/// Answers to unknown prefixes from this address.
fn answers(source: &str, cluster: &Cluster) -> Vec<u16> {
    let users = unknown_users();
    let codes = users
        .iter()
        .map(|user| code_from(source, cluster, user, "x"));
    codes.collect()
}

#[test]
fn an_unknown_prefix_is_refused_as_the_cluster_that_it_imitates() {
    let mut server = Server::start();
    let fenced = server.create("fenced");
    server.succeed(&["cluster", "set", "fenced", "--ip-allow", "127.0.0.9"]);
    assert!(
        answers("127.0.0.1", &fenced)
            .iter()
            .all(|code| *code == 1130)
    );
    assert!(
        answers("127.0.0.9", &fenced)
            .iter()
            .all(|code| *code == 1045)
    );
    server.create("open");
    let mixed = answers("127.0.0.1", &fenced);
    assert!(mixed.contains(&1130) && mixed.contains(&1045), "{mixed:?}");
    server.restart();
    assert_eq!(
        answers("127.0.0.1", &fenced),
        mixed,
        "each prefix keeps its answer"
    );
    server.succeed(&["cluster", "set", "fenced", "--ip-allow", "any"]);
    assert!(
        answers("127.0.0.1", &fenced)
            .iter()
            .all(|code| *code == 1045)
    );
}

/// Logs in as a balancer does that sends this header. Returns the code of the refusal, or 0.
fn code_behind(cluster: &Cluster, header: &str) -> u16 {
    let mut tcp = dial_from("127.0.8.1", cluster.addr());
    std::io::Write::write_all(&mut tcp, header.as_bytes()).expect("written");
    let mut probe = Probe::over(tcp);
    probe.write(1, &wire::ssl_request(wire::ORDINARY));
    probe
        .upgrade(tls::verified(&cluster.ca, tls::BOTH), "127.0.0.1")
        .expect("the TLS handshake");
    match probe.login(&Response::new(&cluster.user), &cluster.password) {
        Verdict::In => 0,
        other => other.refused().code,
    }
}

#[test]
fn behind_a_balancer_the_address_of_the_header_decides() {
    let server = Server::with(Options {
        config: "[gateway]\nproxy_networks = [\"127.0.8.0/24\"]\n".into(),
        ..Options::default()
    });
    let cluster = server.create("balanced");
    server.succeed(&["cluster", "set", "balanced", "--ip-allow", "203.0.113.0/24"]);
    assert_eq!(
        code_behind(&cluster, "PROXY TCP4 203.0.113.9 127.0.0.1 4711 4000\r\n"),
        0
    );
    assert_eq!(
        code_behind(&cluster, "PROXY TCP6 ::ffff:203.0.113.9 ::1 4711 4000\r\n"),
        0
    );
    assert_eq!(
        code_behind(&cluster, "PROXY TCP4 203.0.114.9 127.0.0.1 4711 4000\r\n"),
        1130
    );
    assert_eq!(
        code_behind(&cluster, "PROXY UNKNOWN\r\n"),
        1130,
        "the balancer's own address"
    );
}
