//! Users that an operator manages: passwords, names, deletion, and the API.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use serde_json::Value;
use std::io::Write;
use std::process::{Output, Stdio};
use tidegate_e2e::clients::mariadb;
use tidegate_e2e::console::{Answer, Console, form_token};
use tidegate_e2e::limits::soon;
use tidegate_e2e::session::{Outcome, Session};
use tidegate_e2e::users::{copy, create_user, error_code, json_before, names};
use tidegate_e2e::{Cluster, Server, wire};

/// Runs a command with this text on its standard input.
fn with_input(server: &Server, args: &[&str], input: &str) -> Output {
    let mut child = server
        .command(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    child.wait_with_output().unwrap()
}

/// The cluster as its user `app` with this password logs in to it.
fn app_with(root: &Cluster, password: &str) -> Cluster {
    Cluster {
        user: root.login("app"),
        password: password.to_owned(),
        ..copy(root)
    }
}

#[test]
fn a_password_comes_by_standard_input_and_is_shown_nowhere() {
    let server = Server::start();
    let root = server.create("shop");
    let secret = "it's a \"secret\" \\ of é";
    let words = [
        "user",
        "create",
        "shop",
        "app",
        "--role",
        "read-only",
        "--password-stdin",
    ];
    for (json, name) in [(false, "app"), (true, "app2")] {
        let mut words = words.map(str::to_owned).to_vec();
        words[3] = name.to_owned();
        if json {
            words.push("--json".to_owned());
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let out = with_input(&server, &words, &format!("{secret}\n"));
        let text = format!("{out:?}");
        assert!(out.status.success(), "{text}");
        assert!(!text.contains("secret"), "{text}");
        let user = Cluster {
            user: root.login(name),
            password: secret.to_owned(),
            ..copy(&root)
        };
        assert_eq!(mariadb(&user, "SELECT 1").expect(), "1");
    }
    let second = "another one";
    let change = [
        "user",
        "password",
        "shop",
        "app",
        "--password-stdin",
        "--json",
    ];
    let out = with_input(&server, &change, second);
    let made: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(made.get("password"), None);
    assert_eq!(made["role"], "read-only");
    assert_eq!(mariadb(&app_with(&root, second), "SELECT 1").expect(), "1");
    assert!(
        !mariadb(&app_with(&root, secret), "SELECT 1").ok,
        "the old one is over"
    );
    // Generated: shown in this answer only.
    let made = server.json(&["user", "password", "shop", "app"]);
    let generated = made["password"].as_str().unwrap();
    assert!(generated.len() >= 16, "{generated}");
    assert_eq!(
        mariadb(&app_with(&root, generated), "SELECT 1").expect(),
        "1"
    );
    for bad in ["", "\n", "two\nlines\n", &*"x".repeat(257)] {
        let out = with_input(&server, &change, bad);
        assert_eq!(out.status.code(), Some(2), "{bad:?}: {out:?}");
    }
    let log = server.log();
    for word in ["secret", second, generated] {
        assert!(!log.contains(word), "in the log: {word}");
    }
    let args = ["user", "password", "shop", "root"];
    assert_eq!(error_code(&server, &args), "bad_name");
}

#[test]
fn names_of_users_are_quoted_and_reserved_ones_refused() {
    let server = Server::start();
    let root = server.create("shop");
    for name in [
        "o'b`r\"i\\en",
        "a_b%",
        "a.b@c",
        "größe",
        "-x",
        &*"x".repeat(64),
    ] {
        let made = json_before(
            &server,
            &["user", "create", "shop", "--role", "read-only", "--", name],
        );
        assert_eq!(made["name"], name);
        let user = Cluster {
            user: root.login(name),
            password: made["password"].as_str().unwrap().to_owned(),
            ..copy(&root)
        };
        assert_eq!(mariadb(&user, "SELECT 1").expect(), "1", "{name}");
        server.succeed(&["user", "delete", "shop", "--yes", "--", name]);
        assert!(!mariadb(&user, "SELECT 1").ok, "{name}");
    }
    let full = root.login("app");
    for (name, code) in [
        ("root", "bad_name"),
        ("ROOT", "bad_name"),
        ("mysql", "bad_name"),
        ("mariadb.sys", "bad_name"),
        ("tidegate.admin", "bad_name"),
        ("public", "bad_name"),
        ("event_scheduler", "bad_name"),
        ("", "usage"),
        ("a\nb", "bad_name"),
        ("\u{1f600}", "bad_name"),
        (&*"x".repeat(65), "bad_name"),
        (&*full, "bad_name"),
    ] {
        let args = ["user", "create", "shop", name, "--role", "read-only"];
        assert_eq!(error_code(&server, &args), code, "{name}");
    }
    for name in ["root", "mariadb.sys", "tidegate.admin"] {
        let args = ["user", "delete", "shop", name, "--yes"];
        assert_eq!(error_code(&server, &args), "bad_name", "{name}");
    }
    let args = ["user", "delete", "shop", "nosuch", "--yes"];
    assert_eq!(error_code(&server, &args), "not_found");
    let args = [
        "user",
        "create",
        "shop",
        "a",
        "--role",
        "read-only",
        "-D",
        "nosuch",
    ];
    assert_eq!(error_code(&server, &args), "not_found");
    let list = server.json(&["user", "list", "shop"]);
    assert_eq!(names(&list), ["root"], "nothing is left of refused ones");
}

#[test]
fn a_deleted_user_is_out_at_once() {
    let server = Server::start();
    let root = server.create("shop");
    let app = create_user(&server, &root, &["app", "--role", "read-write"], "test");
    let other = create_user(&server, &root, &["other", "--role", "read-only"], "test");
    let mut session = Session::open(&app);
    let mut stays = Session::open(&other);
    assert_eq!(session.value("SELECT 1"), "1");
    // A second account of the same name, made with SQL.
    mariadb(&root, "CREATE USER app@'203.0.113.9' IDENTIFIED BY 'x'").expect();
    server.succeed(&["user", "delete", "shop", "app", "--yes"]);
    let after = session.try_query("SELECT 1");
    assert!(
        !matches!(after, Ok(Outcome::Rows { .. })),
        "its session goes on"
    );
    assert!(!mariadb(&app, "SELECT 1").ok);
    assert_eq!(stays.value("SELECT 1"), "1", "another user's goes on");
    let list = server.json(&["user", "list", "shop"]);
    assert_eq!(names(&list), ["other", "root"]);
    // The name is free again.
    let again = create_user(&server, &root, &["app", "--role", "read-only"], "test");
    assert_eq!(mariadb(&again, "SELECT 1").expect(), "1");
    assert!(!mariadb(&app, "SELECT 1").ok, "with the old password");
    // Asleep too, where the accounts are those of the store.
    server.sleep("shop");
    server.succeed(&["user", "delete", "shop", "app", "--yes"]);
    assert!(!mariadb(&again, "SELECT 1").ok);
    server.sleep("shop");
    assert!(!mariadb(&again, "SELECT 1").ok);
}

/// Creates an API key with this scope.
fn key(console: &Console, scope: &str) -> String {
    let name = scope.replace(':', "-");
    let words = ["key", "create", &name, "--scope", scope];
    let made = console.server.json(&words);
    made["key"].as_str().unwrap().to_owned()
}

/// Asks the API for a user of the cluster `shop`; returns the status and the answer.
fn post_user(console: &Console, key: &str, body: &str) -> (u16, Value) {
    let json = "Content-Type: application/json";
    let more = ["-X", "POST", "-H", json, "-d", body];
    let answer = console.with_key(key, "/v1/clusters/shop/users", &more);
    (answer.status, answer.json())
}

#[test]
fn keys_need_the_scope_of_the_cluster_and_answers_have_their_codes() {
    let console = Console::start("");
    console.server.create("shop");
    let read = key(&console, "read");
    let shop = key(&console, "clusters:shop");
    let bank = key(&console, "clusters:bank");
    for path in ["/v1/clusters/shop/users", "/v1/clusters/shop/databases"] {
        // A list wakes the cluster, which a key that only reads may not.
        assert_eq!(console.with_key(&read, path, &[]).status, 403, "{path}");
        assert_eq!(console.with_key(&bank, path, &[]).status, 404, "{path}");
        assert_eq!(console.with_key(&shop, path, &[]).status, 200, "{path}");
    }
    let (status, made) = post_user(&console, &shop, r#"{"name":"app","role":"read-only"}"#);
    assert_eq!(status, 201, "{made}");
    assert!(made["password"].is_string());
    for (body, status, code) in [
        (r#"{"name":"app","role":"read-only"}"#, 409, "exists"),
        (r#"{"name":"root","role":"read-only"}"#, 400, "bad_name"),
        (
            r#"{"name":"b","role":"admin","databases":["test"]}"#,
            409,
            "invalid",
        ),
        (
            r#"{"name":"b","role":"read-only","databases":[]}"#,
            400,
            "bad_parameters",
        ),
        (
            r#"{"name":"b","role":"read-only","databases":["x"]}"#,
            404,
            "not_found",
        ),
        (
            r#"{"name":"b","role":"read-only","databases":["mysql"]}"#,
            400,
            "bad_name",
        ),
        (
            r#"{"name":"b","role":"read-only","databases":["%"]}"#,
            404,
            "not_found",
        ),
        (
            r#"{"name":"b","role":"read-only","password":""}"#,
            400,
            "bad_parameters",
        ),
    ] {
        let (got, answer) = post_user(&console, &shop, body);
        assert_eq!(
            (got, answer["code"].as_str()),
            (status, Some(code)),
            "{body}"
        );
    }
}

/// The engine ends a session that was let in just before its user went; the gateway's own list of
/// sessions may not have it yet.
#[test]
fn a_long_statement_of_a_deleted_user_is_ended() {
    let server = Server::start();
    let root = server.create("shop");
    let app = create_user(&server, &root, &["app", "--role", "read-write"], "test");
    let mut session = Session::open(&app);
    session.send("SELECT SLEEP(600)");
    server.succeed(&["user", "delete", "shop", "app", "--yes"]);
    let ended = match session.outcome() {
        Err(_) | Ok(Outcome::Refused(_)) => true,
        Ok(_) => false,
    };
    assert!(ended, "the statement goes on");
    let running = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'app'";
    assert_eq!(mariadb(&root, running).expect(), "0");
}

/// The text of the element with this id; the templates are minified, so quotes may be missing.
fn text_of_id(page: &str, id: &str) -> String {
    let after = page
        .split(&format!("id=\"{id}\">"))
        .nth(1)
        .or_else(|| page.split(&format!("id={id}>")).nth(1))
        .unwrap_or_else(|| panic!("no {id} in {page}"));
    after.split('<').next().unwrap().to_owned()
}

/// Forms of a signed-in operator.
struct Form<'a> {
    console: &'a Console,
    headers: [&'a str; 2],
    csrf: &'a str,
}

impl Form<'_> {
    fn post(&self, path: &str, fields: &[&str]) -> Answer {
        let [cookie, origin] = self.headers;
        let mut more = vec!["-H", cookie, "-H", origin, "-d", self.csrf];
        for field in fields {
            more.extend(["--data-urlencode", field]);
        }
        self.console.ask(path, &more)
    }
}

#[test]
fn the_console_manages_users_and_databases_and_no_page_view_wakes() {
    let console = Console::start("");
    let root = console.server.create("shop");
    console.server.sleep("shop");
    let cookie = format!("Cookie: {}", console.sign_in());
    let origin = format!("Origin: {}", console.base());
    let page = console.ask("/clusters/shop/users", &["-H", &cookie]);
    assert_eq!(page.status, 200);
    assert!(page.body.contains("not awake"), "{}", page.body);
    assert_eq!(console.server.state("shop"), "asleep");
    let csrf = format!("csrf={}", form_token(&page.body));
    let form = Form {
        console: &console,
        headers: [&cookie, &origin],
        csrf: &csrf,
    };
    let made = form.post("/clusters/shop/databases", &["database=app_1"]);
    assert_eq!(made.status, 303, "{}", made.body);
    let fields = ["user=o'b`r<i>", "role=read-only", "database=app_1"];
    let made = form.post("/clusters/shop/users", &fields);
    assert_eq!(made.status, 200, "{}", made.body);
    let user = Cluster {
        user: root.login("o'b`r<i>"),
        password: text_of_id(&made.body, "password"),
        database: "app_1".to_owned(),
        ..copy(&root)
    };
    assert_eq!(mariadb(&user, "SELECT 1").expect(), "1");
    let page = console.ask("/clusters/shop/users", &["-H", &cookie]).body;
    assert!(!page.contains(&user.password), "shown once");
    assert!(page.contains("app_1") && !page.contains("r<i>"), "{page}");
    for (path, fields, status) in [
        ("users", &["user=root", "role=read-only"][..], 400),
        ("users", &["user=x", "role=owner"], 400),
        ("databases", &["database=app_1"], 409),
        ("databases", &["database=mysql"], 400),
        ("databases/delete", &["database=app_1", "confirm=app"], 422),
        (
            "databases/delete",
            &["database=mysql", "confirm=mysql"],
            400,
        ),
        ("users/delete", &["user=nosuch"], 404),
        ("users/password", &["user=root"], 400),
    ] {
        let answer = form.post(&format!("/clusters/shop/{path}"), fields);
        assert_eq!(answer.status, status, "{path} {fields:?}: {}", answer.body);
    }
    let changed = form.post("/clusters/shop/users/password", &["user=o'b`r<i>"]);
    let password = text_of_id(&changed.body, "password");
    assert!(!mariadb(&user, "SELECT 1").ok, "with the old password");
    let user = Cluster { password, ..user };
    assert_eq!(mariadb(&user, "SELECT 1").expect(), "1");
    assert_eq!(
        form.post("/clusters/shop/users/delete", &["user=o'b`r<i>"])
            .status,
        303
    );
    assert!(!mariadb(&user, "SELECT 1").ok);
    let fields = ["database=app_1", "confirm=app_1"];
    assert_eq!(
        form.post("/clusters/shop/databases/delete", &fields).status,
        303
    );
    assert_eq!(
        names(&console.server.json(&["database", "list", "shop"])),
        ["test"]
    );
}

#[test]
fn users_with_a_role_come_before_those_of_sql_and_long_lists_go_on() {
    let server = Server::start();
    let root = server.create("shop");
    create_user(&server, &root, &["zoe", "--role", "read-only"], "test");
    let many: Vec<String> = (0..1_005).map(|n| format!("'a{n:04}'")).collect();
    mariadb(&root, &format!("CREATE USER {}", many.join(", "))).expect();
    let out = server.succeed(&["user", "list", "shop", "--json"]);
    let rows: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let names: Vec<&str> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["name"].as_str().unwrap())
        .collect();
    assert_eq!(names[..3], ["root", "zoe", "a0000"]);
    assert_eq!(names.len(), 1_000);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    let next = said
        .split("--after=")
        .nth(1)
        .and_then(|rest| rest.split([' ', '`']).next());
    let next = format!("--after={}", next.unwrap_or_else(|| panic!("{said}")));
    let rest = server.json(&["user", "list", "shop", &next]);
    let rest: Vec<&str> = rest
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["name"].as_str().unwrap())
        .collect();
    assert_eq!(rest[0], "a0998");
    assert_eq!(names.len() + rest.len(), 1_007);
    let found = server.json(&["user", "list", "shop", "--find", "A0777"]);
    assert_eq!(found[0]["name"], "a0777", "{found}");
    assert_eq!(found.as_array().unwrap().len(), 1);
}

#[test]
fn accounts_without_a_name_are_listed_get_a_password_and_are_deleted() {
    let server = Server::start();
    let root = server.create("shop");
    mariadb(
        &root,
        "CREATE USER ''@localhost; CREATE USER ''@'%'; GRANT SELECT ON test.* TO ''@localhost",
    )
    .expect();
    let said = server.succeed(&["user", "list", "shop"]);
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.lines().any(|line| line.starts_with("''  ")), "{said}");
    let made = server.json(&["user", "password", "shop", "--anonymous"]);
    let login = format!("{}.somebody", root.prefix);
    let password = made["password"].as_str().unwrap();
    let mut session = Session::login(&root, &login, password, wire::ORDINARY).unwrap();
    assert_eq!(session.value("SELECT CURRENT_USER()"), "@localhost");
    let asked = server.fail(&["user", "delete", "shop", "--anonymous"]);
    assert!(asked.contains("the accounts without a name"), "{asked}");
    let both = ["user", "delete", "shop", "app", "--anonymous", "--yes"];
    assert_eq!(error_code(&server, &both), "usage");
    server.succeed(&["user", "delete", "shop", "--anonymous", "--yes"]);
    soon("its session ends", || (!session.ping()).then_some(()));
    let left = "SELECT COUNT(*) FROM mysql.global_priv WHERE User = ''";
    assert_eq!(mariadb(&root, left).expect(), "0");
    let again = ["user", "delete", "shop", "--anonymous", "--yes"];
    assert_eq!(error_code(&server, &again), "not_found");
}
