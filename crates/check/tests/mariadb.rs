//! A plain MariaDB accused in several ways, and HAProxy in front of one: what the judge must find at servers that people
//! really run. Every server is the real one.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

mod support;

use std::process::{Child, Command, Stdio};
use std::time::Duration;
use support::certificates::{Pki, Served, self_signed};
use support::mariadb::{MariaDb, free_port};
use support::{as_user, judge, settings, trusting};
use tidegate_check::{Settings, Verdict};

/// A user with a password, and a database for it.
const SHOP: &str =
    "CREATE USER shop@'%' IDENTIFIED BY 'sesame';\nCREATE DATABASE test;\nGRANT ALL ON test.* TO shop@'%';\n";

#[test]
fn without_tls_everything_secure_is_missing() {
    let server = MariaDb::start(&["--skip-ssl"], "");
    let judged = judge(&settings(server.port));
    judged.fails("tls-offered", "lack CLIENT_SSL").fails("plaintext", "").skips("tls13", "offers no TLS");
    judged.warns("version", "5.5.5-10.11").warns("port", "").warns("silent", "still open");
    judged.passes(&["addresses", "greeting"]);
    assert_eq!(judged.0.verdict, Verdict::Fail);
}

#[test]
fn tls_beside_clear_text_fails_for_the_clear_text() {
    let pki = Pki::new();
    let server = MariaDb::secured(&pki.good(), &["--connect-timeout=2"], SHOP);
    let quick = Settings { silence_max: Duration::from_secs(8), ..trusting(server.port, &pki.ca()) };
    let judged = judge(&as_user(quick, "shop", "sesame"));
    judged.fails("plaintext", "").skips("plaintext-text", "not refused");
    judged.passes(&["tls-bit", "injection", "quiet", "tls13", "tls12", "old-tls", "ssl", "weak-suites", "split-hello"]);
    judged.passes(&["chain", "trust", "name", "wrong-name", "no-sni", "validity", "key"]);
    // MariaDB asks always, and takes none for an answer.
    judged.fails("client-certificate", "CertificateRequest");
    judged.passes(&["login", "database", "first-row", "denial", "silent", "early-data"]);
    judged.warns("legacy-suites", "TLS 1.2 with suite").warns("alpn", "ignored");
}

#[test]
fn required_tls_is_seen_and_old_protocols_with_broken_suites_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let served = small_rsa(folder.path());
    let options = [
        "--require-secure-transport=ON",
        "--tls-version=TLSv1.0,TLSv1.1,TLSv1.2,TLSv1.3",
        "--ssl-cipher=ALL:COMPLEMENTOFALL:@SECLEVEL=0",
    ];
    let server = MariaDb::secured(&served, &options, "");
    let judged = judge(&settings(server.port));
    judged.fails("old-tls", "TLS 1.1 with suite").fails("weak-suites", "TLS 1.2 with suite");
    judged.fails("key", "RSA 1024").fails("trust", "signed by itself").passes(&["ssl"]);
    // It asks for the password first and refuses only then: too late for a secret.
    judged.fails("plaintext", "");
}

/// RSA with 1024 bits, which only the command line of OpenSSL still makes.
fn small_rsa(folder: &std::path::Path) -> Served {
    let path = |name: &str| folder.join(name).display().to_string();
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:1024", "-nodes", "-days", "30", "-subj", "/CN=localhost"])
        .args(["-addext", "subjectAltName=DNS:localhost", "-keyout", &path("k"), "-out", &path("c")])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let read = |name: &str| std::fs::read_to_string(path(name)).unwrap();
    Served { chain: vec![read("c")], key: read("k") }
}

#[test]
fn self_signed_expired_and_wrong_names_are_told_apart() {
    let pki = Pki::new();
    for (served, failing, words) in [
        (self_signed(), "trust", "signed by itself"),
        (pki.leaf(&["localhost"], 100, 90), "validity", "expired on"),
        (pki.leaf(&["db.example.com"], 10, 90), "name", "not for localhost: db.example.com"),
    ] {
        let server = MariaDb::secured(&served, &[], SHOP);
        let judged = judge(&as_user(trusting(server.port, &pki.ca()), "shop", "sesame"));
        judged.fails(failing, words);
        for other in ["trust", "validity", "name", "chain"].iter().filter(|id| **id != failing) {
            judged.passes(&[*other]);
        }
        judged.skips("login", "no login was sent").skips("denial", "no login was sent");
    }
}

/// MariaDB ends a sleep of `init_connect` after 5 s.
const SLOW: &str = "--init-connect=DO SLEEP(6)";

#[test]
fn logins_that_go_wrong() {
    let pki = Pki::new();
    let sql = "DROP DATABASE IF EXISTS test;\nDELETE FROM mysql.db;\nFLUSH PRIVILEGES;\nCREATE USER slow@'%' IDENTIFIED BY 'sesame';\nCREATE USER locked@'%' IDENTIFIED BY 'sesame' ACCOUNT LOCK;\nCREATE USER socket@'%' IDENTIFIED VIA unix_socket;\n";
    let server = MariaDb::secured(&pki.good(), &[SLOW], sql);
    let accused = || trusting(server.port, &pki.ca());
    judge(&as_user(accused(), "slow", "sesame")).passes(&["login"]).warns("first-row", "5.").warns("database", "1044");
    let judged = judge(&as_user(accused(), "locked", "sesame"));
    judged.fails("login", "4151").passes(&["denial"]).skips("first-row", "no login");
    // Tells that the user exists, and how it logs in.
    judge(&as_user(accused(), "socket", "sesame")).fails("login", "1698").fails("denial", "1698");
    judge(&as_user(accused(), "slow", "wrong")).fails("login", "1045").passes(&["denial"]);
}

struct HaProxy(Child);

impl Drop for HaProxy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn haproxy_in_front_changes_no_verdict() {
    if !std::path::Path::new("/usr/sbin/haproxy").exists() {
        println!("not run: haproxy is not installed");
        return;
    }
    let pki = Pki::new();
    let server = MariaDb::secured(&pki.good(), &[], "");
    let (port, folder) = (free_port(), tempfile::tempdir().unwrap());
    let file = folder.path().join("haproxy.cfg");
    let text = format!(
        "defaults\n mode tcp\n timeout connect 5s\n timeout client 30s\n timeout server 30s\n\
         listen db\n bind 127.0.0.1:{port}\n server one 127.0.0.1:{}\n",
        server.port
    );
    std::fs::write(&file, text).unwrap();
    let run = Command::new("/usr/sbin/haproxy").arg("-db").arg("-f").arg(&file).stderr(Stdio::null()).spawn().unwrap();
    let _haproxy = HaProxy(run);
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        std::thread::sleep(Duration::from_millis(20));
    }
    let (behind, direct) = (judge(&trusting(port, &pki.ca())), judge(&trusting(server.port, &pki.ca())));
    for (a, b) in behind.0.findings.iter().zip(&direct.0.findings) {
        assert_eq!((a.kind, a.verdict), (b.kind, b.verdict), "{} / {}", a.evidence, b.evidence);
    }
}

/// What `openssl s_client` says of the same server.
fn openssl(port: u16, options: &[&str]) -> String {
    let out = Command::new("openssl")
        .args(["s_client", "-starttls", "mysql", "-servername", "localhost", "-connect", &format!("127.0.0.1:{port}")])
        .args(options)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned()
}

#[test]
fn openssl_agrees_where_both_look() {
    let pki = Pki::new();
    let ca = pki.ca();
    let old = ["--tls-version=TLSv1.1,TLSv1.2", "--ssl-cipher=ALL:@SECLEVEL=0"];
    for (served, options) in [
        (pki.good(), &[][..]),
        (pki.good(), &old[..]),
        (pki.leaf(&["localhost"], 100, 90), &[]),
        (pki.leaf(&["other.example"], 10, 90), &[]),
    ] {
        let server = MariaDb::secured(&served, options, "");
        let judged = judge(&trusting(server.port, &ca));
        let passed = |id: &str| judged.0.findings.iter().any(|f| f.kind.entry().id == id && f.verdict == Verdict::Pass);
        let shaken = |options: &[&str]| {
            openssl(server.port, options).contains("Cipher is ")
                && !openssl(server.port, options).contains("Cipher is (NONE)")
        };
        assert_eq!(passed("tls13"), shaken(&["-tls1_3"]), "{}", judged.text());
        assert_eq!(passed("tls12"), shaken(&["-tls1_2"]), "{}", judged.text());
        assert_eq!(!passed("old-tls"), shaken(&["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]), "{}", judged.text());
        let verify = ["-CAfile", ca.to_str().unwrap(), "-verify_hostname", "localhost"];
        let verified = openssl(server.port, &verify).contains("Verify return code: 0 (ok)");
        assert_eq!(passed("trust") && passed("name") && passed("validity"), verified, "{}", judged.text());
    }
}
