//! Logins and refusals. Refusals that must be alike are compared byte for byte.

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
use tidegate_e2e::probe::{Probe, try_login};
use tidegate_e2e::session::{Session, almighty};
use tidegate_e2e::wire::{self, NATIVE, Refused, Response, native_scramble};
use tidegate_e2e::{Cluster, Options, Server, processes, tls};

/// Server of all tests in this file; each test has its own cluster.
static SERVER: LazyLock<Server> = LazyLock::new(Server::start);

fn secured(cluster: &Cluster) -> Probe {
    Probe::secured(cluster.addr(), tls::verified(&cluster.ca, tls::BOTH))
}

fn refused(cluster: &Cluster, user: &str, password: &str) -> Refused {
    try_login(cluster.addr(), &cluster.ca, user, password)
        .1
        .refused()
}

/// Returns the verdict on a login. On a busy machine the engine's accounts may not be read in time,
/// which is the only answer that asks to try again.
fn verdict(cluster: &Cluster, user: &str, password: &str) -> Refused {
    soon("a verdict", || {
        Some(refused(cluster, user, password)).filter(|refused| refused.code != 1040)
    })
}

#[test]
fn a_fresh_cluster_gives_a_verified_row() {
    let cluster = SERVER.create("row");
    assert_eq!(
        mariadb(&cluster, "SELECT 6 * 7, DATABASE()").expect(),
        "42\ttest"
    );
    let mut session = Session::open(&cluster);
    assert_eq!(session.value("SELECT CURRENT_USER()"), "root@%");
}

#[test]
fn a_fresh_cluster_is_what_users_expect() {
    let cluster = SERVER.create("fresh");
    let mut session = Session::open(&cluster);
    for (variable, want) in [
        ("character_set_server", "utf8mb4"),
        ("character_set_database", "utf8mb4"),
        ("character_set_system", "utf8mb3"),
    ] {
        assert_eq!(
            session.value(&format!("SELECT @@{variable}")),
            want,
            "{variable}"
        );
    }
    assert!(
        session
            .value("SELECT @@sql_mode")
            .contains("STRICT_TRANS_TABLES")
    );
    assert!(
        session
            .value("SELECT @@global.max_allowed_packet")
            .parse::<u64>()
            .unwrap()
            >= 64 << 20
    );
    let zone = session.value("SELECT CONVERT_TZ('2026-07-01 12:00:00', 'UTC', 'Europe/Berlin')");
    assert_eq!(zone, "2026-07-01 14:00:00", "named time zones");
    assert_eq!(session.value("SELECT @@skip_networking"), "1");
}

#[test]
fn case_37_all_forms_of_a_wrong_login_read_alike() {
    let cluster = SERVER.create("alike");
    let wrong = verdict(&cluster, &cluster.user, "not it");
    assert_eq!((wrong.code, wrong.state.as_str()), (1045, "28000"));
    let prefix = &cluster.prefix;
    for user in [
        format!("{prefix}.nobody"),
        "zzzzzzzzzzzz.root".to_owned(),
        format!("{prefix}."),
        ".root".to_owned(),
        format!("{}.root", prefix.to_uppercase()),
        format!("'{prefix}'.root"),
        format!("{prefix}..root"),
        format!("{prefix}.{}", "x".repeat(200)),
    ] {
        assert_eq!(verdict(&cluster, &user, "not it"), wrong, "{user}");
    }
    for raw in [&b"\xff\xfe.root"[..], b"abcdefghjkmn.\xc3\x28"] {
        let mut probe = secured(&cluster);
        let response = Response {
            user: raw.to_vec(),
            ..Response::new("")
        };
        assert_eq!(probe.login(&response, "not it").refused(), wrong, "{raw:?}");
    }
}

#[test]
fn case_37_a_name_without_prefix_is_told_the_right_form() {
    let cluster = SERVER.create("noprefix");
    for user in ["root", "", &cluster.prefix] {
        let refused = refused(&cluster, user, &cluster.password);
        assert_eq!(refused.code, 1045, "{user}");
        assert!(
            refused.message.starts_with("Missing user name prefix"),
            "{user}: {}",
            refused.message
        );
        assert!(
            refused.message.contains("<prefix>.<user>"),
            "{}",
            refused.message
        );
    }
}

#[test]
fn a_wrong_password_never_starts_an_engine() {
    let server = Server::start();
    let cluster = server.create("quiet");
    server.sleep("quiet");
    for (user, password) in [
        (&*cluster.user, "wrong"),
        (&cluster.login("nobody"), &cluster.password),
        ("a.root", ""),
    ] {
        refused(&cluster, user, password);
        let mut probe = secured(&cluster);
        let scramble = native_scramble(password, &probe.greeting.salt);
        let response = Response {
            plugin: Some(NATIVE.into()),
            auth: scramble,
            ..Response::new(user)
        };
        probe.login(&response, password).refused();
    }
    assert_eq!(server.engines(), Vec::<u32>::new());
    assert_eq!(server.state("quiet"), "asleep");
    assert_eq!(
        mariadb(&cluster, "SELECT 1").expect(),
        "1",
        "and the right one still does"
    );
}

/// Logs in and returns the account that the engine chose.
fn current_user(cluster: &Cluster, user: &str, password: &str) -> String {
    let mut session = Session::login(cluster, user, password, wire::ORDINARY).unwrap();
    session.value("SELECT CURRENT_USER()")
}

#[test]
fn an_account_made_in_sql_with_or_without_its_prefix_works() {
    let cluster = SERVER.create("named");
    let mut root = Session::open(&cluster);
    let whole = cluster.login("whole");
    root.run(&format!("CREATE USER '{whole}'@'%' IDENTIFIED BY 'one'"));
    root.run("CREATE USER bare@'%' IDENTIFIED BY 'two'");
    root.run("GRANT ALL ON test.* TO bare@'%'");
    root.run(&format!("GRANT ALL ON test.* TO '{whole}'@'%'"));
    assert_eq!(current_user(&cluster, &whole, "one"), format!("{whole}@%"));
    assert_eq!(
        current_user(&cluster, &cluster.login("bare"), "two"),
        "bare@%"
    );
}

#[test]
fn a_password_changed_while_awake_applies_at_once() {
    let cluster = SERVER.create("awake");
    Session::open(&cluster).run("ALTER USER root@'%' IDENTIFIED BY 'second'");
    assert_eq!(
        refused(&cluster, &cluster.user, &cluster.password).code,
        1045
    );
    Session::login(&cluster, &cluster.user, "second", wire::ORDINARY).unwrap();
}

#[test]
fn a_verdict_does_not_wait_behind_a_tenants_queries() {
    let cluster = SERVER.create("hogs");
    // More sessions than the engine's pool has threads, all of them busy.
    let mut hogs: Vec<_> = (0..6).map(|_| Session::open(&cluster)).collect();
    hogs.iter_mut()
        .for_each(|hog| hog.send("SELECT BENCHMARK(4000000000, SHA1('hog'))"));
    // A mismatch while awake needs a reading of the accounts; a late reading ends in 1040.
    assert_eq!(refused(&cluster, &cluster.user, "wrong").code, 1045);
    hogs.into_iter().for_each(|hog| hog.probe.reset());
}

#[test]
fn a_password_changed_just_before_sleep_applies() {
    let cluster = SERVER.create("evening");
    Session::open(&cluster).run("ALTER USER root@'%' IDENTIFIED BY 'second'");
    SERVER.sleep("evening");
    assert_eq!(
        refused(&cluster, &cluster.user, &cluster.password).code,
        1045
    );
    assert_eq!(SERVER.state("evening"), "asleep");
    Session::login(&cluster, &cluster.user, "second", wire::ORDINARY).unwrap();
}

#[test]
fn a_password_changed_before_a_kill_applies_after_it() {
    let server = Server::with(Options::default());
    let cluster = server.create("killed");
    Session::open(&cluster).run("ALTER USER root@'%' IDENTIFIED BY 'second'");
    processes::kill9(server.engine());
    // During the recovery a login may get "try again", but never a denial.
    let old = soon("a verdict on the old password", || {
        let refused = refused(&cluster, &cluster.user, &cluster.password);
        (refused.code == 1045).then_some(refused)
    });
    assert_eq!(old.state, "28000");
    soon("the new password", || {
        match Session::login(&cluster, &cluster.user, "second", wire::ORDINARY) {
            Ok(session) => Some(session),
            Err(refused) => {
                assert_ne!(refused.code, 1045, "a wrong verdict: {refused:?}");
                None
            }
        }
    });
}

#[test]
fn the_password_command_changes_it() {
    let cluster = SERVER.create("renewed");
    let renewed = SERVER.json(&["cluster", "password", "renewed"]);
    let password = renewed["password"].as_str().expect("a password");
    assert_ne!(password, cluster.password);
    assert_eq!(
        refused(&cluster, &cluster.user, &cluster.password).code,
        1045
    );
    Session::login(&cluster, &cluster.user, password, wire::ORDINARY).unwrap();
}

#[test]
fn requirements_of_an_account_are_told_only_with_its_password() {
    let cluster = SERVER.create("require");
    let mut root = Session::open(&cluster);
    let denied = refused(&cluster, &cluster.login("nobody"), "right");
    let certificate = "REQUIRE X509, ISSUER or SUBJECT, and";
    let other_cipher = "REQUIRE CIPHER 'TLS_CHACHA20_POLY1305_SHA256'";
    for (user, clause, text) in [
        ("cert", "REQUIRE X509", certificate),
        ("subject", "REQUIRE SUBJECT '/CN=x'", certificate),
        (
            "issuer",
            "REQUIRE ISSUER '/CN=x' AND CIPHER 'x'",
            certificate,
        ),
        ("cipher", other_cipher, "has REQUIRE CIPHER, and this"),
    ] {
        root.run(&format!(
            "CREATE USER {user}@'%' IDENTIFIED BY 'right' {clause}"
        ));
        assert_eq!(
            refused(&cluster, &cluster.login(user), "wrong"),
            denied,
            "{user}"
        );
        let login = Cluster {
            user: cluster.login(user),
            password: "right".into(),
            database: String::new(),
            ..cluster.clone()
        };
        let said = mariadb(&login, "SELECT 1");
        assert!(
            !said.ok && said.err.contains("ERROR 1045") && said.err.contains(text),
            "{user}: {said:?}"
        );
        assert!(
            said.err.contains("ALTER USER ... REQUIRE"),
            "{user}: {said:?}"
        );
        root.run(&format!("ALTER USER {user}@'%' REQUIRE NONE"));
        assert_eq!(mariadb(&login, "SELECT 1").expect(), "1", "{user}");
    }
    // First an old password after a change, then the new one, with the only user of the cluster.
    root.run("ALTER USER root@'%' REQUIRE X509");
    let told = mariadb(&cluster, "SELECT 1").err;
    assert!(told.contains(certificate), "{told}");
    assert_eq!(refused(&cluster, &cluster.user, "wrong"), denied);
    let renewed = SERVER.json(&["cluster", "password", "require"]);
    let password = renewed["password"].as_str().unwrap().to_owned();
    assert_eq!(
        mariadb(
            &Cluster {
                password,
                ..cluster
            },
            "SELECT 1"
        )
        .expect(),
        "1"
    );
}

#[test]
fn case_43_the_error_of_a_full_engine_is_passed_on() {
    let cluster = SERVER.create("packed");
    // The engine's limit is below the gateway's, because the tenant has lowered it.
    almighty(&cluster).run("SET GLOBAL max_connections = 10");
    let mut open = Vec::new();
    let refused = loop {
        assert!(open.len() < 30, "the engine took them all");
        match Session::login(&cluster, &cluster.user, &cluster.password, wire::ORDINARY) {
            Ok(session) => open.push(session),
            Err(refused) => break refused,
        }
    };
    assert_eq!(
        (refused.code, refused.state.as_str()),
        (1040, "08004"),
        "{refused:?}"
    );
}

#[test]
fn the_log_has_one_line_per_connection_and_no_secret() {
    let server = Server::start();
    let cluster = server.create("noted");
    let mut session = Session::open(&cluster);
    let id = session.probe.greeting.id.to_string();
    session.value("SELECT 1");
    session.quit();
    refused(&cluster, &cluster.user, "a-wrong-password");
    let line = soon("the line of the session", || {
        let log = server.log();
        let lines: Vec<_> = log
            .lines()
            .filter(|l| l.contains(&id) && l.contains("connection closed"))
            .collect();
        assert!(lines.len() <= 1, "{lines:?}");
        lines
            .first()
            .map(|l| serde_json::from_str::<serde_json::Value>(l).expect("JSON"))
    });
    let text = line.to_string();
    for word in ["noted", "root", "TLSv1_3", "bytes_in", "bytes_out"] {
        let spelled = text.contains(word) || (word == "TLSv1_3" && text.contains("TLS 1.3"));
        assert!(spelled, "{word}: {text}");
    }
    let log = server.log();
    assert!(
        !log.contains(&cluster.password) && !log.contains("a-wrong-password"),
        "{log}"
    );
}
