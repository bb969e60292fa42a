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
    let has_ssl = scan.enabled("ssl", "2") || scan.enabled("ssl", "3");
    let has_old_tls = scan.enabled("tls", "1.0") || scan.enabled("tls", "1.1");
    let has_modern_tls12 = scan.suites("TLSv1.2").iter().any(|s| is_modern(s));
    let suites = scan.suites("");
    let has_broken = suites.iter().any(|s| is_broken(s));
    let has_legacy = suites.iter().any(|s| !is_modern(s) && !is_broken(s));
    // Each finding has the verdict exactly if sslscan says so.
    for (id, verdict, expected) in [
        ("ssl", "pass", !has_ssl),
        ("old-tls", "fail", has_old_tls),
        ("tls12", "pass", has_modern_tls12),
        ("tls13", "pass", scan.enabled("tls", "1.3")),
        ("weak-suites", "fail", has_broken),
        ("legacy-suites", "warn", has_legacy),
    ] {
        let (seen, evidence) = ask(id);
        assert_eq!(
            seen == verdict,
            expected,
            "{id}: {seen}: {evidence}\n{}",
            scan.xml
        );
    }

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

/// Whether the output of `openssl s_client` reports a completed handshake.
fn has_handshake(said: &str) -> bool {
    said.contains("Cipher is ") && !said.contains("Cipher is (NONE)")
}

/// Whether a handshake with these options completes.
fn shakes(port: u16, options: &[&str]) -> bool {
    has_handshake(&openssl(port, options))
}

/// Asserts that handshakes and the verification of chain and name agree.
pub fn openssl_agrees(port: u16, ca: &std::path::Path, ask: Ask<'_>) {
    const WEAKEST: &str = "ALL:COMPLEMENTOFALL:@SECLEVEL=0";
    const MODERN: &str = "ECDHE+AESGCM:ECDHE+CHACHA20";
    const BROKEN: &str = "eNULL:aNULL:3DES:@SECLEVEL=0";
    let tls13 = shakes(port, &["-tls1_3"]);
    let modern = shakes(port, &["-tls1_2", "-cipher", MODERN]);
    let old = shakes(port, &["-tls1_1", "-cipher", WEAKEST])
        || shakes(port, &["-tls1", "-cipher", WEAKEST]);
    let broken = shakes(port, &["-no_tls1_3", "-cipher", BROKEN]);
    for (id, verdict, expected) in [
        ("tls13", "pass", tls13),
        ("tls12", "pass", modern),
        ("old-tls", "fail", old),
        ("weak-suites", "fail", broken),
    ] {
        let (seen, evidence) = ask(id);
        assert_eq!(seen == verdict, expected, "{id}: {seen}: {evidence}");
    }
    let said = openssl(
        port,
        &[
            "-CAfile",
            ca.to_str().unwrap(),
            "-verify_hostname",
            "localhost",
        ],
    );
    let verified = has_handshake(&said) && said.contains("Verify return code: 0 (ok)");
    // Without a completed handshake the check saw no certificate and no request for one. OpenSSL
    // then has none either with the suites that the check offers; it knows older ones too.
    if ask("trust").0 == "skip" {
        let said = openssl(port, &["-cipher", "ECDHE+AESGCM:ECDHE+CHACHA20"]);
        assert!(!has_handshake(&said), "{said}");
        return;
    }
    let passes = ["trust", "name", "validity"]
        .iter()
        .all(|id| ask(id).0 == "pass");
    assert_eq!(passes, verified, "{said}");
    // Only a CertificateRequest contains these.
    let asked = said.contains("Requested Signature Algorithms")
        || said.contains("Client Certificate Types");
    assert_eq!(ask("client-certificate").0 != "pass", asked, "{said}");
}
