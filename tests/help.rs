//! Error text of a refused client: a hint for this client, and a link to the help page.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use std::process::{Command, Output};
use std::sync::LazyLock;
use tidegate_e2e::clients::mysql9_program;
use tidegate_e2e::probe::Probe;
use tidegate_e2e::wire::{self, Refused, Response};
use tidegate_e2e::{Cluster, Options, Server};

const BASE: &str = "https://help.example/pages";

static SERVER: LazyLock<Server> = LazyLock::new(|| {
    let config = format!("[gateway]\nhelp_base = \"{BASE}/\"\n");
    Server::with(Options {
        config,
        ..Options::default()
    })
});
static CLUSTER: LazyLock<Cluster> = LazyLock::new(|| SERVER.create("help"));

fn said(out: &Output) -> String {
    String::from_utf8_lossy(&out.stderr).into_owned()
}

fn without_tls(program: &mut Command, off: &str) -> String {
    let port = CLUSTER.port.to_string();
    let args = [
        off,
        "-h",
        "127.0.0.1",
        "-P",
        &port,
        "-u",
        &CLUSTER.user,
        "-e",
        "SELECT 1",
    ];
    said(&program.args(args).output().unwrap())
}

#[test]
fn case_01_mariadb_reads_its_own_hint_and_the_link() {
    let text = without_tls(Command::new("mariadb").arg("--no-defaults"), "--skip-ssl");
    assert!(text.contains("ERROR 3159 (HY000)"), "{text}");
    assert!(
        text.contains(
            "Set MariaDB Client to use TLS and to verify the server: --ssl-verify-server-cert"
        ),
        "{text}"
    );
    // Neither the client nor the gateway has truncated it.
    assert!(
        text.trim_end()
            .ends_with(&format!(" See {BASE}/insecure-transport.md")),
        "{text}"
    );
}

#[test]
fn case_01_mysql_reads_its_own_hint_and_the_link() {
    let program = mysql9_program().expect("script/setup has unpacked mysql 9");
    let text = without_tls(&mut Command::new(program), "--ssl-mode=DISABLED");
    assert!(text.contains("ERROR 3159 (HY000)"), "{text}");
    assert!(
        text.contains(
            "Set MySQL Client to use TLS and to verify the server: --ssl-mode=VERIFY_IDENTITY"
        ),
        "{text}"
    );
    assert!(
        text.trim_end()
            .ends_with(&format!(" See {BASE}/insecure-transport.md")),
        "{text}"
    );
}

#[test]
fn case_01_a_client_without_a_name_reads_the_hints_of_several() {
    let mut probe = Probe::connect(CLUSTER.addr());
    let response = Response {
        capabilities: wire::ORDINARY & !wire::SSL,
        ..Response::new(&CLUSTER.user)
    };
    probe.write(1, &response.bytes());
    let refused = Refused::parse(&probe.expect()).expect("an error packet");
    assert!(
        refused.message.contains("(mysql)") && refused.message.contains("(Go)"),
        "{}",
        refused.message
    );
    assert!(
        refused
            .message
            .ends_with(&format!(" See {BASE}/insecure-transport.md")),
        "{}",
        refused.message
    );
}

#[test]
fn other_refusals_link_to_their_own_pages() {
    for (user, page) in [
        ("root", "missing-prefix"),
        ("abcdefghjkmn.root", "access-denied"),
    ] {
        let port = CLUSTER.port.to_string();
        let ca = format!("--ssl-ca={}", CLUSTER.ca.display());
        let mut mariadb = Command::new("mariadb");
        mariadb.args([
            "--no-defaults",
            "--ssl-verify-server-cert",
            &ca,
            "-h",
            "127.0.0.1",
            "-P",
            &port,
            "-u",
            user,
        ]);
        let text = said(
            &mariadb
                .args(["-e", "SELECT 1"])
                .env("MYSQL_PWD", "wrong")
                .output()
                .unwrap(),
        );
        assert!(text.contains("ERROR 1045 (28000)"), "{text}");
        assert!(
            text.trim_end().ends_with(&format!(" See {BASE}/{page}.md")),
            "{text}"
        );
    }
}
