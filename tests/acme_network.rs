//! Ways to a CA and to a server's API: addresses that give no answer, and proxies. Runs against a
//! real ACME server; without Pebble a test prints "not run" and passes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use tidegate_e2e::acme::{DOMAIN, NAMES, ca, config, verified_leaf};
use tidegate_e2e::host::{can_change, mounted};
use tidegate_e2e::limits::soon;
use tidegate_e2e::pebble::{PROXIED_NAME, Pebble, Wanted};
use tidegate_e2e::ports::{dead_address, free_port};
use tidegate_e2e::server::{binary, write};
use tidegate_e2e::{Options, Server};

/// Changes of the file system with which `localhost` has an IPv6 address, which is tried first.
const BOTH_FAMILIES: &str = r#"
printf "::1 localhost\\n127.0.0.1 localhost\\n" >"$DIR/hosts"
mount --bind "$DIR/hosts" /etc/hosts"#;

#[test]
fn a_dead_address_of_the_ca_or_of_the_server_costs_nothing() {
    let host = mounted(BOTH_FAMILIES);
    if !can_change(&host) {
        return;
    }
    let Some(pebble) = Pebble::start(Wanted::default()) else {
        return;
    };
    let console = free_port();
    let _dead =
        [pebble.port(), console].map(|port| dead_address((Ipv6Addr::LOCALHOST, port).into()));
    let folder = tempfile::tempdir().unwrap();
    let roots = write(folder.path(), "roots.pem", &pebble.root());
    let server = Server::with(Options {
        config: config(&pebble, NAMES, &ca(&pebble, &roots)),
        flags: vec!["--console".to_owned(), format!("127.0.0.1:{console}")],
        host: host.clone(),
        ..Options::default()
    });
    soon("a certificate of the CA", || {
        assert!(
            !server.log().contains("certificate alarm"),
            "{}",
            server.log()
        );
        verified_leaf(server.addr(), &roots, DOMAIN).ok()
    });
    // Its console is at the domain only, which it says itself: it was reached.
    let key = server.json(&["key", "create", "far", "--scope", "all"]);
    let out = Command::new("sh")
        .args(["-ec", &format!("DIR=$0; {host}")])
        .arg(folder.path())
        .arg(binary())
        .args([
            "cluster",
            "list",
            "--server",
            &format!("https://localhost:{console}"),
        ])
        .env("TIDEGATE_API_KEY", key["key"].as_str().unwrap())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(
        said.contains("received fatal alert: AccessDenied"),
        "{said}"
    );
}

/// Starts a proxy that connects every request to this port of this machine, as long as the test
/// runs. Returns its port, and the list of the hosts that it was asked for.
fn start_proxy(to: u16) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let list = Arc::clone(&asked);
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let list = Arc::clone(&list);
            // A connection that breaks ends its thread only.
            std::thread::spawn(move || drop(serve_tunnel(client, to, &list)));
        }
    });
    (port, asked)
}

fn serve_tunnel(client: TcpStream, to: u16, asked: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let host = first.split_whitespace().nth(1).unwrap_or_default();
    asked.lock().unwrap().push(host.to_owned());
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        reader.read_line(&mut line)?;
    }
    let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, to))?;
    let mut answers = server.try_clone()?;
    let mut back = client;
    back.write_all(b"HTTP/1.1 200 Connected\r\n\r\n")?;
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut answers, &mut back);
        let _ = back.shutdown(std::net::Shutdown::Both);
    });
    std::io::copy(&mut reader, &mut server)?;
    server.shutdown(std::net::Shutdown::Write)
}

#[test]
fn a_ca_behind_the_proxy_of_the_environment_is_asked_through_it() {
    let Some(pebble) = Pebble::start(Wanted::default()) else {
        return;
    };
    let (proxy, asked) = start_proxy(pebble.port());
    let folder = tempfile::tempdir().unwrap();
    let roots = write(folder.path(), "roots.pem", &pebble.root());
    let directory = format!("{PROXIED_NAME}:{}", pebble.port());
    let keys = ca(&pebble, &roots).replace(&format!("localhost:{}", pebble.port()), &directory);
    let server = Server::with(Options {
        config: config(&pebble, NAMES, &keys),
        env: vec![("HTTPS_PROXY".into(), format!("http://127.0.0.1:{proxy}"))],
        ..Options::default()
    });
    soon("a certificate of the CA", || {
        assert!(
            !server.log().contains("certificate alarm"),
            "{}",
            server.log()
        );
        verified_leaf(server.addr(), &roots, DOMAIN).ok()
    });
    let asked = asked.lock().unwrap().clone();
    assert!(
        asked.len() > 3 && asked.iter().all(|host| *host == directory),
        "{asked:?}"
    );
}

#[test]
fn a_proxy_of_another_kind_is_refused_in_words() {
    let Some(pebble) = Pebble::start(Wanted::default()) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let roots = write(folder.path(), "roots.pem", &pebble.root());
    let keys = ca(&pebble, &roots).replace("localhost:", &format!("{PROXIED_NAME}:"));
    let server = Server::with(Options {
        config: config(&pebble, NAMES, &keys),
        env: vec![(
            "HTTPS_PROXY".into(),
            "socks5://me:secret@127.0.0.1:1080".into(),
        )],
        ..Options::default()
    });
    server.wait_log("only proxies of http:// can be used");
    assert!(!server.log().contains("secret"), "{}", server.log());
}
