//! `tidegate connect` from outside: every format of a client contains the same string, and requests
//! that can't be met are refused with a reason. `tests/clients` proves that the strings connect.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use serde_json::Value;
use std::io::Write;
use std::process::Stdio;
use std::sync::LazyLock;
use tidegate_e2e::{Cluster, Server};

static SERVER: LazyLock<Server> = LazyLock::new(Server::start);
static CLUSTER: LazyLock<Cluster> = LazyLock::new(|| SERVER.create("strings"));

fn text(args: &[&str]) -> String {
    let out = SERVER.cli(args);
    assert!(
        out.status.success(),
        "{args:?}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8(out.stdout).unwrap()
}

fn refused(args: &[&str]) -> (Option<i32>, String) {
    let out = SERVER.cli(args);
    (
        out.status.code(),
        String::from_utf8_lossy(&out.stderr).into_owned(),
    )
}

fn clients() -> Vec<Value> {
    serde_json::from_str::<Value>(&text(&["connect", "--list", "--json"])).unwrap()["clients"]
        .as_array()
        .unwrap()
        .clone()
}

#[test]
fn every_client_is_one_table_in_each_format() {
    let clients = clients();
    assert!(clients.len() >= 30, "{}", clients.len());
    let mut urls = 0;
    for client in &clients {
        let id = client["id"].as_str().unwrap();
        let with = ["connect", &CLUSTER.name, "--with", id, "--os", "debian"];
        let page = text(&with);
        let json: Value =
            serde_json::from_str(&text(&[&with[..], &["--format", "json"]].concat())).unwrap();
        assert_eq!(json, SERVER.json(&with), "{id}");
        for form in json["forms"].as_array().unwrap() {
            let string = form["text"].as_str().unwrap();
            assert!(page.contains(&format!("\n{string}\n")), "{id}: {string}");
            assert!(!string.contains(&CLUSTER.password), "{id}: {string}");
        }
        let url = json["forms"]
            .as_array()
            .unwrap()
            .iter()
            .find(|form| form["format"] == "url");
        let asked = SERVER.cli(&[&with[..], &["--format", "url"]].concat());
        assert_eq!(
            asked.status.code(),
            Some(if url.is_some() { 0 } else { 2 }),
            "{id}"
        );
        if let Some(url) = url {
            urls += 1;
            assert_eq!(
                String::from_utf8(asked.stdout).unwrap().trim_end(),
                url["text"].as_str().unwrap()
            );
        }
    }
    assert!(urls > 3, "{urls}");
}

#[test]
fn the_ca_is_the_servers_file_or_the_system_s_or_another() {
    let ca = CLUSTER.ca.to_str().unwrap();
    let with = ["connect", &CLUSTER.name, "--with", "mysql"];
    assert!(text(&with).contains(&format!("--ssl-ca={ca}")));
    let alpine = text(&[&with[..], &["--ca", "system", "--os", "alpine"]].concat());
    assert!(
        alpine.contains("--ssl-ca=/etc/ssl/cert.pem") && !alpine.contains(ca),
        "{alpine}"
    );
    let copied = text(
        &[
            &with[..],
            &[
                "--ca",
                "/home/me/tide.pem",
                "--host",
                "db.internal",
                "--port",
                "4001",
            ],
        ]
        .concat(),
    );
    assert!(
        copied.contains("-h db.internal -P 4001") && copied.contains("--ssl-ca=/home/me/tide.pem"),
        "{copied}"
    );
}

#[test]
fn a_client_on_another_machine_gets_its_own_lines() {
    let name = CLUSTER.name.as_str();
    let ca = CLUSTER.ca.to_str().unwrap();
    let windows = text(&["connect", name, "--with", "mariadb", "--os", "windows"]);
    assert!(
        windows.contains(r"C:\ssl\tidegate-ca.pem") && windows.contains("winget install"),
        "{windows}"
    );
    assert!(
        windows.contains(&format!("The CA file is {ca} on")),
        "{windows}"
    );
    for language in [
        "python", "java", "node", "php", "ruby", "go", "rust", "dotnet", "c",
    ] {
        let out = SERVER.cli(&["connect", name, "--with", language, "--os", "vercel"]);
        assert!(out.status.success(), "{language}");
        let said = String::from_utf8_lossy(&out.stderr);
        let is_alone = language == "dotnet";
        assert!(
            is_alone || said.contains("other clients of"),
            "{language}: {said}"
        );
    }
}

#[test]
fn a_host_that_the_certificate_lacks_is_not_promised_to_be_verified() {
    let with = ["connect", &CLUSTER.name, "--with", "pymysql", "--host"];
    let out = SERVER.cli(&[&with[..], &["db.elsewhere"]].concat());
    let printed = String::from_utf8_lossy(&out.stdout);
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(said.contains("does not contain `db.elsewhere`"), "{said}");
    assert!(said.contains("--name db.elsewhere"), "{said}");
    assert!(
        !printed.contains("verifies  chain") && printed.contains("refuses this host"),
        "{printed}"
    );
    let out = SERVER.cli(&[&with[..], &["localhost"]].concat());
    assert!(String::from_utf8_lossy(&out.stdout).contains("verifies  chain"));
}

#[test]
fn variables_can_be_read_by_a_shell() {
    let lines = text(&["connect", &CLUSTER.name, "--format", "env"]);
    let script = format!("{lines}\nprintf '%s %s' \"$TIDEGATE_USER\" \"$TIDEGATE_CA\"");
    let out = std::process::Command::new("sh")
        .args(["-c", &script])
        .output()
        .unwrap();
    let wanted = format!("{} {}", CLUSTER.user, CLUSTER.ca.display());
    assert_eq!(String::from_utf8(out.stdout).unwrap(), wanted);
}

#[test]
fn tls_13_is_said_or_refused() {
    let clients = clients();
    for client in &clients {
        let id = client["id"].as_str().unwrap();
        let with = ["connect", &CLUSTER.name, "--with", id, "--tls", "1.3"];
        if client["tls13"] == true {
            let said = text(&with);
            assert!(
                ["1.3", "1_3", "13"]
                    .iter()
                    .any(|piece| said.contains(piece)),
                "{id}: {said}"
            );
        } else {
            let (code, said) = refused(&with);
            assert_eq!(code, Some(2), "{id}");
            assert!(
                said.contains("can't require TLS 1.3") && said.contains("leave --tls out"),
                "{said}"
            );
        }
    }
}

#[test]
fn what_is_not_there_is_named_before_the_server_is_asked() {
    for (option, word, pieces) in [
        (
            "--with",
            "psql",
            ["unknown client `psql`", "another database"],
        ),
        ("--with", "zzz", ["unknown client `zzz`", "connect --list"]),
        (
            "--with",
            "djagno",
            ["unknown client", "did you mean `django`?"],
        ),
        (
            "--os",
            "beos",
            ["unknown platform `beos`", "connect --list"],
        ),
        (
            "--os",
            "ubunto",
            ["unknown platform", "did you mean `ubuntu`?"],
        ),
    ] {
        let (code, said) = refused(&["connect", "nosuch", option, word]);
        assert_eq!(code, Some(2), "{said}");
        for piece in pieces {
            assert!(said.contains(piece), "{said}");
        }
    }
    assert_eq!(refused(&["connect", "nosuch"]).0, Some(1));
    assert_eq!(refused(&["connect"]).0, Some(2));
}

/// Runs `connect --explain -` with this string. Returns the exit code and everything printed.
fn explain(string: &str) -> (Option<i32>, String) {
    let mut child = SERVER
        .command(&["connect", "--explain", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(string.as_bytes())
        .unwrap();
    let out = child.wait_with_output().unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr)
    );
    assert!(!said.contains("s3cr"), "{said}");
    (out.status.code(), said)
}

#[test]
fn a_pasted_string_is_explained_and_its_password_never_shown() {
    let (code, said) = explain("abc.root:s3cr3t@tcp(db.example.com:4000)/test?tls=skip-verify");
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("Go DSN") && said.contains("RegisterTLSConfig"),
        "{said}"
    );
    let (code, said) = explain(
        "jdbc:mysql://db.example.com:4000/test?user=abc.root&password=s3cr3t&sslMode=VERIFY_IDENTITY",
    );
    assert_eq!(code, Some(0), "{said}");
    for text in ["\u{1}\u{2}", "postgres://abc:s3cr3t@db.example.com/app"] {
        let (code, said) = explain(text);
        assert_eq!(code, Some(2), "{said}");
    }
    let (code, said) = explain("mysql://abc.root:s3cr3t@db.example.com:4000/test?ssl=true");
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("verifies the chain       can't read")
            && said.contains("hint: name the client, such as --with node-mysql2"),
        "{said}"
    );
}

#[test]
fn the_string_that_verifies_names_the_ca_of_the_running_server() {
    let ca = CLUSTER.ca.to_str().unwrap();
    for string in [
        format!("mysql -h 127.0.0.1 -P 4000 -u {} -ps3cr3t", CLUSTER.user),
        format!(
            "mysql -h db.elsewhere -u {} --ssl-ca=/etc/ssl/cert.pem --ssl-mode=VERIFY_CA",
            CLUSTER.user
        ),
        "mysql -h localhost -u someone --ssl-ca=/etc/ssl/certs/ca-certificates.crt".to_owned(),
    ] {
        let (_, said) = explain(&string);
        assert!(said.contains(&format!("--ssl-ca={ca} ")), "{said}");
    }
    let (_, said) = explain("mysql -h db.elsewhere -u someone --ssl-mode=REQUIRED");
    assert!(!said.contains(ca), "{said}");
}
