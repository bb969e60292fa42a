//! Databases that an operator manages: names, grants, and work that fails or meets other work.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use serde_json::json;
use std::process::{Child, ExitStatus, Stdio};
use tidegate_e2e::Server;
use tidegate_e2e::clients::mariadb;
use tidegate_e2e::session::{Session, almighty};
use tidegate_e2e::users::{create_user, error_code, json_before, lines, names, row};

#[test]
fn databases_of_any_name_are_created_listed_and_deleted() {
    let server = Server::start();
    let root = server.create("shop");
    server.sleep("shop");
    let odd = ["app_1", "a`b'c\"d\\e", "größe", "x/y", "100%", "..", "-x"];
    for name in odd {
        let made = json_before(&server, &["database", "create", "shop", "--", name]);
        assert_eq!(made["name"], name);
        assert_eq!(made["character_set"], "utf8mb4");
    }
    let seen = lines(mariadb(&root, "SHOW DATABASES"));
    assert_eq!(
        seen.len(),
        4 + odd.len(),
        "with test and the engine's own: {seen:?}"
    );
    let list = server.json(&["database", "list", "shop"]);
    let mut want = odd.to_vec();
    want.push("test");
    let mut listed = names(&list);
    want.sort_unstable();
    listed.sort_unstable();
    assert_eq!(listed, want);
    for (name, code) in [
        ("app_1", "exists"),
        ("mysql", "bad_name"),
        ("MySQL", "bad_name"),
        ("sys", "bad_name"),
        ("Performance_Schema", "bad_name"),
        ("information_schema", "bad_name"),
        ("#mysql50#x", "bad_name"),
        ("tidegate:read-only", "bad_name"),
        ("", "usage"),
        (" x", "bad_name"),
        ("a\x1b[2Jb", "bad_name"),
        ("\u{1f600}", "bad_name"),
        (&*"x".repeat(65), "bad_name"),
    ] {
        let args = ["database", "create", "shop", name];
        assert_eq!(error_code(&server, &args), code, "{name}");
    }
    for name in ["ib_logfile0", "ibdata1", "aria_log_control"] {
        let said = server.fail(&["database", "create", "shop", name]);
        assert!(
            said.contains("a file of the engine has this name"),
            "{said}"
        );
    }
    let args = ["database", "create", "nosuch", "x"];
    assert_eq!(error_code(&server, &args), "not_found");
    let asked = server.fail(&["database", "delete", "shop", "app_1"]);
    assert!(asked.contains("--yes"), "{asked}");
    for name in odd {
        server.succeed(&["database", "delete", "shop", "--yes", "--", name]);
    }
    for (name, code) in [("app_1", "not_found"), ("mysql", "bad_name")] {
        let args = ["database", "delete", "shop", name, "--yes"];
        assert_eq!(error_code(&server, &args), code, "{name}");
    }
    assert_eq!(names(&server.json(&["database", "list", "shop"])), ["test"]);
}

#[test]
fn a_database_that_sql_made_is_listed_safely_and_can_be_deleted() {
    let server = Server::start();
    let root = server.create("shop");
    mariadb(&root, "CREATE DATABASE `a\x1b[2Jb`").expect();
    let shown = server.succeed(&["database", "list", "shop"]).stdout;
    let shown = String::from_utf8(shown).unwrap();
    assert!(shown.contains("a\\x1b[2Jb"), "{shown}");
    let list = server.json(&["database", "list", "shop"]);
    assert_eq!(names(&list), ["a\x1b[2Jb", "test"]);
    server.succeed(&["database", "delete", "shop", "a\x1b[2Jb", "--yes"]);
}

#[test]
fn a_database_in_use_is_not_deleted_and_keeps_its_grants() {
    let server = Server::start();
    let root = server.create("shop");
    server.succeed(&["database", "create", "shop", "app"]);
    let reader = create_user(&server, &root, &["reader", "--role", "read-only"], "app");
    mariadb(
        &root,
        "CREATE TABLE app.t (n INT); INSERT INTO app.t VALUES (7)",
    )
    .expect();
    let mut session = Session::open(&root);
    session.run("START TRANSACTION");
    assert_eq!(session.value("SELECT n FROM app.t"), "7");
    let args = ["database", "delete", "shop", "app", "--yes"];
    assert_eq!(error_code(&server, &args), "busy");
    assert_eq!(mariadb(&reader, "SELECT n FROM app.t").expect(), "7");
    session.run("COMMIT");
    server.succeed(&args);
}

#[test]
fn work_that_fails_in_the_middle_leaves_no_account() {
    let server = Server::start();
    let root = server.create("shop");
    let mut tenant = almighty(&root);
    // The account may be created, but nothing may be granted.
    tenant.run("REVOKE ALL PRIVILEGES ON `%`.* FROM 'tidegate.admin'@localhost");
    tenant.run("REVOKE GRANT OPTION ON `%`.* FROM 'tidegate.admin'@localhost");
    tenant.run("REVOKE GRANT OPTION ON *.* FROM 'tidegate.admin'@localhost");
    for name in ["app", "app"] {
        let args = ["user", "create", "shop", name, "--role", "read-write"];
        assert_eq!(error_code(&server, &args), "engine_failed");
    }
    assert_eq!(
        tenant.value("SELECT COUNT(*) FROM mysql.global_priv WHERE User = 'app'"),
        "0"
    );
    assert_eq!(
        error_code(&server, &["database", "create", "shop", "app"]),
        "engine_failed"
    );
    tenant.quit();
    server.sleep("shop");
    // The next start gives the gateway's account its rights again.
    server.succeed(&["user", "create", "shop", "app", "--role", "read-write"]);
}

/// Starts a command without waiting for it.
fn begin(server: &Server, args: &[&str]) -> Child {
    let mut command = server.command(args);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

/// Waits for commands and counts those that succeeded.
fn succeeded(children: Vec<Child>) -> usize {
    let ended = children.into_iter().map(|mut child| child.wait().unwrap());
    ended.filter(ExitStatus::success).count()
}

#[test]
fn commands_at_the_same_time_do_not_disturb_each_other() {
    let server = Server::start();
    server.create("shop");
    server.sleep("shop");
    let same: Vec<_> = (0..4)
        .map(|_| {
            begin(
                &server,
                &["user", "create", "shop", "app", "--role", "read-only"],
            )
        })
        .collect();
    let more: Vec<_> = (0..4)
        .map(|n| begin(&server, &["database", "create", "shop", &format!("db{n}")]))
        .collect();
    assert_eq!(succeeded(same), 1, "one of them is the first");
    assert_eq!(succeeded(more), 4);
    let list = server.json(&["user", "list", "shop"]);
    let databases = json!(["db0", "db1", "db2", "db3", "test"]);
    assert_eq!(
        row(&list, "app")["databases"],
        databases,
        "whichever came first"
    );
}
