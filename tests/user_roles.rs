//! Roles of users that an operator creates: what each may do, as a real client meets it.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use serde_json::json;
use tidegate_e2e::clients::mariadb;
use tidegate_e2e::session::almighty;
use tidegate_e2e::users::{assert_refused, copy, create_user, error_code, lines, names, row};
use tidegate_e2e::{Cluster, Server};

#[test]
fn a_read_only_user_reads_its_databases_and_nothing_else() {
    let server = Server::start();
    let root = server.create("shop");
    server.succeed(&["database", "create", "shop", "app_1"]);
    server.succeed(&["database", "create", "shop", "appx1"]);
    let fill = "CREATE TABLE app_1.t (n INT); INSERT INTO app_1.t VALUES (7); \
                CREATE VIEW app_1.v AS SELECT n FROM app_1.t; CREATE TABLE appx1.t (n INT); \
                CREATE PROCEDURE app_1.p() DELETE FROM app_1.t";
    mariadb(&root, fill).expect();
    // Asleep: the command wakes it.
    server.sleep("shop");
    let args = ["reader", "--role", "read-only", "--database", "app_1"];
    let reader = create_user(&server, &root, &args, "app_1");
    assert_eq!(reader.user, root.login("reader"));
    assert_eq!(mariadb(&reader, "SELECT n FROM t").expect(), "7");
    assert_eq!(mariadb(&reader, "SELECT n FROM v").expect(), "7");
    mariadb(&reader, "SHOW CREATE VIEW v").expect();
    assert_eq!(
        lines(mariadb(&reader, "SHOW DATABASES")),
        ["app_1", "information_schema"],
        "app_1 is no pattern that matches appx1"
    );
    let own = "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'appx1'";
    assert_eq!(mariadb(&reader, own).expect(), "0");
    assert_refused(
        &reader,
        &[
            "INSERT INTO t VALUES (8)",
            "UPDATE t SET n = 8",
            "DELETE FROM t",
            "TRUNCATE t",
            "CALL p()",
            "CREATE TABLE t2 (n INT)",
            "CREATE TEMPORARY TABLE t2 (n INT)",
            "DROP TABLE t",
            "ALTER TABLE t ADD m INT",
            "CREATE VIEW v2 AS SELECT 1",
            "LOCK TABLES t WRITE",
            "DROP DATABASE app_1",
            "CREATE DATABASE mine",
            "USE appx1",
            "SELECT * FROM appx1.t",
            "USE mysql",
            "SELECT * FROM mysql.global_priv",
            "SELECT * FROM mysql.user",
            "SELECT * FROM mysql.db",
            "SELECT * FROM mysql.proc",
            "SELECT * FROM sys.version",
            "SELECT * FROM performance_schema.threads",
            "CREATE USER x",
            "GRANT SELECT ON app_1.* TO root",
            "SET PASSWORD FOR root = PASSWORD('mine')",
            "ALTER USER root IDENTIFIED BY 'mine'",
            "SELECT 1 INTO OUTFILE '/tmp/tidegate-never'",
            "USE `tidegate:read-only`",
        ],
    );
    assert_eq!(mariadb(&root, "SELECT n FROM app_1.t").expect(), "7");
}

#[test]
fn a_read_write_user_changes_rows_and_schema_of_its_databases_and_no_account() {
    let server = Server::start();
    let root = server.create("shop");
    server.succeed(&["database", "create", "shop", "app_1"]);
    server.succeed(&["database", "create", "shop", "appx1"]);
    let args = ["writer", "--role", "read-write", "-D", "app_1"];
    let writer = create_user(&server, &root, &args, "app_1");
    let all = "CREATE TABLE t (n INT PRIMARY KEY, m INT); INSERT INTO t VALUES (1, 2); \
               UPDATE t SET m = 3; ALTER TABLE t ADD k INT; CREATE INDEX i ON t (m); \
               CREATE VIEW v AS SELECT m FROM t; SELECT m FROM v; \
               CREATE PROCEDURE p() SELECT 4; CALL p(); \
               CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET NEW.k = 5; \
               CREATE TEMPORARY TABLE tt (n INT); LOCK TABLES t WRITE; UNLOCK TABLES; \
               TRUNCATE t; DROP TABLE t; CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1; \
               DROP DATABASE app_1; CREATE DATABASE app_1";
    assert_eq!(lines(mariadb(&writer, all)), ["3", "4"]);
    mariadb(&root, "CREATE USER other IDENTIFIED BY 'pw-of-other'").expect();
    assert_refused(
        &writer,
        &[
            "CREATE USER x",
            "CREATE ROLE x",
            "DROP USER other",
            "DROP USER root",
            "ALTER USER root IDENTIFIED BY 'mine'",
            "ALTER USER other IDENTIFIED BY 'mine'",
            "SET PASSWORD FOR root = PASSWORD('mine')",
            "SET PASSWORD FOR other = PASSWORD('mine')",
            "RENAME USER other TO mine",
            "GRANT SELECT ON app_1.* TO other",
            "GRANT ALL ON *.* TO CURRENT_USER",
            "INSERT INTO mysql.global_priv VALUES ('%', 'x', '{}')",
            "UPDATE mysql.global_priv SET Priv = '{}'",
            "INSERT INTO mysql.db (Host, Db, User) VALUES ('%', '%', 'writer')",
            "CREATE TABLE mysql.t (n INT)",
            "SELECT * FROM mysql.global_priv",
            "CREATE DEFINER = root@'%' PROCEDURE p2() SELECT 1",
            "CREATE DEFINER = 'tidegate.admin'@localhost VIEW v2 AS SELECT 1",
            "CREATE DATABASE appx2",
            "DROP DATABASE appx1",
            "USE appx1",
            "FLUSH PRIVILEGES",
            "SET GLOBAL sql_mode = ''",
        ],
    );
}

/// Grants of a user but its mark, without its name and password.
fn grants(user: &Cluster, name: &str) -> Vec<String> {
    let sql = format!("SHOW GRANTS FOR {name}@'%'");
    let mut all: Vec<String> = lines(mariadb(user, &sql))
        .into_iter()
        .map(|line| match line.split_once(" IDENTIFIED BY PASSWORD ") {
            // The hash has 43 characters with its quotes.
            Some((before, hash)) => format!("{before}{}", &hash[43..]),
            None => line,
        })
        .map(|line| line.replace(&format!("TO `{name}`"), "TO `x`"))
        .filter(|line| !line.contains("`tidegate:admin`"))
        .collect();
    all.sort_unstable();
    assert!(all.iter().all(|line| line.ends_with("WITH GRANT OPTION")));
    all
}

/// Databases that a user sees.
fn databases(user: &Cluster) -> Vec<String> {
    lines(mariadb(user, "SHOW DATABASES"))
}

#[test]
fn an_administrator_may_do_what_root_may() {
    let server = Server::start();
    let root = server.create("shop");
    let admin = create_user(&server, &root, &["boss", "--role", "admin"], "test");
    assert_eq!(grants(&admin, "boss"), grants(&admin, "root"));
    let all = "CREATE DATABASE mine; CREATE TABLE mine.t (n INT); \
               CREATE USER hers IDENTIFIED BY 'pw-of-hers'; GRANT SELECT ON mine.* TO hers; \
               DROP USER hers; DROP DATABASE mine";
    mariadb(&admin, all).expect();
    let args = [
        "user", "create", "shop", "x", "--role", "admin", "-D", "test",
    ];
    assert_eq!(error_code(&server, &args), "invalid");
}

#[test]
fn later_databases_come_to_users_of_all_databases_and_go_with_their_grants() {
    let server = Server::start();
    let root = server.create("shop");
    server.succeed(&["database", "create", "shop", "app"]);
    let every = create_user(&server, &root, &["every", "--role", "read-only"], "test");
    let writer = create_user(&server, &root, &["writer", "--role", "read-write"], "test");
    let one = create_user(
        &server,
        &root,
        &["one", "--role", "read-only", "-D", "app"],
        "app",
    );
    assert_eq!(databases(&every), ["app", "information_schema", "test"]);
    // A restart: what is granted later is known to the engine, not to the server.
    server.sleep("shop");
    server.succeed(&["database", "create", "shop", "later_1"]);
    let with_later = ["app", "information_schema", "later_1", "test"];
    assert_eq!(databases(&every), with_later);
    assert_eq!(databases(&writer), with_later);
    assert_eq!(databases(&one), ["app", "information_schema"]);
    mariadb(
        &writer,
        "CREATE TABLE later_1.t (n INT); INSERT INTO later_1.t VALUES (7)",
    )
    .expect();
    assert_eq!(mariadb(&every, "SELECT n FROM later_1.t").expect(), "7");
    assert_refused(&every, &["INSERT INTO later_1.t VALUES (8)"]);
    let list = server.json(&["user", "list", "shop"]);
    assert_eq!(names(&list), ["every", "one", "root", "writer"]);
    let every_row = row(&list, "every");
    assert_eq!(every_row["databases"], json!(["app", "later_1", "test"]));
    assert_eq!(every_row["every_database"], true);
    assert_eq!(row(&list, "one")["databases"], json!(["app"]));
    assert_eq!(row(&list, "one")["every_database"], false);
    assert_eq!(row(&list, "writer")["role"], "read-write");
    assert_eq!(row(&list, "root")["role"], "admin");

    server.succeed(&["database", "delete", "shop", "later_1", "--yes"]);
    server.succeed(&["database", "delete", "shop", "app", "--yes"]);
    // Names that SQL makes again are other databases.
    mariadb(&root, "CREATE DATABASE later_1; CREATE DATABASE app").expect();
    assert_eq!(databases(&every), ["information_schema", "test"]);
    assert_eq!(
        lines(mariadb(
            &Cluster {
                database: "information_schema".into(),
                ..one
            },
            "SHOW DATABASES"
        )),
        ["information_schema"]
    );
}

#[test]
fn what_a_tenant_writes_into_its_tables_gives_nobody_more() {
    let server = Server::start();
    let root = server.create("shop");
    let reader = create_user(&server, &root, &["reader", "--role", "read-only"], "test");
    let mut tenant = almighty(&root);
    // Without this mode, a grant to a user that does not exist creates it without a password.
    tenant.run("SET GLOBAL sql_mode = 'ANSI_QUOTES'");
    let marks = "INSERT INTO mysql.db (Host, Db, User, Select_priv) VALUES \
                 ('%', 'tidegate:read-write:every', 'ghost', 'Y'), \
                 ('%', 'tidegate:read-write:every', 'x`@`%`, root; --', 'Y'), \
                 ('%', 'tidegate:nonsense', 'reader', 'Y'), ('%', 'a_b', 'reader', 'Y'), \
                 ('localhost', 'tidegate:read-write:every', 'reader', 'Y')";
    tenant.run(marks);
    tenant.run("FLUSH PRIVILEGES");
    server.succeed(&["database", "create", "shop", "later"]);
    let ghosts =
        "SELECT COUNT(*) FROM mysql.global_priv WHERE User IN ('ghost', 'x`@`%`, root; --')";
    assert_eq!(tenant.value(ghosts), "0", "a grant has created an account");
    assert_refused(
        &reader,
        &[
            "CREATE TABLE later.t (n INT)",
            "CREATE TABLE test.t (n INT)",
        ],
    );
    assert_eq!(
        row(&server.json(&["user", "list", "shop"]), "reader")["role"],
        "read-only"
    );
    // A view in the place of a table, with no end.
    tenant.run("RENAME TABLE mysql.db TO mysql.db2");
    tenant.run("CREATE VIEW mysql.db AS SELECT a.* FROM mysql.db2 a, seq_1_to_1000000000 b");
    let args = ["user", "create", "shop", "late", "--role", "read-only"];
    let code = error_code(&server, &args);
    assert!(["busy", "engine_failed"].contains(&code.as_str()), "{code}");
    let late = Cluster {
        user: root.login("late"),
        password: String::new(),
        ..copy(&root)
    };
    assert!(!mariadb(&late, "SELECT 1").ok);
    assert_eq!(mariadb(&root, "SELECT 1").expect(), "1", "logins go on");
}

#[test]
fn connection_strings_are_made_for_a_user_and_its_database() {
    let server = Server::start();
    let root = server.create("shop");
    server.succeed(&["database", "create", "shop", "app_1"]);
    let words = [
        "user",
        "create",
        "shop",
        "reader",
        "--role",
        "read-only",
        "-D",
        "app_1",
    ];
    let card = String::from_utf8(server.succeed(&words).stdout).unwrap();
    let login = root.login("reader");
    for part in [
        &*login,
        "app_1",
        "sql shop --user reader -D app_1",
        "user password shop reader",
    ] {
        assert!(card.contains(part), "no {part} in {card}");
    }
    let words = [
        "connect", "shop", "--user", "reader", "-D", "app_1", "--format", "env",
    ];
    let text = String::from_utf8(server.succeed(&words).stdout).unwrap();
    assert!(
        text.contains(&login) && text.contains("app_1") && !text.contains(".root"),
        "{text}"
    );
}
