//! Server variables and events of a cluster.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use std::sync::LazyLock;
use tidegate_e2e::clients::mariadb;
use tidegate_e2e::limits::soon;
use tidegate_e2e::session::{Session, almighty};
use tidegate_e2e::{Cluster, Server};

/// Server whose clusters sleep only on command.
static CALM: LazyLock<Server> = LazyLock::new(Server::start);

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

/// Every variable, with its name in the engine, values that are stored as they are in force, and
/// values that the engine would round.
const VALUES: [(&str, &str, &str, &str); 13] = [
    ("character_set_server", "", "utf8 latin1 utf8mb4", ""),
    ("collation_server", "", "utf8_bin latin1_bin binary", ""),
    ("default_storage_engine", "", "aria MyISAM InnoDB", ""),
    (
        "group_concat_max_len",
        "",
        "4 5 12345 67108863 67108864",
        "",
    ),
    (
        "innodb_lock_wait_timeout",
        "",
        "0 1 12345 31535999 31536000",
        "",
    ),
    ("interactive_timeout", "", "1 2 12345 31535999 31536000", ""),
    ("lock_wait_timeout", "", "0 1 12345 31535999 31536000", ""),
    (
        "max_allowed_packet",
        "",
        "1024 2048 67108864",
        "1025 12345 67108863",
    ),
    ("max_statement_time", "", "0 0.1 0.123456 1.50 31536000", ""),
    ("sql_mode", "", "0 ansi_quotes,ANSI_QUOTES NO_ZERO_DATE", ""),
    ("time_zone", "", "+2:00 system Europe/Paris", ""),
    (
        "transaction_isolation",
        "tx_isolation",
        "serializable READ-COMMITTED",
        "",
    ),
    ("wait_timeout", "", "1 2 12345 31535999 31536000", ""),
];

/// Whether the engine's value is the stored one.
fn is_same(found: &str, stored: &str) -> bool {
    match (found.parse::<f64>(), stored.parse::<f64>()) {
        (Ok(found), Ok(stored)) => (found - stored).abs() < 1e-9,
        // No modes.
        (Err(_), Ok(stored)) => stored == 0.0 && found.is_empty(),
        _ => found == stored,
    }
}

#[test]
fn what_is_stored_is_in_force_or_the_value_is_refused() {
    let cluster = CALM.create("exact");
    let all = CALM.fail(&["cluster", "set", "exact", "--param", "nosuch=1"]);
    let names = VALUES.map(|(name, ..)| name).join(", ");
    assert!(all.contains(&format!("choose one of {names}\n")), "{all}");
    for (name, sql_name, values, rounded) in VALUES {
        let ask = format!(
            "SELECT @@GLOBAL.{}",
            if sql_name.is_empty() { name } else { sql_name }
        );
        for value in values.split(' ') {
            let assignment = format!("{name}={value}");
            CALM.succeed(&["cluster", "set", "exact", "--param", &assignment]);
            let shown = CALM.json(&["cluster", "show", "exact"]);
            let stored = shown["variables"][name].as_str().unwrap().to_owned();
            let found = mariadb(&cluster, &ask).expect();
            assert!(
                is_same(&found, &stored),
                "{assignment}: {stored} is stored, {found} in force"
            );
        }
        for value in rounded.split_whitespace() {
            let assignment = format!("{name}={value}");
            let out = CALM.cli(&["cluster", "set", "exact", "--param", &assignment]);
            assert_eq!(out.status.code(), Some(2), "{assignment}: {out:?}");
        }
        CALM.succeed(&["cluster", "set", "exact", "--unset-param", name]);
    }
    let args = [
        "cluster",
        "set",
        "exact",
        "--param",
        "character_set_server=latin1",
        "--param",
        "collation_server=utf8mb4_general_ci",
    ];
    let out = CALM.fail(&args);
    assert!(out.contains("is no collation of"), "{out}");
    assert_eq!(CALM.cli(&args).status.code(), Some(2));
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
    // SQL turns it on by itself.
    let mut tenant = almighty(&cluster);
    tenant.run("SET GLOBAL event_scheduler = ON");
    let shown = server.json(&["cluster", "show", "clockwork"]);
    assert_eq!(shown["events_running"], true, "{shown}");
    let text = server.succeed(&["cluster", "show", "clockwork"]);
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(text.contains("1 defined, running: SQL turned"), "{text}");
    tenant.run("SET GLOBAL event_scheduler = OFF");
    drop(tenant);
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
