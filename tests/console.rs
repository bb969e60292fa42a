//! The console's door and the API over HTTPS, asked by curl as anybody outside would: links,
//! cookies, keys, limits, the command line from another machine, and the private listener.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;
use tidegate_e2e::console::Console;
use tidegate_e2e::limits::soon;
use tidegate_e2e::probe::Probe;
use tidegate_e2e::server::binary;
use tidegate_e2e::{processes, tls};

static CONSOLE: LazyLock<Console> = LazyLock::new(|| Console::start(""));

fn text(out: &Output) -> String {
    String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr)
}

#[test]
fn a_link_signs_in_once_and_a_look_at_it_changes_nothing() {
    let c = &*CONSOLE;
    let origin = format!("Origin: {}", CONSOLE.base());
    let link = c.link();
    assert_eq!(c.ask("/", &[]).header("location"), Some("/sign-in"));
    assert_eq!(c.ask(&link, &[]).status, 200);
    assert_eq!(
        c.ask(&link, &["-X", "POST"]).status,
        403,
        "no browser sends a form without an origin"
    );
    assert_eq!(
        c.ask(&link, &["-X", "POST", "-H", "Origin: https://evil.example"])
            .status,
        403
    );
    let old = "Cookie: __Host-tidegate=0123";
    let redeemed = c.ask(&link, &["-X", "POST", "-H", &origin, "-H", old]);
    assert_eq!(redeemed.status, 303);
    let cookie = redeemed.header("set-cookie").unwrap();
    for part in [
        "__Host-tidegate=",
        "; Secure",
        "; HttpOnly",
        "; SameSite=Strict",
        "; Path=/",
    ] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(
        !cookie.contains("0123;"),
        "the browser's own id is never taken over"
    );
    let header = format!("Cookie: {}", cookie.split(';').next().unwrap());
    assert_eq!(c.ask("/", &["-H", &header]).status, 200);
    assert_eq!(
        c.ask(&link, &["-X", "POST", "-H", &origin])
            .header("set-cookie"),
        None,
        "once"
    );
    assert_eq!(
        c.ask("/v1/clusters", &["-H", &header]).status,
        401,
        "a cookie opens no API"
    );
    for page in [c.ask("/", &["-H", &header]), c.ask("/sign-in", &[])] {
        let csp = page.header("content-security-policy").unwrap();
        assert!(
            csp.starts_with("default-src 'none'") && !csp.contains("unsafe"),
            "{csp}"
        );
        assert_eq!(page.header("cache-control"), Some("no-store"));
    }
}

#[test]
fn a_form_without_its_token_changes_nothing_and_signing_out_ends_the_session() {
    let c = &*CONSOLE;
    let cookie = format!("Cookie: {}", c.sign_in());
    let origin = format!("Origin: {}", c.base());
    let page = c.ask("/", &["-H", &cookie]).body;
    let field = page
        .split("name=\"csrf\" value=\"")
        .nth(1)
        .or_else(|| page.split("name=csrf value=").nth(1))
        .unwrap();
    let csrf: String = field.chars().take_while(char::is_ascii_hexdigit).collect();
    assert_eq!(csrf.len(), 64, "{page}");
    let sign_out = |body: &str, origin: &str| {
        c.ask("/sign-out", &["-H", &cookie, "-H", origin, "-d", body])
            .status
    };
    assert_eq!(sign_out("", &origin), 403);
    assert_eq!(sign_out(&format!("csrf={}", "0".repeat(64)), &origin), 403);
    assert_eq!(
        sign_out(&format!("csrf={csrf}"), "Origin: https://evil.example"),
        403
    );
    assert_eq!(c.ask("/", &["-H", &cookie]).status, 200, "still signed in");
    assert_eq!(sign_out(&format!("csrf={csrf}"), &origin), 303);
    assert_eq!(
        c.ask("/", &["-H", &cookie]).status,
        303,
        "the cookie is worth nothing now"
    );
}

#[test]
fn a_key_opens_the_api_until_it_is_revoked_and_is_kept_nowhere() {
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
        "a key makes no operator"
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
            .cli(&["key", "revoke", "until-revoked"])
            .status
            .success()
    );
    assert_eq!(c.with_key(&key, "/v1/clusters", &[]).status, 401);
}

#[test]
fn who_asks_too_often_is_told_when_to_come_again() {
    let c = &*CONSOLE;
    let key = c.key("busy");
    let other = c.key("quiet");
    let first = c.with_key(&key, "/v1/server", &[]);
    assert_eq!(first.header("ratelimit-limit"), Some("600"));
    // One curl, one connection: some 900 requests within its bucket's minute.
    let range = format!("{}/v1/server?[1-900]", c.base());
    let mut curl = Command::new("curl");
    curl.args(["-sS", "-o", "/dev/null", "-w", "%{http_code}\n", "--cacert"])
        .arg(c.server.data().join("ca.pem"));
    let many = text(
        &curl
            .args(["-H", &format!("Authorization: Bearer {key}"), &range])
            .output()
            .unwrap(),
    );
    let codes: Vec<_> = many.lines().collect();
    let limited = |codes: &[&str]| codes.iter().filter(|code| **code == "429").count();
    assert!(limited(&codes) > 0, "{many}");
    // Now and then one is let in: the bucket fills while this asks.
    let answer = soon("a refusal", || {
        Some(c.with_key(&key, "/v1/server", &[])).filter(|answer| answer.status == 429)
    });
    assert_eq!(answer.json()["code"], "too_many_requests");
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait));
    assert_eq!(answer.header("ratelimit-remaining"), Some("0"));
    assert_eq!(
        c.with_key(&other, "/v1/server", &[]).status,
        200,
        "another key's bucket is another"
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

#[test]
fn a_test_of_the_connection_tells_each_step_and_refusals_are_remembered() {
    let c = &*CONSOLE;
    let cluster = c.server.create("tested");
    let key = c.key("tested");
    let test = |body: Value| {
        let more = [
            "-H",
            "Content-Type: application/json",
            "-d",
            &body.to_string(),
        ];
        c.with_key(&key, "/v1/clusters/tested/test", &more).json()
    };
    let good = test(json!({ "password": cluster.password }));
    assert_eq!(good["ok"], true, "{good}");
    let steps: Vec<_> = good["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["step"].as_str().unwrap())
        .collect();
    assert_eq!(steps, ["tcp", "tls", "login", "first_row"]);
    assert!(!good.to_string().contains(&cluster.password));
    let bad = test(json!({ "password": "wrong" }));
    assert_eq!(bad["ok"], false);
    assert!(
        bad["steps"][2]["failure"]
            .as_str()
            .unwrap()
            .contains("1045"),
        "{bad}"
    );
    assert_eq!(
        test(json!({}))["steps"].as_array().unwrap().len(),
        2,
        "no password, no login"
    );
    let events = soon("the refusal among the events", || {
        let events = c.with_key(&key, "/v1/clusters/tested/events", &[]).json();
        (!events["refusals"].as_array().unwrap().is_empty()).then_some(events)
    });
    assert_eq!(events["refusals"][0]["reason"], "access-denied");
    assert_eq!(events["wakes"].as_array().unwrap().len(), 1, "{events}");
}

#[test]
fn the_command_line_asks_from_another_machine() {
    let c = &*CONSOLE;
    let home = tempfile::tempdir().unwrap();
    let tidegate = |args: &[&str], key: Option<&str>| {
        let mut command = Command::new(binary());
        command
            .args(args)
            .env("HOME", home.path())
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("TIDEGATE_DATA");
        match key {
            Some(key) => command.env("TIDEGATE_API_KEY", key),
            None => command.env_remove("TIDEGATE_API_KEY"),
        };
        command.stdin(Stdio::null()).output().unwrap()
    };
    let key = c.key("remote");
    let base = c.base();
    let ca = c.server.data().join("ca.pem");
    let ca = ca.to_str().unwrap();
    let wrong = tidegate(
        &["profile", "add", "there", &base, "--ca", ca],
        Some("tg_wrong"),
    );
    assert_eq!(
        wrong.status.code(),
        Some(1),
        "a key that does not hold is not kept: {}",
        text(&wrong)
    );
    let unverified = tidegate(&["profile", "add", "there", &base], Some(&key));
    assert_eq!(
        unverified.status.code(),
        Some(1),
        "no key goes to a server that is not verified: {}",
        text(&unverified)
    );
    let added = tidegate(&["profile", "add", "there", &base, "--ca", ca], Some(&key));
    assert!(added.status.success(), "{}", text(&added));
    let file = home.path().join(".config/tidegate/profiles.toml");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let made = tidegate(
        &["cluster", "create", "far", "--server", "there", "--json"],
        None,
    );
    assert!(made.status.success(), "{}", text(&made));
    assert_eq!(c.server.json(&["cluster", "show", "far"])["name"], "far");
    let link = tidegate(&["operator", "link", "--server", "there"], None);
    assert!(
        !link.status.success() && text(&link).contains("control socket"),
        "{}",
        text(&link)
    );
    assert_eq!(
        tidegate(&["serve", "--server", "there"], None)
            .status
            .code(),
        Some(2)
    );
    assert!(
        tidegate(&["profile", "remove", "there"], None)
            .status
            .success()
    );
    assert!(!std::fs::read_to_string(&file).unwrap().contains(&key));
}

#[test]
fn the_private_listener_counts_and_has_closed_labels() {
    let c = &*CONSOLE;
    let cluster = c.server.create("tallied");
    let private = |path: &str| c.private(path);
    assert_eq!(private("/healthz"), "ok\n");
    soon("readiness", || {
        (private("/readyz") == "ready\n").then_some(())
    });
    let key = c.key("tallied");
    let body = json!({ "password": cluster.password }).to_string();
    let more = ["-H", "Content-Type: application/json", "-d", &body];
    assert_eq!(
        c.with_key(&key, "/v1/clusters/tallied/test", &more).json()["ok"],
        true
    );
    let number = |text: &str, start: &str| {
        let line = text
            .lines()
            .find(|l| l.starts_with(start))
            .unwrap_or_else(|| panic!("no {start} in\n{text}"));
        line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()
    };
    let done = "tidegate_handshakes_total{cipher=\"TLS13_AES_128_GCM_SHA256\",outcome=\"done\",version=\"1.3\"}";
    let metrics = soon("the handshake among the metrics", || {
        Some(private("/metrics")).filter(|m| m.contains(done))
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
    // Counted when it ends, not when its connection does; nobody else here speaks TLS 1.2 with the
    // database.
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
        let metrics = private("/metrics");
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
    let offer = |port: u16, alpn: &str| {
        let mut command = Command::new("openssl");
        command
            .args([
                "s_client",
                "-connect",
                &format!("127.0.0.1:{port}"),
                "-alpn",
                alpn,
                "-CAfile",
            ])
            .arg(&ca);
        text(&command.stdin(Stdio::null()).output().unwrap())
    };
    assert!(offer(c.port, "http/1.1").contains("ALPN protocol: http/1.1"));
    let mysql = offer(c.port, "mysql");
    assert!(
        mysql.contains("alert number 120") || mysql.contains("no application protocol"),
        "{mysql}"
    );
}
