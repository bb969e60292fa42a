//! The API over HTTPS, queried with curl as from outside: keys, limits, the command line from
//! another machine, and the private listener. Sign-in is in `console_sessions.rs`.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;
use tidegate_e2e::console::{Answer, Console};
use tidegate_e2e::limits::soon;
use tidegate_e2e::probe::Probe;
use tidegate_e2e::server::{Options, binary, new_folder};
use tidegate_e2e::{Server, processes, tls};

static CONSOLE: LazyLock<Console> = LazyLock::new(|| Console::start(""));

fn text(out: &Output) -> String {
    String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr)
}

#[test]
fn a_key_opens_the_api_until_it_is_revoked_and_is_stored_nowhere() {
    let c = &*CONSOLE;
    let refused = c.ask("/v1/clusters", &[]);
    assert_eq!(
        (refused.status, refused.json()["code"].as_str()),
        (401, Some("not_authorized"))
    );
    assert_eq!(
        refused.header("x-request-id"),
        refused.json()["request_id"].as_str()
    );
    let key = c.key("until-revoked");
    assert!(key.starts_with("tg_") && key.len() == 67, "{key}");
    let made = c.with_key(
        &key,
        "/v1/clusters",
        &[
            "-d",
            r#"{"name":"keyed"}"#,
            "-H",
            "Content-Type: application/json",
        ],
    );
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(
        c.with_key(&key, "/v1/clusters/keyed", &[]).json()["name"],
        "keyed"
    );
    let link = c.with_key(&key, "/v1/operator/link", &["-X", "POST"]);
    assert_eq!(
        (link.status, link.json()["code"].as_str()),
        (403, Some("only_local")),
        "a key can't create sign-in links"
    );
    let listed = c.server.cli(&["key", "list", "--json"]);
    assert!(text(&listed).contains("until-revoked") && !text(&listed).contains(&key));
    for file in ["store.sqlite", "store.sqlite-wal"] {
        let bytes = std::fs::read(c.server.data().join(file)).unwrap_or_default();
        for secret in [key.as_str(), &key[3..]] {
            assert!(
                !bytes.windows(secret.len()).any(|w| w == secret.as_bytes()),
                "the key is in {file}"
            );
        }
    }
    assert!(!c.server.log().contains(&key), "the key is in the log");
    assert!(
        c.server
            .cli(&["key", "revoke", "until-revoked", "--yes"])
            .status
            .success()
    );
    assert_eq!(c.with_key(&key, "/v1/clusters", &[]).status, 401);
}

/// Store of the version before keys had scopes, with two keys. Arguments: the file, then the
/// migrations.
const STORE_BEFORE_SCOPES: &str = r"
import sqlite3, sys
store = sqlite3.connect(sys.argv[1])
for file in sys.argv[2:]:
    store.executescript(open(file).read())
store.executescript('''
    CREATE TABLE schema_version (version INTEGER NOT NULL);
    INSERT INTO schema_version VALUES (1), (2), (3), (4), (5);
    INSERT INTO api_keys (id, name, hash, created_unix) VALUES
        ('a1', 'backup', zeroblob(32), 5), ('b2', 'deploy', x'01' || zeroblob(31), 6);
''')
store.commit()
";

/// Number of log lines about keys that got all scopes.
fn told(server: &Server) -> usize {
    server.log().matches("API keys have scopes now").count()
}

#[test]
fn keys_from_before_scopes_keep_all_and_one_start_says_so() {
    let folder = new_folder();
    let data = folder.join("data");
    std::fs::create_dir(&data).unwrap();
    let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/control/migrations");
    let mut files: Vec<_> = std::fs::read_dir(migrations.join("sqlite"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let made = Command::new("python3")
        .args(["-c", STORE_BEFORE_SCOPES])
        .arg(data.join("store.sqlite"))
        .args(&files[..5])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", text(&made));
    let mut server = Server::at(folder, Options::with_console());
    let keys = server.json(&["key", "list"]);
    let scopes: Vec<_> = keys
        .as_array()
        .unwrap()
        .iter()
        .map(|key| (key["name"].as_str().unwrap(), &key["scopes"]))
        .collect();
    let all = json!(["all"]);
    assert_eq!(scopes, [("backup", &all), ("deploy", &all)]);
    // A stop writes the whole log.
    assert_eq!(server.stop(), 0);
    assert_eq!(told(&server), 1, "{}", server.log());
    assert!(server.log().contains(r#""keys":2"#), "{}", server.log());
    server.run();
    assert_eq!(server.stop(), 0);
    assert_eq!(told(&server), 1, "{}", server.log());
    std::fs::remove_dir_all(&server.folder).unwrap();
}

/// Sends 500 requests over one connection.
fn flood(c: &Console, key: &str) -> Vec<Answer> {
    let range = format!("{}/v1/server?[1-500]", c.base());
    let mut curl = Command::new("curl");
    curl.args(["-sS", "-i", "--cacert"])
        .arg(c.server.data().join("ca.pem"))
        .args(["-H", &format!("Authorization: Bearer {key}"), &range]);
    let said = text(&curl.output().unwrap());
    let answers = said.split("HTTP/1.1 ").skip(1);
    answers
        .map(|one| Answer::parse(&format!("HTTP/1.1 {one}")))
        .collect()
}

#[test]
fn a_client_over_its_rate_is_told_when_to_retry() {
    let c = &*CONSOLE;
    let key = c.key("busy");
    let other = c.key("quiet");
    let first = c.with_key(&key, "/v1/server", &[]);
    assert_eq!(first.header("ratelimit-limit"), Some("600"));
    // Four programs with one connection each. On a machine so busy that they send less than 10
    // requests a second together, there would be no refusal.
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let floods: Vec<_> = (0..4).map(|_| scope.spawn(|| flood(c, &key))).collect();
        let answers = floods.into_iter().flat_map(|one| one.join().unwrap());
        answers.collect()
    });
    let refused = answers.iter().find(|answer| answer.status == 429);
    let answer = refused.unwrap_or_else(|| panic!("none of {} is refused", answers.len()));
    assert_eq!(answer.json()["code"], "too_many_requests");
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait));
    assert_eq!(answer.header("ratelimit-remaining"), Some("0"));
    assert_eq!(
        c.with_key(&other, "/v1/server", &[]).status,
        200,
        "each key has its own bucket"
    );
}

#[test]
fn connect_strings_are_the_command_lines_byte_for_byte() {
    let c = &*CONSOLE;
    c.server.create("strings");
    let key = c.key("strings");
    for (client, os) in [
        ("mysql", "macos"),
        ("pymysql", "debian"),
        ("general", "windows"),
    ] {
        let api = c.with_key(
            &key,
            &format!("/v1/clusters/strings/connect?with={client}&os={os}"),
            &[],
        );
        let cli = c
            .server
            .cli(&["connect", "strings", "--with", client, "--os", os, "--json"]);
        assert_eq!(api.body.as_bytes(), cli.stdout, "{client} on {os}");
    }
    let unknown = c.with_key(&key, "/v1/clusters/strings/connect?with=nosuch", &[]);
    assert_eq!(
        (unknown.status, unknown.json()["code"].as_str()),
        (404, Some("unknown_client"))
    );
}

/// Runs the API's test of a connection and returns the answer.
fn test_connection(key: &str, cluster: &str, body: Value) -> Value {
    let path = format!("/v1/clusters/{cluster}/test");
    let body = body.to_string();
    let more = ["-H", "Content-Type: application/json", "-d", &body];
    CONSOLE.with_key(key, &path, &more).json()
}

#[test]
fn a_test_of_the_connection_tells_each_step_and_refusals_are_remembered() {
    let c = &*CONSOLE;
    let cluster = c.server.create("tested");
    let key = c.key("tested");
    let good = test_connection(&key, "tested", json!({ "password": cluster.password }));
    assert_eq!(good["ok"], true, "{good}");
    let steps: Vec<_> = good["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["step"].as_str().unwrap())
        .collect();
    assert_eq!(steps, ["tcp", "tls", "login", "first_row"]);
    assert!(!good.to_string().contains(&cluster.password));
    let bad = test_connection(&key, "tested", json!({ "password": "wrong" }));
    assert_eq!(bad["ok"], false);
    assert!(
        bad["steps"][2]["failure"]
            .as_str()
            .unwrap()
            .contains("1045"),
        "{bad}"
    );
    let without = test_connection(&key, "tested", json!({}));
    let steps = without["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 2, "no password, no login");
    let events = soon("the refusal among the events", || {
        let events = c.with_key(&key, "/v1/clusters/tested/events", &[]).json();
        (!events["refusals"].as_array().unwrap().is_empty()).then_some(events)
    });
    assert_eq!(events["refusals"][0]["reason"], "access-denied");
    assert_eq!(events["wakes"].as_array().unwrap().len(), 1, "{events}");
}

/// Runs `tidegate` as a user with this home directory and no server on the same machine.
fn run_at_home(home: &Path, args: &[&str], key: Option<&str>) -> Output {
    let mut command = Command::new(binary());
    command
        .args(args)
        .env("HOME", home)
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("TIDEGATE_DATA")
        .env_remove("TIDEGATE_API_KEY");
    if let Some(key) = key {
        command.env("TIDEGATE_API_KEY", key);
    }
    command.stdin(Stdio::null()).output().unwrap()
}

#[test]
fn the_command_line_works_from_another_machine() {
    let c = &*CONSOLE;
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let key = c.key("remote");
    let base = c.base();
    let ca = c.server.data().join("ca.pem");
    let ca = ca.to_str().unwrap();
    let wrong = run_at_home(
        home,
        &["profile", "add", "there", &base, "--ca", ca],
        Some("tg_wrong"),
    );
    assert_eq!(
        wrong.status.code(),
        Some(1),
        "an invalid key is not stored: {}",
        text(&wrong)
    );
    let unverified = run_at_home(home, &["profile", "add", "there", &base], Some(&key));
    assert_eq!(
        unverified.status.code(),
        Some(1),
        "no key goes to a server that is not verified: {}",
        text(&unverified)
    );
    let added = run_at_home(
        home,
        &["profile", "add", "there", &base, "--ca", ca],
        Some(&key),
    );
    assert!(added.status.success(), "{}", text(&added));
    let file = home.join(".config/tidegate/profiles.toml");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let made = run_at_home(
        home,
        &["cluster", "create", "far", "--server", "there", "--json"],
        None,
    );
    assert!(made.status.success(), "{}", text(&made));
    assert_eq!(c.server.json(&["cluster", "show", "far"])["name"], "far");
    let link = run_at_home(home, &["operator", "link", "--server", "there"], None);
    assert!(
        !link.status.success() && text(&link).contains("control socket"),
        "{}",
        text(&link)
    );
    assert_eq!(
        run_at_home(home, &["serve", "--server", "there"], None)
            .status
            .code(),
        Some(2)
    );
    assert!(
        run_at_home(home, &["profile", "remove", "there", "--yes"], None)
            .status
            .success()
    );
    assert!(!std::fs::read_to_string(&file).unwrap().contains(&key));
}

/// Returns the value of the first metric whose line begins like this.
fn number(metrics: &str, start: &str) -> f64 {
    let line = metrics
        .lines()
        .find(|l| l.starts_with(start))
        .unwrap_or_else(|| panic!("no {start} in\n{metrics}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn the_private_listener_counts_and_has_closed_labels() {
    let c = &*CONSOLE;
    let cluster = c.server.create("tallied");
    assert_eq!(c.private("/healthz"), "ok\n");
    soon("readiness", || {
        (c.private("/readyz") == "ready\n").then_some(())
    });
    let key = c.key("tallied");
    let body = json!({ "password": cluster.password }).to_string();
    let more = ["-H", "Content-Type: application/json", "-d", &body];
    assert_eq!(
        c.with_key(&key, "/v1/clusters/tallied/test", &more).json()["ok"],
        true
    );
    let done = "tidegate_handshakes_total{cipher=\"TLS13_AES_128_GCM_SHA256\",outcome=\"done\",version=\"1.3\"}";
    let metrics = soon("the handshake among the metrics", || {
        Some(c.private("/metrics")).filter(|m| m.contains(done))
    });
    assert!(number(&metrics, done) >= 1.0);
    assert!(number(&metrics, "tidegate_wakes_total{kind=\"wake\"}") >= 1.0);
    assert!(number(&metrics, "tidegate_wake_seconds_count") >= 1.0);
    assert!(
        number(
            &metrics,
            "tidegate_certificate_not_after_seconds{certificate=\"database\"}"
        ) > 1.7e9
    );
    let alarms: Vec<_> = metrics
        .lines()
        .filter(|l| l.starts_with("tidegate_certificate_alarms{"))
        .collect();
    assert!(
        alarms.len() > 5 && alarms.iter().all(|line| line.ends_with(" 0")),
        "{alarms:?}"
    );
    assert!(number(&metrics, "tidegate_bytes_total{direction=\"to_client\"}") > 0.0);
    // A handshake is counted when it ends, not when its connection does. No other test of this file
    // uses TLS 1.2 with the database.
    let old = "tidegate_handshakes_total{cipher=\"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256\",outcome=\"done\",version=\"1.2\"}";
    let before = if metrics.contains(old) {
        number(&metrics, old)
    } else {
        0.0
    };
    let open = Probe::secured(
        cluster.addr(),
        tls::verified(&cluster.ca, &[&rustls::version::TLS12]),
    );
    soon("the open connection's handshake", || {
        let metrics = c.private("/metrics");
        (metrics.contains(old) && number(&metrics, old) == before + 1.0).then_some(())
    });
    drop(open);
    for tenant in ["tallied", &cluster.prefix, "127.0.0.1"] {
        assert!(!metrics.contains(tenant), "{tenant} is in the metrics");
    }
    assert!(processes::alive(c.server.pid()));
}

#[test]
fn the_console_speaks_no_mysql_and_the_database_no_http() {
    let c = &*CONSOLE;
    let ca = c.server.data().join("ca.pem");
    let http = offer(c.port, "http/1.1", &ca);
    assert!(http.contains("ALPN protocol: http/1.1"), "{http}");
    let mysql = offer(c.port, "mysql", &ca);
    assert!(
        mysql.contains("alert number 120") || mysql.contains("no application protocol"),
        "{mysql}"
    );
}

/// Returns what OpenSSL's client prints of a handshake that offers this protocol.
fn offer(port: u16, alpn: &str, ca: &Path) -> String {
    let mut command = Command::new("openssl");
    command
        .args(["s_client", "-connect", &format!("127.0.0.1:{port}")])
        .args(["-alpn", alpn, "-CAfile"])
        .arg(ca);
    text(&command.stdin(Stdio::null()).output().unwrap())
}
