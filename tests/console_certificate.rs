//! A public console: its own name and certificate beside the database's, by ACME and from files, on
//! a port 443 that it shares with a CA's validators. Without Pebble a test prints "not run" and
//! passes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tidegate_e2e::acme::{ca, verified_leaf};
use tidegate_e2e::certificates::{Company, VALID};
use tidegate_e2e::limits::{soon, within};
use tidegate_e2e::pebble::{Pebble, Wanted};
use tidegate_e2e::ports::free_port;
use tidegate_e2e::probe::Probe;
use tidegate_e2e::server::write;
use tidegate_e2e::{Options, Server, tls};

const DATABASE: &str = "db.example.com";
const CONSOLE: &str = "console.example.com";

struct Bench {
    server: Server,
    pebble: Pebble,
    roots: PathBuf,
    console: u16,
    _folder: tempfile::TempDir,
}

/// Starts `serve` with the console on this port and `more` in `[acme]`.
fn bench(pebble: Pebble, console: u16, more: &str) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let roots = write(folder.path(), "roots.pem", &pebble.root());
    let config = format!(
        "[acme]\nhttp_listen = [\"127.0.0.1:{}\"]\n{}{more}",
        pebble.http,
        ca(&pebble, &roots)
    );
    let at = format!("127.0.0.1:{console}");
    let flags = [
        "--domain",
        DATABASE,
        "--console-domain",
        CONSOLE,
        "--console",
        &at,
    ];
    let flags = flags.map(str::to_owned).to_vec();
    let server = Server::with(Options {
        config,
        flags,
        ..Options::default()
    });
    Bench {
        server,
        pebble,
        roots,
        console,
        _folder: folder,
    }
}

impl Bench {
    /// Returns the leaf of the database's port, verified for this name.
    fn database(&self, name: &str) -> Result<Vec<u8>, String> {
        verified_leaf(self.server.addr(), &self.roots, name)
    }

    /// Returns the leaf of the console, verified for this name. The console's page must be served
    /// too.
    fn console(&self, name: &str) -> Result<Vec<u8>, String> {
        https(self.console, name, tls::verified(&self.roots, tls::BOTH))
    }

    fn wait(&self) -> (Vec<u8>, Vec<u8>) {
        soon(&format!("both certificates\n{}", self.server.log()), || {
            Some((self.database(DATABASE).ok()?, self.console(CONSOLE).ok()?))
        })
    }
}

fn https(port: u16, name: &str, config: Arc<ClientConfig>) -> Result<Vec<u8>, String> {
    let tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).map_err(|e| e.to_string())?;
    let client =
        ClientConnection::new(config, ServerName::try_from(name.to_owned()).unwrap()).unwrap();
    let mut stream = StreamOwned::new(client, tcp);
    let request = format!("GET /sign-in HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n");
    stream
        .write_all(request.as_bytes())
        .map_err(|e| e.to_string())?;
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    Ok(stream.conn.peer_certificates().unwrap()[0].to_vec())
}

/// Runs curl with the session's cookies and returns the answer.
fn curl(bench: &Bench, more: &[&str]) -> String {
    let jar = bench.server.folder.join("cookies");
    let at = format!("{CONSOLE}:{}:127.0.0.1", bench.console);
    let mut command = std::process::Command::new("curl");
    command
        .args(["-sS", "--resolve", &at, "--cacert"])
        .arg(&bench.roots)
        .args(["-b"])
        .arg(&jar)
        .args(["-c"])
        .arg(&jar);
    let out = command.args(more).output().unwrap();
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8(out.stdout).unwrap()
}

/// Signs in by a link and returns the certificate page.
fn page(bench: &Bench) -> String {
    let link = bench.server.json(&["operator", "link"])["url"]
        .as_str()
        .unwrap()
        .to_owned();
    let base = format!("https://{CONSOLE}:{}", bench.console);
    curl(
        bench,
        &["-X", "POST", "-H", &format!("Origin: {base}"), &link],
    );
    curl(bench, &[&format!("{base}/certificate")])
}

fn accounts(folder: &Path) -> usize {
    let Ok(files) = std::fs::read_dir(folder) else {
        return 0;
    };
    files
        .filter(|file| {
            file.as_ref()
                .unwrap()
                .file_name()
                .to_string_lossy()
                .starts_with("account-")
        })
        .count()
}

#[test]
fn both_names_get_their_own_certificate_and_both_are_renewed() {
    let Some(pebble) = Pebble::start(Wanted {
        life: 40,
        ..Wanted::default()
    }) else {
        return;
    };
    let bench = bench(pebble, free_port(), "");
    let (database, console) = bench.wait();
    assert_ne!(database, console);
    bench
        .console(DATABASE)
        .expect_err("the console's certificate is not the database's");
    bench
        .database(CONSOLE)
        .expect_err("nor the other way round");
    let data = bench.server.data();
    assert_eq!(
        (
            accounts(&data.join("acme")),
            accounts(&data.join("console/acme"))
        ),
        (1, 0),
        "one account for both"
    );
    let long = std::time::Duration::from_secs(120);
    within(long, "the database's renewal", || {
        (bench.database(DATABASE).ok()? != database).then_some(())
    });
    within(long, "the console's renewal", || {
        (bench.console(CONSOLE).ok()? != console).then_some(())
    });
    assert!(
        page(&bench).contains("For this console"),
        "the page shows both"
    );
    let status = bench.server.json(&["cert", "status"]);
    assert_eq!(
        (
            &status["served"]["names"][0],
            &status["console"]["served"]["names"][0]
        ),
        (&DATABASE.into(), &CONSOLE.into())
    );
    assert_eq!(status["console"]["source"], "acme", "{status}");
    assert!(
        status["console"]["history"].as_array().unwrap().len() >= 2,
        "{status}"
    );
    let text = bench.server.cli(&["cert", "status"]);
    assert!(
        String::from_utf8_lossy(&text.stdout).contains("The console's certificate:"),
        "{text:?}"
    );
    let url = bench.server.json(&["operator", "link"])["url"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        url.starts_with(&format!("https://{CONSOLE}:{}/", bench.console)),
        "{url}"
    );
}

#[test]
fn the_console_shares_port_443_with_validators() {
    let Some(pebble) = Pebble::start(Wanted::default()) else {
        return;
    };
    let port = pebble.alpn;
    let more = format!("challenges = [\"tls-alpn-01\"]\nalpn_listen = [\"127.0.0.1:{port}\"]\n");
    let mut bench = bench(pebble, port, &more);
    let (_, console) = bench.wait();
    let record =
        std::fs::read_to_string(bench.server.data().join("console/acme/ecdsa.json")).unwrap();
    assert!(record.contains("tls-alpn-01"), "{record}");
    // No challenge is open: a validator gets nothing, browsers get the console.
    let mut validator = Arc::unwrap_or_clone(tls::unverified());
    validator.alpn_protocols = vec![b"acme-tls/1".to_vec()];
    https(port, CONSOLE, Arc::new(validator)).expect_err("there is no answer");
    let mut browser = Arc::unwrap_or_clone(tls::verified(&bench.roots, tls::BOTH));
    browser.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    assert_eq!(https(port, CONSOLE, Arc::new(browser)).unwrap(), console);
    // A restart orders nothing, and a renewal works in the same way.
    bench.server.restart();
    let (database, kept) = bench.wait();
    assert_eq!((kept, bench.pebble.issued()), (console.clone(), 2));
    bench.server.succeed(&["cert", "renew"]);
    assert_ne!(bench.database(DATABASE).unwrap(), database);
    assert_eq!(
        bench.console(CONSOLE).unwrap(),
        console,
        "the console's is not renewed"
    );
    bench.server.succeed(&["cert", "renew", "--console"]);
    assert_ne!(bench.console(CONSOLE).unwrap(), console);
    // The check finds that the name resolves to nothing.
    let check = bench.server.cli(&["cert", "check", "--console"]);
    assert!(
        String::from_utf8_lossy(&check.stdout).contains(&format!("name {CONSOLE}")),
        "{check:?}"
    );
}

#[test]
fn the_console_refuses_other_host_names() {
    let console = free_port();
    let config = format!(
        "[tls]\nnames = [\"console.test\"]\n[console]\nlisten = [\"127.0.0.1:{console}\"]\n"
    );
    let server = Server::with(Options {
        config,
        ..Options::default()
    });
    let ca = server.data().join("ca.pem");
    let trusting = tls::verified(&ca, tls::BOTH);
    for name in ["console.test", "CONSOLE.test", "localhost", "127.0.0.1"] {
        https(console, name, trusting.clone()).unwrap_or_else(|e| panic!("{name}: {e}"));
    }
    for name in ["db.example.com", "test", "x.console.test"] {
        let error = https(console, name, tls::unverified()).unwrap_err();
        assert!(error.contains("AccessDenied"), "{name}: {error}");
    }
}

#[test]
fn a_console_order_that_fails_holds_nobody_up_and_raises_its_own_alarm() {
    let Some(pebble) = Pebble::start(Wanted::default()) else {
        return;
    };
    // The console's name resolves to another machine.
    let host = format!("{CONSOLE}.");
    pebble.tell_dns(
        "add-a",
        &serde_json::json!({ "host": host, "addresses": ["127.0.0.9"] }),
    );
    let metrics = free_port();
    let bench = bench(
        pebble,
        free_port(),
        &format!("[metrics]\nlisten = \"127.0.0.1:{metrics}\"\n"),
    );
    soon(&format!("the database's\n{}", bench.server.log()), || {
        bench.database(DATABASE).ok()
    });
    let status = soon("the console's alarm", || {
        let status = bench.server.json(&["cert", "status"]);
        (!status["console"]["alarms"].as_array().unwrap().is_empty()).then_some(status)
    });
    assert_eq!(
        status["alarms"],
        serde_json::json!([]),
        "the database's has no alarm: {status}"
    );
    bench.server.wait_log("console: no certificate from");
    let out = std::process::Command::new("curl")
        .args(["-sS", &format!("http://127.0.0.1:{metrics}/metrics")])
        .output();
    let text = String::from_utf8(out.unwrap().stdout).unwrap();
    let raised =
        |line: &&str| line.starts_with("tidegate_certificate_alarms{") && line.ends_with(" 1");
    let raised: Vec<_> = text.lines().filter(raised).collect();
    assert_eq!(
        raised,
        ["tidegate_certificate_alarms{certificate=\"console\",kind=\"failed\"} 1"]
    );
    bench
        .pebble
        .tell_dns("clear-a", &serde_json::json!({ "host": host }));
    bench.server.succeed(&["cert", "renew", "--console"]);
    bench.console(CONSOLE).expect("the new certificate");
}

#[test]
fn a_console_certificate_from_files_is_served_beside_the_database_s() {
    let folder = tempfile::tempdir().unwrap();
    let console = free_port();
    let company = Company::new();
    company.leaf(VALID).write(folder.path());
    let ca = write(folder.path(), "ca.pem", &company.pem());
    let chain = folder.path().join("chain.pem");
    let key = folder.path().join("key.pem");
    let config = format!(
        "[console]\nlisten = [\"127.0.0.1:{console}\"]\ncertificate = \"{}\"\nkey = \"{}\"\n",
        chain.display(),
        key.display()
    );
    let server = Server::with(Options {
        config,
        ..Options::default()
    });
    let trusting = tls::verified(&ca, tls::BOTH);
    let first = soon("the console", || {
        https(console, "localhost", trusting.clone()).ok()
    });
    let cluster = server.create("beside");
    // The database's own certificate is that of the local CA.
    Probe::secured(server.addr(), tls::verified(&cluster.ca, tls::BOTH));
    // The files are watched like the database's.
    let next = company.leaf(VALID);
    next.write(folder.path());
    soon("the next leaf", || {
        (https(console, "localhost", trusting.clone()).ok()? == next.der).then_some(())
    });
    assert_ne!(first, next.der);
}
