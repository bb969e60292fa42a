//! Entry points for the fuzzer, behind the feature `fuzzing`: every parser of a hostile server's
//! bytes. The product does not call them.

use crate::clean::{clean, shown};
use crate::hello;
use crate::link::End;
use crate::login;
use crate::packet::{self, ErrPacket, Greeting};
use crate::probes::{certificate, plaintext};
use crate::report::FindingSheet;
use crate::settings::Settings;
use rustls::pki_types::{CertificateDer, ServerName};
use std::io::{self, Cursor, Read, Write};
use time::OffsetDateTime;

/// Asserts that printed text contains no control characters.
fn print(text: &str) {
    assert!(clean(text).chars().all(|c| !c.is_control()), "{text:?}");
}

/// Parses a first packet, an error, and an answer to a login in clear text.
pub fn packets(bytes: &[u8]) {
    print(&shown(bytes));
    if let Some(greeting) = Greeting::parse(bytes) {
        let _ = greeting.number();
        print(&greeting.version);
        print(&greeting.plugin);
        assert!(greeting.salt.len() <= 20);
    }
    if let Some(error) = ErrPacket::parse(bytes) {
        print(&error.to_string());
    }
    let _ = packet::read(&mut Cursor::new(bytes));
    print(&format!("{:?}", plaintext::read_answer(bytes, End::Closed)));
}

/// Parses an answer to a ClientHello.
pub fn hello(bytes: &[u8]) {
    for end in [End::Closed, End::Reset, End::Silent, End::Full] {
        print(&hello::read_answer(bytes, end).to_string());
    }
}

/// A server that sends the given bytes and records what it receives.
struct ScriptedServer<'a> {
    says: Cursor<&'a [u8]>,
    heard: Vec<u8>,
}

impl Read for ScriptedServer<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.says.read(buffer)
    }
}

impl Write for ScriptedServer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.heard.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Runs a login and a query against a server that sends these bytes. The password may be sent only
/// if the server asks for it, by the plugin's name or by 0x01 0x04.
pub fn login(bytes: &[u8]) {
    const PASSWORD: &str = "the password of a fuzzer";
    let greeting = Greeting {
        protocol: 10,
        version: "9.7.4".to_owned(),
        capabilities: packet::ORDINARY | packet::SSL,
        salt: vec![7; 20],
        plugin: "caching_sha2_password".to_owned(),
    };
    let mut server = ScriptedServer {
        says: Cursor::new(bytes),
        heard: Vec::new(),
    };
    if login::login(&mut server, &greeting, "p.root", PASSWORD, Some("test")).is_ok() {
        let _ = login::select_one(&mut server);
        let _ = login::tls_version(&mut server).as_deref().map(print);
    }
    let asks: [&[u8]; 3] = [b"\x01\x04", b"mysql_clear_password\0", b"sha256_password\0"];
    assert!(
        asks.iter().any(|ask| contains(bytes, ask))
            || !contains(&server.heard, PASSWORD.as_bytes()),
        "the password was sent to a server that did not ask for it"
    );
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Judges a chain of certificates, leaf first.
pub fn chain(certificates: &[&[u8]]) {
    let sent: Vec<_> = certificates
        .iter()
        .map(|c| CertificateDer::from(c.to_vec()))
        .collect();
    let (Ok(endpoint), Ok(name)) = ("localhost:4000".parse(), ServerName::try_from("localhost"))
    else {
        return;
    };
    let mut sheet = FindingSheet::default();
    certificate::judge_certificate(
        &Settings::new(endpoint),
        &name,
        &sent,
        OffsetDateTime::now_utc(),
        &mut sheet,
    );
    for finding in sheet.close("not judged") {
        assert!(
            finding.evidence.chars().all(|c| !c.is_control()),
            "{:?}",
            finding.evidence
        );
    }
}
