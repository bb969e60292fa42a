//! Real servers of other protocols at the endpoint: the report names what answered, and asks for
//! nothing more.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod support;

use std::io::{Read, Write};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use support::certificates::Pki;
use support::crooked::{Crooked, ordinary};
use support::process::{Process, free_port, path_in};
use support::{each, judge, settings};

/// Python's own web server, over TLS if it gets a chain and a key.
const WEB_SERVER: &str = "
import http.server, ssl, sys
handler = http.server.SimpleHTTPRequestHandler
server = http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), handler)
if len(sys.argv) > 2:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2], sys.argv[3])
    server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
";

/// Asserts that the greeting's evidence has these words, and that it is the only finding.
#[track_caller]
fn is_named(port: u16, words: &str) {
    let judged = judge(&settings(port));
    judged
        .fails("greeting", words)
        .passes(&["addresses"])
        .skips("tls13", "no MySQL greeting")
        .skips("port", "no MySQL greeting");
    let counts = judged.0.counts;
    assert_eq!((counts.fail, counts.warn), (1, 0), "{}", judged.text());
    assert!(judged.0.connections <= 4, "{}", judged.text());
}

/// Returns Python's web server, with TLS if it gets the files of a certificate.
fn python_server(folder: &Path, files: &[&str]) -> (u16, Command) {
    let port = free_port();
    let mut command = Command::new("python3");
    command
        .args(["-c", WEB_SERVER, &port.to_string()])
        .args(files);
    command.current_dir(folder);
    (port, command)
}

fn openssl_server(chain: &str, key: &str, option: &str) -> (u16, Command) {
    let port = free_port();
    let mut command = Command::new("openssl");
    command
        .args(["s_server", "-quiet", option, "-port", &port.to_string()])
        .args(["-cert", chain, "-key", key]);
    (port, command)
}

#[test]
fn web_servers_and_other_tls_servers_are_named() {
    let pki = Pki::new();
    pki.good().write(pki.folder.path());
    let folder = pki.folder.path();
    let chain = path_in(folder, "chain.pem");
    let key = path_in(folder, "key.pem");
    each(
        [
            (
                python_server(folder, &[&chain, &key]),
                "this is a web server (HTTPS): HTTP/1.0 200 OK, SimpleHTTP",
            ),
            (
                python_server(folder, &[]),
                "this is a web server (plain HTTP)",
            ),
            (
                openssl_server(&chain, &key, "-www"),
                "this is a web server (HTTPS): HTTP/1.0 200 ok",
            ),
            (
                openssl_server(&chain, &key, "-tls1_2"),
                "this is a TLS server (TLS 1.2, ",
            ),
            (
                openssl_server(&chain, &key, "-tls1_3"),
                "this is a TLS server (TLS 1.3, ",
            ),
            (
                openssl_server(&chain, &key, "-tls1_1"),
                "this is a TLS server (alert 70",
            ),
        ],
        |((port, mut command), words)| {
            let log = tempfile::tempdir().unwrap();
            let _server = Process::start(&mut command, port, log.path(), None);
            is_named(port, words);
        },
    );
}

#[test]
fn servers_that_speak_first_are_named() {
    each(
        [
            (
                &b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"[..],
                "this is an SSH server, not MySQL: \"SSH-2.0-OpenSSH_9.2",
            ),
            (
                b"HTTP/1.1 408 Request Timeout\r\n\r\n",
                "this is a web server (plain HTTP)",
            ),
            (
                b"220 mail.example ESMTP Postfix\r\n",
                "this is an SMTP server",
            ),
            (b"* OK IMAP4rev1 ready\r\n", "this is an IMAP server"),
            (
                b"\x05\0\0\0\x0b\x08\x05\x1a\0",
                "this is MySQL's X Protocol",
            ),
        ],
        |(banner, words)| {
            let server = Crooked::saying(banner);
            is_named(server.port, words);
        },
    );
}

#[test]
fn servers_that_wait_for_their_own_protocol_are_named() {
    // The answer of PostgreSQL to its SSLRequest; anything else ends the connection.
    for (answer, words) in [
        (b'S', "PostgreSQL server, which offers TLS"),
        (b'N', "without TLS"),
    ] {
        let server = Crooked::start(move |mut stream| {
            let mut request = [0; 8];
            if stream.read_exact(&mut request).is_ok() && request[4..] == [4, 210, 22, 47] {
                let _ = stream.write_all(&[answer]);
            }
        });
        is_named(server.port, words);
    }
    let redis = Crooked::start(|mut stream| {
        if stream.read(&mut [0; 64]).is_ok_and(|n| n > 0) {
            let _ = stream.write_all(b"-ERR unknown command 'GET'\r\n");
        }
    });
    is_named(redis.port, "this is a Redis server");
    let pki = Pki::new();
    let tls = Arc::new(ordinary(&pki.good()));
    let imap = Crooked::start(move |mut stream| {
        let mut tls = rustls::ServerConnection::new(tls.clone()).unwrap();
        let mut stream = rustls::Stream::new(&mut tls, &mut stream);
        let _ = stream.write_all(b"* OK IMAP4rev1 ready\r\n");
        let _ = stream.read(&mut [0; 64]);
    });
    is_named(imap.port, "this is an IMAP server, over TLS");
}
