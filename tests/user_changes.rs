//! Changes of users and databases beside what a tenant does: locks of a backup, accounts at other
//! hosts, a read-only engine, and an engine that is killed. What a command says is what happened.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use serde_json::{Value, json};
use std::sync::LazyLock;
use tidegate_e2e::clients::mariadb;
use tidegate_e2e::console::Console;
use tidegate_e2e::session::{Session, almighty};
use tidegate_e2e::users::{create_user, error_code, names, row};
use tidegate_e2e::wire;
use tidegate_e2e::{Cluster, Server, processes};

static SERVER: LazyLock<Server> = LazyLock::new(Server::start);

fn logs_in(cluster: &Cluster, user: &str, password: &str) -> bool {
    Session::login(cluster, &cluster.login(user), password, wire::ORDINARY).is_ok()
}

fn password_of(made: &Value) -> &str {
    made["password"].as_str().unwrap()
}

/// Under this stage MariaDB makes each change of accounts, and answers that it waited in vain.
#[test]
fn changes_of_users_under_a_backup_lock_are_told_as_made() {
    let root = SERVER.create("stage");
    let mut backup = Session::open(&root);
    backup.run("BACKUP STAGE START");
    backup.run("BACKUP STAGE BLOCK_COMMIT");
    let made = SERVER.json(&["user", "create", "stage", "app", "--role", "read-only"]);
    assert!(logs_in(&root, "app", password_of(&made)));
    let changed = SERVER.json(&["user", "password", "stage", "app"]);
    assert!(logs_in(&root, "app", password_of(&changed)));
    assert!(!logs_in(&root, "app", password_of(&made)));
    SERVER.succeed(&["user", "delete", "stage", "app", "--yes"]);
    assert!(!logs_in(&root, "app", password_of(&changed)));
    let refused = SERVER.fail(&["database", "create", "stage", "orders"]);
    assert!(refused.contains("nothing was changed"), "{refused}");
    assert_eq!(
        names(&SERVER.json(&["database", "list", "stage"])),
        ["test"]
    );
    backup.run("BACKUP STAGE END");
    SERVER.succeed(&["database", "create", "stage", "orders"]);
}

/// Under this lock nothing is changed.
#[test]
fn changes_that_wait_in_vain_leave_all_as_it_was() {
    let root = SERVER.create("reads");
    let app = create_user(&SERVER, &root, &["app", "--role", "read-only"], "test");
    SERVER.succeed(&["database", "create", "reads", "orders"]);
    mariadb(&root, "CREATE TABLE orders.t (n INT)").expect();
    let mut backup = Session::open(&root);
    backup.run("FLUSH TABLES WITH READ LOCK");
    for args in [
        &["user", "create", "reads", "late", "--role", "read-only"][..],
        &["user", "password", "reads", "app"],
        &["user", "delete", "reads", "app", "--yes"],
        &["database", "delete", "reads", "orders", "--yes"],
    ] {
        let said = SERVER.fail(args);
        assert!(
            said.contains("too busy") && said.contains("nothing was changed"),
            "{args:?}: {said}"
        );
    }
    backup.run("UNLOCK TABLES");
    assert!(logs_in(&root, "app", &app.password));
    let users = SERVER.json(&["user", "list", "reads"]);
    assert_eq!(names(&users), ["app", "root"]);
    assert_eq!(
        mariadb(&root, "SELECT COUNT(*) FROM orders.t").expect(),
        "0"
    );
    SERVER.succeed(&["user", "create", "reads", "late", "--role", "read-only"]);
}

#[test]
fn each_account_of_a_user_is_listed_with_its_own_role() {
    let root = SERVER.create("hosts");
    create_user(&SERVER, &root, &["app", "--role", "read-only"], "test");
    let mut tenant = Session::open(&root);
    tenant.run("CREATE USER app@'10.0.0.%' IDENTIFIED BY 'x'");
    tenant.run("GRANT ALL ON test.* TO app@'10.0.0.%'");
    tenant.run("CREATE USER root@'10.1.%' IDENTIFIED BY 'x' ACCOUNT LOCK");
    let users = SERVER.json(&["user", "list", "hosts"]);
    let app = row(&users, "app");
    let mut accounts = app["accounts"].as_array().unwrap().clone();
    accounts.sort_by_key(|account| account["host"].to_string());
    assert_eq!(
        json!(accounts),
        json!([
            {"host": "%", "role": "read-only", "locked": false},
            {"host": "10.0.0.%", "role": null, "locked": false},
        ])
    );
    let text = String::from_utf8(SERVER.succeed(&["user", "list", "hosts"]).stdout).unwrap();
    let rows: Vec<Vec<&str>> = text
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().collect())
        .collect();
    let app = root.login("app");
    let admin = root.login("root");
    assert_eq!(rows[0], ["app", "read-only", "all", "%", &app]);
    assert_eq!(rows[1], ["app", "-", "-", "10.0.0.%", &app]);
    assert_eq!(rows[2], ["root", "admin", "all", "%", &admin]);
    let locked = ["root", "-", "(locked)", "-", "10.1.%", &admin];
    assert_eq!(rows[3], locked);
}

#[test]
fn a_tenants_own_read_only_is_not_called_a_disk_limit() {
    let root = SERVER.create("quiet");
    let mut tenant = almighty(&root);
    tenant.run("SET GLOBAL read_only = 1");
    let args = ["database", "create", "quiet", "orders"];
    let said = SERVER.fail(&args);
    assert!(said.contains("a session has set read_only"), "{said}");
    assert_eq!(error_code(&SERVER, &args), "busy");
    let mut session = Session::open(&root);
    let refused = session.query("CREATE TABLE t (n INT)").refused();
    assert_eq!(refused.code, 1290, "{refused:?}");
    assert!(!refused.message.contains("disk limit"), "{refused:?}");
    tenant.run("SET GLOBAL read_only = 0");
    SERVER.succeed(&args);
}

#[test]
fn an_engine_that_was_killed_is_woken_for_each_command() {
    let server = Server::start();
    let root = server.create("killed");
    for args in [
        &["user", "create", "killed", "app", "--role", "read-only"][..],
        &["user", "password", "killed", "app"],
        &["user", "list", "killed"],
        &["database", "create", "killed", "orders"],
        &["database", "list", "killed"],
        &["database", "delete", "killed", "orders", "--yes"],
        &["user", "delete", "killed", "app", "--yes"],
    ] {
        Session::open(&root).quit();
        processes::kill9(server.engine());
        server.succeed(args);
    }
}

#[test]
fn answers_of_the_api_control_no_terminal() {
    let console = Console::start("");
    let root = console.server.create("shop");
    let name = "a\u{9b}31m\u{202e}b\u{7f}é";
    mariadb(&root, &format!("CREATE DATABASE `{name}`")).expect();
    let key = console
        .server
        .json(&["key", "create", "reader", "--scope", "clusters:shop"]);
    let key = key["key"].as_str().unwrap();
    let answer = console.with_key(key, "/v1/clusters/shop/databases", &[]);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["databases"][0]["name"], name);
    let controls = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
    assert!(!answer.body.contains(controls), "{:?}", answer.body);
    assert!(answer.body.contains("\\u009b31m\\u202e"), "{}", answer.body);
    assert!(answer.body.contains('é'));
    // Errors repeat what was asked for.
    let path = "/v1/clusters/%C2%9B31m%E2%80%AE/users";
    let answer = console.with_key(key, path, &[]);
    assert!(answer.status >= 400);
    assert!(!answer.body.contains(controls), "{:?}", answer.body);
}
