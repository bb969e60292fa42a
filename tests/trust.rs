//! The local CA in this machine's trust stores, and its replacement by a new one. Commands that
//! change a store run in a private mount namespace, so that the machine's real stores stay
//! unchanged; if that can't be created, a test prints "not run".

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use serde_json::Value;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tidegate_e2e::acme::verified_leaf;
use tidegate_e2e::clients::Said;
use tidegate_e2e::limits::soon;
use tidegate_e2e::machine::Machine;
use tidegate_e2e::not_run;
use tidegate_e2e::server::binary;
use tidegate_e2e::session::Session;
use tidegate_e2e::{Cluster, Options, Server};

/// Name that a local CA can't sign for by default.
const OUTSIDE: &str = "db.outside.example.com";

/// Verifies chain and name with Python's default context, after MySQL's request for TLS.
const PYTHON: &str = r#"
import socket, ssl, struct, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
n = int.from_bytes(s.recv(4, socket.MSG_WAITALL)[:3], "little")
s.recv(n, socket.MSG_WAITALL)
s.sendall(b"\x20\0\0\1" + struct.pack("<IIB23x", 0x000ffa8d, 1 << 24, 45))
t = ssl.create_default_context().wrap_socket(s, server_hostname=sys.argv[3])
print(t.version())
"#;

/// Verifies chain and name with this Java's trust store.
const JAVA: &str = r#"
import java.io.*; import java.net.*; import javax.net.ssl.*;
public class Trusts {
  public static void main(String[] a) throws Exception {
    Socket s = new Socket(a[0], Integer.parseInt(a[1]));
    DataInputStream in = new DataInputStream(s.getInputStream());
    byte[] h = new byte[4]; in.readFully(h); in.readFully(new byte[(h[0] & 255) | (h[1] & 255) << 8]);
    byte[] request = new byte[36];
    request[0] = 32; request[3] = 1; request[4] = (byte) 0x8d; request[5] = (byte) 0xfa; request[6] = 0x0f;
    request[11] = 1; request[12] = 45;
    s.getOutputStream().write(request);
    SSLSocketFactory f = (SSLSocketFactory) SSLSocketFactory.getDefault();
    SSLSocket t = (SSLSocket) f.createSocket(s, a[2], s.getPort(), true);
    SSLParameters p = t.getSSLParameters(); p.setEndpointIdentificationAlgorithm("HTTPS"); t.setSSLParameters(p);
    t.startHandshake();
    System.out.println(t.getSession().getProtocol());
  }
}
"#;

fn trust(machine: &Machine, server: &Server, args: &[&str]) -> Said {
    let mut command = machine.command(binary());
    command
        .arg("trust")
        .args(args)
        .arg("--data")
        .arg(server.data())
        .env("JAVA_HOME", &machine.java_home);
    command.output().unwrap().into()
}

fn status(machine: &Machine, server: &Server) -> Value {
    serde_json::from_str(&trust(machine, server, &["status", "--json"]).expect()).unwrap()
}

fn states(status: &Value) -> Vec<&str> {
    status["stores"]
        .as_array()
        .unwrap()
        .iter()
        .map(|store| store["state"].as_str().unwrap())
        .collect()
}

fn all(status: &Value, state: &str) -> bool {
    let states = states(status);
    !states.is_empty() && states.iter().all(|found| *found == state)
}

fn name(status: &Value) -> String {
    status["ca"]["name"].as_str().unwrap().to_owned()
}

/// Runs clients without a CA path. Each returns whether it trusts the server.
fn clients_that_trust(machine: &Machine, cluster: &Cluster) -> Vec<(&'static str, bool)> {
    let port = cluster.port.to_string();
    let at = format!("127.0.0.1:{port}");
    let mut mariadb = machine.command("mariadb");
    mariadb.args(["--no-defaults", "--batch", "--skip-column-names"]);
    mariadb.args(["--ssl-verify-server-cert", "-h", "127.0.0.1", "-P", &port]);
    mariadb.args(["-u", &cluster.user, "-e", "SELECT 40+2"]);
    mariadb.env("MYSQL_PWD", &cluster.password);
    let mut python = machine.command("python3");
    python.args(["-c", PYTHON, "127.0.0.1", &port, "localhost"]);
    let mut openssl = machine.command("openssl");
    openssl.args(["s_client", "-starttls", "mysql", "-connect", &at]);
    openssl.args(["-verify_return_error", "-verify_hostname", "localhost"]);
    let mut found = vec![
        ("mariadb", Said::from(mariadb.output().unwrap()).out == "42"),
        ("python", python.output().unwrap().status.success()),
        ("openssl", openssl.output().unwrap().status.success()),
    ];
    if let Some(java) = machine.java() {
        let mut command = machine.command(java);
        command
            .arg(&machine.java_file)
            .args(["127.0.0.1", &port, "localhost"]);
        let said = Said::from(command.output().unwrap());
        found.push(("java", said.out.starts_with("TLSv1.")));
    }
    found
}

fn assert_trusted(machine: &Machine, cluster: &Cluster, trusted: bool) {
    for (client, trusts) in clients_that_trust(machine, cluster) {
        assert_eq!(trusts, trusted, "{client} trusts the server");
    }
}

#[test]
fn after_install_every_client_trusts_and_after_remove_nothing_is_left() {
    let Some(machine) = Machine::new(JAVA) else {
        return;
    };
    let server = Server::start();
    let cluster = server.create("trusted");
    assert!(all(&status(&machine, &server), "absent"));
    assert_trusted(&machine, &cluster, false);
    let before = machine.stores();

    let said = trust(&machine, &server, &["install"]);
    let now = status(&machine, &server);
    assert!(said.ok && all(&now, "installed"), "{said:?} {now}");
    assert!(
        said.err
            .contains("wrote /usr/local/share/ca-certificates/tidegate-local-"),
        "line by line: {}",
        said.err
    );
    let java = machine.has_java();
    assert_eq!(
        said.err.contains("keytool imported it as tidegate-local-"),
        java,
        "Java's own store: {}",
        said.err
    );
    assert_trusted(&machine, &cluster, true);
    // The path is not needed, but the correct name is.
    let mut python = machine.command("python3");
    python.args([
        "-c",
        PYTHON,
        "127.0.0.1",
        &cluster.port.to_string(),
        "wrong.test",
    ]);
    let wrong = Said::from(python.output().unwrap());
    assert!(
        !wrong.ok && wrong.err.contains("CERTIFICATE_VERIFY_FAILED"),
        "{wrong:?}"
    );

    let installed = machine.stores();
    assert_ne!(before, installed);
    let again = trust(&machine, &server, &["install"]);
    assert!(
        again.ok && again.err.contains("already installed"),
        "{again:?}"
    );
    assert_eq!(machine.stores(), installed, "a second time changes nothing");

    let said = trust(&machine, &server, &["remove"]);
    assert!(said.ok, "{said:?}");
    assert_eq!(machine.stores(), before, "as if it had never been there");
    assert_eq!(machine.dangling_links(), [""; 0]);
    assert_trusted(&machine, &cluster, false);
    let again = trust(&machine, &server, &["remove"]);
    assert!(again.ok && again.err.contains("not installed"), "{again:?}");
    assert_eq!(machine.stores(), before);
}

#[test]
fn two_data_directories_do_not_collide_and_renewing_swaps_one() {
    let Some(machine) = Machine::new(JAVA) else {
        return;
    };
    let one = Server::start();
    let two = Server::start();
    let before = machine.stores();
    assert!(trust(&machine, &one, &["install"]).ok);
    let one_alone = machine.stores();
    let one_cluster = one.create("one");
    let two_cluster = two.create("two");
    let other = status(&machine, &two);
    assert!(all(&other, "absent"), "{other}");
    let first = name(&status(&machine, &one));
    assert_eq!(other["stores"][0]["others"][0], first.as_str(), "{other}");
    // A missing root is not removed, and another's root stays.
    assert!(trust(&machine, &two, &["remove"]).ok);
    assert_eq!(machine.stores(), one_alone);
    assert!(trust(&machine, &two, &["install"]).ok);
    assert_trusted(&machine, &one_cluster, true);
    assert_trusted(&machine, &two_cluster, true);

    let renewed = trust(&machine, &two, &["renew", "--yes"]);
    assert!(
        renewed.ok && renewed.err.contains("every client needs the new"),
        "{renewed:?}"
    );
    let now = status(&machine, &two);
    assert!(
        all(&now, "installed"),
        "the new one took the old one's place: {renewed:?} {now}"
    );
    assert!(
        now["stores"]
            .as_array()
            .unwrap()
            .iter()
            .all(|store| store["older"] == Value::Array(vec![])),
        "{now}"
    );
    assert_trusted(&machine, &two_cluster, true);
    assert!(trust(&machine, &two, &["remove"]).ok);
    assert_eq!(machine.stores(), one_alone);

    // A deleted data directory leaves its CA behind, which can be removed too.
    assert!(trust(&machine, &two, &["remove", "--all"]).ok);
    assert_eq!(machine.stores(), before);
}

#[test]
fn an_older_ca_is_told_and_taken_out_when_the_new_one_goes_in() {
    let Some(machine) = Machine::new(JAVA) else {
        return;
    };
    let mut server = Server::start();
    let cluster = server.create("older");
    let before = machine.stores();
    assert!(trust(&machine, &server, &["install"]).ok);
    let old = name(&status(&machine, &server));
    server.stop();
    let said = trust(&machine, &server, &["renew", "--yes"]);
    assert!(
        said.ok && said.err.contains("next start") && said.err.contains("trust install"),
        "{said:?}"
    );
    assert!(
        all(&status(&machine, &server), "installed"),
        "nothing happens before that"
    );
    server.run();
    let now = status(&machine, &server);
    assert!(all(&now, "older"), "{now}");
    assert_eq!(now["stores"][0]["older"][0], old.as_str());
    assert_trusted(&machine, &cluster, false);
    assert!(trust(&machine, &server, &["install"]).ok);
    assert!(all(&status(&machine, &server), "installed"));
    assert_trusted(&machine, &cluster, true);
    assert!(trust(&machine, &server, &["remove"]).ok);
    assert_eq!(machine.stores(), before);
}

#[test]
fn who_is_not_root_is_told_the_line_to_type() {
    if !rustix::process::geteuid().is_root() {
        not_run("needs root, to become somebody else");
        return;
    }
    let server = Server::start();
    for args in [&["install"][..], &["remove"], &["remove", "--all"]] {
        let mut command = Command::new(binary());
        let out = command
            .arg("trust")
            .args(args)
            .arg("--data")
            .arg(server.data())
            .uid(65534)
            .gid(65534)
            .output();
        let out = out.unwrap();
        assert_eq!(out.status.code(), Some(1), "{args:?}: {out:?}");
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        let line = format!(
            "sudo {} trust {} --data {}",
            binary().display(),
            args.join(" "),
            server.data().display()
        );
        assert!(said.contains(&line), "{said}");
    }
}

/// Whether a client with this CA trusts the server under this name.
fn verifies(server: &Server, ca: &Path, name: &str) -> bool {
    verified_leaf(server.addr(), ca, name).is_ok()
}

fn kept_copy(server: &Server) -> PathBuf {
    let copy = server.folder.join("old-ca.pem");
    std::fs::copy(server.data().join("ca.pem"), &copy).unwrap();
    copy
}

#[test]
fn a_name_outside_the_constraints_is_carried_after_renewal_and_sessions_go_on() {
    let mut server = Server::start();
    let cluster = server.create("renewed");
    server.stop();
    server.change(Options {
        names: vec![OUTSIDE.into()],
        ..Options::default()
    });
    server.run();
    let ca = server.data().join("ca.pem");
    let warning = soon("the warning about the name", || {
        let log = server.log();
        let mut lines = log.lines();
        lines
            .find(|line| line.contains("does not carry") && line.contains(OUTSIDE))
            .map(str::to_owned)
    });
    assert!(warning.contains("tidegate trust renew"), "{warning}");
    assert!(verifies(&server, &ca, "localhost"));
    assert!(!verifies(&server, &ca, OUTSIDE));
    let mut session = Session::open(&cluster);
    assert_eq!(session.value("SELECT 1"), "1");
    let old = kept_copy(&server);

    // Without confirmation the CA is not replaced, because every client's file would become
    // useless.
    let out = server.cli(&["trust", "renew"]);
    assert_eq!(out.status.code(), Some(2), "{out:?}");
    assert!(
        String::from_utf8_lossy(&out.stderr).contains("--yes"),
        "{out:?}"
    );
    assert_eq!(std::fs::read(&ca).unwrap(), std::fs::read(&old).unwrap());

    let out = server.cli(&["trust", "renew", "--yes"]);
    assert!(out.status.success(), "{out:?}");
    assert!(verifies(&server, &ca, OUTSIDE), "the leaf carries it now");
    assert!(
        !verifies(&server, &old, "localhost"),
        "clients need the new file"
    );
    assert_eq!(session.value("SELECT 2"), "2", "the open session goes on");
    soon("connect lines know the name", || {
        let names = server.json(&["cluster", "show", "renewed"])["host"]
            .as_str()
            .unwrap()
            .to_owned();
        (names == "127.0.0.1" || names == OUTSIDE).then_some(())
    });
    assert_eq!(Session::open(&cluster).value("SELECT 3"), "3");

    // It stays unchanged.
    session.quit();
    let new = std::fs::read(&ca).unwrap();
    server.stop();
    server.run();
    assert_eq!(std::fs::read(&ca).unwrap(), new);
    assert!(verifies(&server, &ca, OUTSIDE));
}

#[test]
fn connect_with_the_systems_store_names_no_path() {
    let server = Server::start();
    server.create("plain");
    for client in ["mariadb", "mysql"] {
        let out = Said::from(server.cli(&["connect", "plain", "--with", client, "--ca", "system"]));
        assert!(out.ok && !out.out.contains("ca.pem"), "{client}: {out:?}");
    }
}
