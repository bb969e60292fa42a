//! Hand-written ClientHellos of versions and suites that the server does not accept: each is
//! refused with an alert, without a ServerHello. The client side uses no TLS library.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic; that is how it fails"
)]

use rustls::ServerConnection;
use tidegate_tls::{Identity, TlsSettings};

/// Type of an alert record.
const ALERT: u8 = 21;
const HANDSHAKE_FAILURE: u8 = 40;
const DECODE_ERROR: u8 = 50;
const PROTOCOL_VERSION: u8 = 70;

/// Returns the server's answer to these bytes.
fn answer(hello: &[u8]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let identity = Identity::open(TlsSettings::new(folder.path()), |_| {}).unwrap();
    let mut server = ServerConnection::new(identity.server_config()).unwrap();
    let mut left = hello;
    let mut refused = false;
    while !left.is_empty() && !refused {
        server.read_tls(&mut left).unwrap();
        refused = server.process_new_packets().is_err();
    }
    assert!(refused, "the hello was taken");
    let mut wire = Vec::new();
    while server.wants_write() {
        server.write_tls(&mut wire).unwrap();
    }
    wire
}

/// Asserts that the answer is one fatal alert of one of these kinds.
fn assert_alert(wire: &[u8], kinds: &[u8]) {
    assert_eq!((wire.len(), wire[0]), (7, ALERT), "{wire:02x?}");
    assert_eq!(wire[5], 2, "fatal");
    assert!(kinds.contains(&wire[6]), "alert {}", wire[6]);
}

fn with_length(bytes: usize, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&length[4 - bytes..], body].concat()
}

/// Writes a ClientHello of this version, with the suites that clients of that time offered.
fn hello(version: [u8; 2], extensions: &[(u16, Vec<u8>)]) -> Vec<u8> {
    // ECDHE-RSA-AES128-SHA, ECDHE-ECDSA-AES128-SHA, AES128-SHA, 3DES, and one AEAD suite of TLS
    // 1.2.
    let suites = [0xc0, 0x13, 0xc0, 0x09, 0x00, 0x2f, 0x00, 0x0a, 0xc0, 0x2b];
    let mut body = version.to_vec();
    body.extend([0x5a; 32]);
    body.push(0);
    body.extend(with_length(2, &suites));
    body.extend([1, 0]);
    if !extensions.is_empty() {
        let all: Vec<u8> = extensions
            .iter()
            .flat_map(|(kind, data)| [&kind.to_be_bytes()[..], &with_length(2, data)].concat())
            .collect();
        body.extend(with_length(2, &all));
    }
    let message = [vec![1], with_length(3, &body)].concat();
    [
        vec![22, version[0], version[1].min(1)],
        with_length(2, &message),
    ]
    .concat()
}

fn groups() -> (u16, Vec<u8>) {
    (10, vec![0, 2, 0, 23])
}

/// `ecdsa_secp256r1_sha256` and `rsa_pkcs1_sha256`.
fn signatures() -> (u16, Vec<u8>) {
    (13, vec![0, 4, 4, 3, 4, 1])
}

#[test]
fn case_14_sslv3_is_refused() {
    assert_alert(
        &answer(&hello([3, 0], &[])),
        &[PROTOCOL_VERSION, HANDSHAKE_FAILURE],
    );
    assert_alert(
        &answer(&hello([3, 0], &[groups(), signatures()])),
        &[PROTOCOL_VERSION],
    );
}

#[test]
fn case_14_tls_1_0_and_1_1_are_refused() {
    for minor in [1, 2] {
        // OpenSSL sends it so: these versions have no signature_algorithms.
        assert_alert(
            &answer(&hello([3, minor], &[groups()])),
            &[PROTOCOL_VERSION, HANDSHAKE_FAILURE],
        );
        assert_alert(
            &answer(&hello([3, minor], &[groups(), signatures()])),
            &[PROTOCOL_VERSION],
        );
    }
}

#[test]
fn case_14_supported_versions_of_1_1_and_1_0_only_are_refused() {
    let versions = (43, vec![4, 3, 2, 3, 1]);
    assert_alert(
        &answer(&hello([3, 3], &[groups(), signatures(), versions])),
        &[PROTOCOL_VERSION],
    );
}

#[test]
fn case_14_tls_1_2_without_a_common_suite_is_refused() {
    let mut only_cbc = hello([3, 3], &[groups(), signatures()]);
    // The last suite offered, an AEAD one, becomes ECDHE-RSA-AES256-SHA.
    let at = only_cbc
        .windows(2)
        .position(|pair| pair == [0xc0, 0x2b])
        .unwrap();
    only_cbc[at + 1] = 0x14;
    assert_alert(&answer(&only_cbc), &[HANDSHAKE_FAILURE]);
}

#[test]
fn case_3_what_is_no_tls_record_ends_in_an_alert() {
    // A login in clear text after an SSLRequest: length 0x20, sequence 2.
    let mut login = vec![0x20, 0, 0, 2];
    login.extend(*b"\x85\xa6\xff\x01\0\0\0\x01\x2d..................root");
    for bytes in [
        &login[..],
        b"GET / HTTP/1.1\r\nHost: db.test\r\n\r\n",
        &[0x80, 0x2e, 1, 0, 2, 0, 0x15, 0, 0, 0, 0x10],
    ] {
        assert_alert(&answer(bytes), &[DECODE_ERROR, PROTOCOL_VERSION]);
    }
}
