//! Compares a report with the results of sslscan and OpenSSL's client. Both run as programs; no
//! code of the check is used. The end-to-end tests use this file too.

use std::net::IpAddr;
use std::process::{Command, Stdio};

/// Result of sslscan.
#[derive(Debug)]
pub struct Scan {
    xml: String,
}

/// Access to a report's finding by its id: its verdict and its evidence.
pub type Ask<'a> = &'a dyn Fn(&str) -> (String, String);

const MONTHS: &[&str] = &[
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Returns a program's output and error output.
fn output(command: &mut Command) -> String {
    let out = command.stdin(Stdio::null()).output().unwrap();
    String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned()
}

/// Returns the text between two marks.
fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(inner, _)| inner)
}

/// Converts `Feb 20 22:32:55 2027 GMT` to `2027-02-20`.
fn date(text: &str) -> String {
    let parts: Vec<_> = text.split_whitespace().collect();
    let month = MONTHS.iter().position(|m| *m == parts[0]).unwrap() + 1;
    format!("{}-{month:02}-{:0>2}", parts[3], parts[1])
}

impl Scan {
    /// Runs sslscan. None if it is not installed.
    pub fn of(port: u16, sni: &str) -> Option<Self> {
        if !std::path::Path::new("/usr/bin/sslscan").exists() {
            return None;
        }
        let endpoint = format!("127.0.0.1:{port}");
        let xml = output(Command::new("/usr/bin/sslscan").args([
            "--starttls-mysql",
            "--xml=-",
            &format!("--sni-name={sni}"),
            &endpoint,
        ]));
        assert!(xml.contains("</ssltest>"), "{xml}");
        Some(Self { xml })
    }

    fn enabled(&self, family: &str, version: &str) -> bool {
        let line = format!("type=\"{family}\" version=\"{version}\" enabled=\"");
        let state = between(&self.xml, &line, "\"")
            .unwrap_or_else(|| panic!("no {family} {version}: {}", self.xml));
        state == "1"
    }

    /// Returns OpenSSL's names of the suites that were accepted in versions whose name contains
    /// this.
    fn suites(&self, version: &str) -> Vec<&str> {
        let lines = self.xml.lines().filter(|l| l.contains("<cipher "));
        let of = |l: &&str| {
            between(l, "sslversion=\"", "\"").is_some_and(|v| v.contains(version) && v != "TLSv1.3")
        };
        lines
            .filter(of)
            .filter_map(|l| between(l, " cipher=\"", "\""))
            .collect()
    }

    fn certificate(&self, element: &str) -> Option<String> {
        let text = between(&self.xml, &format!("<{element}>"), &format!("</{element}>"))?;
        Some(between(text, "<![CDATA[", "]]>").unwrap_or(text).to_owned())
    }
}

fn is_broken(suite: &str) -> bool {
    ["NULL", "EXP", "RC4", "DES", "ADH", "AECDH"]
        .iter()
        .any(|word| suite.contains(word))
}

fn is_modern(suite: &str) -> bool {
    suite.starts_with("ECDHE")
        && ["GCM", "CHACHA20", "CCM"]
            .iter()
            .any(|word| suite.contains(word))
}

/// Asserts that protocols, suites and certificate are the same in both reports.
pub fn agree(scan: &Scan, ask: Ask<'_>) {
    let same = |id: &str, as_wished: bool, wished: &str| {
        let (verdict, evidence) = ask(id);
        assert_eq!(
            verdict == wished,
            as_wished,
            "{id}: {verdict}: {evidence}\n{}",
            scan.xml
        );
    };
    let suites = scan.suites("");
    let broken = suites.iter().any(|s| is_broken(s));
    same(
        "ssl",
        !scan.enabled("ssl", "2") && !scan.enabled("ssl", "3"),
        "pass",
    );
    same(
        "old-tls",
        scan.enabled("tls", "1.0") || scan.enabled("tls", "1.1"),
        "fail",
    );
    same(
        "tls12",
        scan.suites("TLSv1.2").iter().any(|s| is_modern(s)),
        "pass",
    );
    same("tls13", scan.enabled("tls", "1.3"), "pass");
    same("weak-suites", broken, "fail");
    same(
        "legacy-suites",
        suites.iter().any(|s| !is_modern(s) && !is_broken(s)),
        "warn",
    );

    if ask("name").0 != "skip" {
        same_certificate(scan, ask);
    }
}

fn same_certificate(scan: &Scan, ask: Ask<'_>) {
    let names = scan
        .certificate("altnames")
        .unwrap()
        .replace("DNS:", "")
        .replace("IP Address:", "");
    // sslscan writes an IPv6 address in full.
    let names = names.split(", ").map(|n| {
        n.parse::<IpAddr>()
            .map_or_else(|_| n.to_owned(), |ip| ip.to_string())
    });
    let names = names.collect::<Vec<_>>().join(", ");
    let (_, evidence) = ask("name");
    assert!(evidence.ends_with(&names), "{evidence}: {names}");
    let until = date(&scan.certificate("not-valid-after").unwrap());
    let (verdict, evidence) = ask("validity");
    assert!(evidence.ends_with(&until), "{evidence}: {until}");
    assert_eq!(
        scan.certificate("expired").unwrap() == "true",
        verdict == "fail",
        "{evidence}"
    );
    let key = between(&scan.xml, "<pk ", "/>").unwrap();
    let (_, evidence) = ask("key");
    // For a curve it reports the strength instead of the length.
    let known = match between(key, "curve_name=\"", "\"") {
        Some(curve) => format!("EC {}", if curve == "prime256v1" { "256" } else { curve }),
        None => format!("RSA {}", between(key, "bits=\"", "\"").unwrap()),
    };
    assert!(evidence.contains(&known), "{evidence}: {key}");
}

/// Returns the output of `openssl s_client`.
pub fn openssl(port: u16, options: &[&str]) -> String {
    output(
        Command::new("openssl")
            .args(["s_client", "-starttls", "mysql", "-servername", "localhost"])
            .arg("-connect")
            .arg(format!("127.0.0.1:{port}"))
            .args(options),
    )
}

/// Asserts that handshakes and the verification of chain and name agree.
pub fn openssl_agrees(port: u16, ca: &std::path::Path, ask: Ask<'_>) {
    let is_shaken = |said: &str| said.contains("Cipher is ") && !said.contains("Cipher is (NONE)");
    let shaken = |options: &[&str]| is_shaken(&openssl(port, options));
    let passed = |id: &str| ask(id).0 == "pass";
    let weakest = ["-cipher", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"];
    assert_eq!(passed("tls13"), shaken(&["-tls1_3"]), "{:?}", ask("tls13"));
    let modern = ["-tls1_2", "-cipher", "ECDHE+AESGCM:ECDHE+CHACHA20"];
    assert_eq!(passed("tls12"), shaken(&modern), "{:?}", ask("tls12"));
    let old = shaken(&[&["-tls1_1"], &weakest[..]].concat())
        || shaken(&[&["-tls1"], &weakest[..]].concat());
    assert_eq!(ask("old-tls").0 == "fail", old, "{:?}", ask("old-tls"));
    let broken = ["-no_tls1_3", "-cipher", "eNULL:aNULL:3DES:@SECLEVEL=0"];
    assert_eq!(
        ask("weak-suites").0 == "fail",
        shaken(&broken),
        "{:?}",
        ask("weak-suites")
    );
    let said = openssl(
        port,
        &[
            "-CAfile",
            ca.to_str().unwrap(),
            "-verify_hostname",
            "localhost",
        ],
    );
    let verified = is_shaken(&said) && said.contains("Verify return code: 0 (ok)");
    // Without a completed handshake the check saw no certificate and no request for one.
    if ask("trust").0 == "skip" {
        return;
    }
    assert_eq!(
        passed("trust") && passed("name") && passed("validity"),
        verified,
        "{said}"
    );
    // Only a CertificateRequest contains these.
    let asked = said.contains("Requested Signature Algorithms")
        || said.contains("Client Certificate Types");
    assert_eq!(ask("client-certificate").0 == "fail", asked, "{said}");
}
