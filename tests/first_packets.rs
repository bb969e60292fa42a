//! The first packets of a connection: logins without TLS, bytes that must never be read as a login,
//! packets that are too large, too small or out of order, other protocols, and silent clients.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use std::io::Write;
use std::process::Command;
use std::sync::LazyLock;
use tidegate_e2e::clients::mariadb_command;
use tidegate_e2e::probe::{Probe, Verdict, dial, frame, is_timeout, read_until_ended};
use tidegate_e2e::session::Session;
use tidegate_e2e::wire::{self, Refused, Response};
use tidegate_e2e::{Cluster, Options, Server, tls};

static SERVER: LazyLock<Server> = LazyLock::new(Server::start);
static CLUSTER: LazyLock<Cluster> = LazyLock::new(|| {
    let cluster = SERVER.create("tls");
    SERVER.sleep("tls");
    cluster
});

#[test]
fn case_01_no_tls_bit_is_3159_and_wakes_nothing() {
    let server = Server::start();
    let cluster = server.create("plain");
    server.sleep("plain");
    let mut probe = Probe::connect(cluster.addr());
    let response = Response {
        capabilities: wire::ORDINARY & !wire::SSL,
        ..Response::new(&cluster.user)
    };
    probe.write(1, &response.bytes());
    let refused = Refused::parse(&probe.expect()).expect("an error packet");
    assert_eq!(
        (refused.code, refused.state.as_str(), probe.seq),
        (3159, "HY000", 2)
    );
    assert!(
        refused
            .message
            .starts_with("Connections using insecure transport are prohibited"),
        "{}",
        refused.message
    );
    assert!(
        refused.message.contains("--ssl-mode=VERIFY_IDENTITY"),
        "it tells which option to set: {}",
        refused.message
    );
    assert_eq!(probe.until_closed(), b"", "then closed");
    assert_eq!(server.engines(), Vec::<u32>::new());
    assert_eq!(server.state("plain"), "asleep");
}

#[test]
fn case_01_the_text_reaches_a_person_with_the_client() {
    let out = mariadb_command(&CLUSTER, &["--skip-ssl"])
        .args(["-e", "SELECT 1"])
        .output()
        .unwrap();
    // --ssl-verify-server-cert turns TLS on again, so it is left out here.
    let plain = Command::new("mariadb")
        .args([
            "--no-defaults",
            "--skip-ssl",
            "-h127.0.0.1",
            "-P",
            &CLUSTER.port.to_string(),
            "-u",
            &CLUSTER.user,
        ])
        .args(["-e", "SELECT 1"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&plain.stderr);
    assert!(
        text.contains("ERROR 3159 (HY000)") && text.contains("insecure transport"),
        "{text} / {out:?}"
    );
}

#[test]
fn case_02_the_ssl_request_and_the_client_hello_in_one_segment() {
    let mut probe = Probe::connect(CLUSTER.addr());
    let config = tls::verified(&CLUSTER.ca, tls::BOTH);
    let name = rustls::pki_types::ServerName::try_from("127.0.0.1").unwrap();
    let mut hello = Vec::new();
    let mut tls = rustls::ClientConnection::new(config, name).unwrap();
    tls.write_tls(&mut hello).unwrap();
    let mut segment = frame(1, &wire::ssl_request(wire::ORDINARY));
    segment.extend_from_slice(&hello);
    probe.raw(&segment).unwrap();
    let mut tcp = probe.tcp().try_clone().unwrap();
    while tls.is_handshaking() {
        tls.complete_io(&mut tcp)
            .expect("the handshake goes on with nothing lost");
    }
}

#[test]
fn case_03_plaintext_after_the_ssl_request_is_never_a_login() {
    let cluster = SERVER.create("injected");
    let mut probe = Probe::connect(cluster.addr());
    let mut segment = frame(1, &wire::ssl_request(wire::ORDINARY));
    segment.extend_from_slice(&frame(2, &Response::new(&cluster.user).bytes()));
    probe.raw(&segment).unwrap();
    let answer = probe.until_closed();
    // The only allowed answer is a TLS alert: record type 21.
    assert!(answer.is_empty() || answer[0] == 21, "{answer:?}");
}

#[test]
fn case_04_short_and_old_first_packets_are_refused_in_order() {
    let old = [0x05, 0x00, 0, 0, 1, b'r', 0];
    let no_41 = wire::ssl_request(wire::ORDINARY & !wire::PROTOCOL_41);
    let truncated = &wire::ssl_request(wire::ORDINARY)[..20];
    for (payload, codes) in [
        (&old[..], [1251, 1043]),
        (&no_41, [1251, 1043]),
        (truncated, [1251, 1043]),
    ] {
        let mut probe = Probe::connect(CLUSTER.addr());
        probe.write(1, payload);
        let answer = probe.expect();
        let refused = Refused::parse(&answer).unwrap_or_else(|| panic!("{payload:?}: {answer:?}"));
        assert!(codes.contains(&refused.code), "{payload:?}: {refused:?}");
        probe.until_closed();
    }
}

#[test]
fn case_05_a_first_packet_of_16_mb_is_refused_by_its_header() {
    let mut probe = Probe::connect(CLUSTER.addr());
    probe.raw(&[0xff, 0xff, 0xff, 1]).unwrap();
    let refused =
        Refused::parse(&probe.expect()).expect("an error before a byte of the payload is sent");
    assert_eq!(refused.code, 1153, "{refused:?}");
}

#[test]
fn case_05_a_login_packet_of_16_mb_inside_tls_is_refused_by_its_header() {
    let mut probe = Probe::secured(CLUSTER.addr(), tls::verified(&CLUSTER.ca, tls::BOTH));
    probe.raw(&[0xff, 0xff, 0xff, 2]).unwrap();
    assert_eq!(Refused::parse(&probe.expect()).unwrap().code, 1153);
}

fn three_byte_lenenc(n: usize) -> Vec<u8> {
    [&[0xfd], &u32::try_from(n).unwrap().to_le_bytes()[..3]].concat()
}

#[test]
fn case_05_a_login_with_a_megabyte_of_attributes_succeeds() {
    // One pair: a key of 1 byte, and a value that fills the packet up to the largest accepted size.
    let mut response = Response::new(&CLUSTER.user);
    response.capabilities |= wire::CONNECT_ATTRS;
    let room = (1 << 20) - response.bytes().len() - 4;
    let value = vec![b'v'; room - 2 - 4];
    response.tail = [
        three_byte_lenenc(room),
        b"\x01k".to_vec(),
        three_byte_lenenc(value.len()),
        value,
    ]
    .concat();
    assert_eq!(response.bytes().len(), 1 << 20);
    let mut probe = Probe::secured(CLUSTER.addr(), tls::verified(&CLUSTER.ca, tls::BOTH));
    assert_eq!(probe.login(&response, &CLUSTER.password), Verdict::In);
}

#[test]
fn case_05_a_user_without_an_end_is_refused_before_the_whole_packet_has_come() {
    let mut probe = Probe::secured(CLUSTER.addr(), tls::verified(&CLUSTER.ca, tls::BOTH));
    let mut packet = vec![0xff, 0xff, 0x0f, 2];
    packet.extend_from_slice(&wire::ssl_request(wire::ORDINARY));
    packet.resize(4 + (16 << 10), b'a');
    probe.raw(&packet).unwrap();
    assert_eq!(Refused::parse(&probe.expect()).unwrap().code, 1153);
}

#[test]
fn case_06_empty_packets_neither_hang_nor_panic() {
    let mut probe = Probe::connect(CLUSTER.addr());
    probe.write(1, &[]);
    assert_eq!(Refused::parse(&probe.expect()).unwrap().code, 1043);
    let mut probe = Probe::secured(CLUSTER.addr(), tls::verified(&CLUSTER.ca, tls::BOTH));
    probe.write(2, &[]);
    assert_eq!(Refused::parse(&probe.expect()).unwrap().code, 1043);
    // After the login, this is a command without a command byte: the engine answers.
    let mut session = Session::open(&CLUSTER);
    session.probe.write(0, &[]);
    let answer = session.probe.payload();
    assert!(
        !matches!(answer, Ok(Some(ref p)) if p.first() == Some(&0x00)),
        "{answer:?}"
    );
    assert!(
        Session::open(&CLUSTER).ping(),
        "other sessions are not affected"
    );
}

#[test]
fn case_07_bytes_of_other_protocols_are_refused() {
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    for rubbish in [
        &b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..],
        b"\x03\x00\x00\x13\x0e\xe0\x00\x00",
        hello,
        &[0xff; 64],
    ] {
        let mut stream = dial(CLUSTER.addr());
        stream.write_all(rubbish).unwrap();
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let all = read_until_ended(&mut stream);
        assert!(all.len() < 1024, "{} bytes for {rubbish:?}", all.len());
    }
    assert!(Session::open(&CLUSTER).ping(), "the server still works");
    assert!(!SERVER.log().contains("panicked"), "{}", SERVER.log());
}

#[test]
fn case_08_and_09_health_checks_are_no_errors_and_reach_no_engine() {
    let server = Server::start();
    let cluster = server.create("health");
    server.sleep("health");
    for _ in 0..5 {
        drop(dial(cluster.addr()));
        let mut probe = Probe::connect(cluster.addr());
        probe.write(1, &[1]);
        probe.until_closed();
    }
    assert_eq!(server.engines(), Vec::<u32>::new());
    let log = server.log();
    assert!(
        !log.contains("\"level\":\"ERROR\"") && !log.contains("panicked"),
        "{log}"
    );
}

#[test]
fn case_10_a_client_that_sends_nothing_is_disconnected() {
    let options = Options {
        config: "[gateway]\nlogin_deadline = \"1s\"\n".into(),
        ..Options::default()
    };
    let server = Server::with(options);
    let mut silent = Probe::connect(server.addr());
    let mut drip = Probe::connect(server.addr());
    let mut stalled = Probe::connect(server.addr());
    stalled.write(1, &wire::ssl_request(wire::ORDINARY));
    drip.raw(&[0x20]).unwrap();
    for probe in [&mut silent, &mut drip, &mut stalled] {
        // The probe's own timeout is far longer; if it ended the wait, the server has not.
        match probe.frame() {
            Ok(None) => {}
            Ok(Some(packet)) => assert_eq!(Refused::parse(&packet).unwrap().code, 1159),
            Err(e) => assert!(!is_timeout(&e), "{e}"),
        }
    }
}

#[test]
fn case_11_wrong_sequence_numbers_are_1156_or_corrected() {
    let mut probe = Probe::connect(CLUSTER.addr());
    probe.write(9, &wire::ssl_request(wire::ORDINARY));
    if let Ok(Some(packet)) = probe.frame() {
        assert_eq!(Refused::parse(&packet).unwrap().code, 1156);
    }
    let mut probe = Probe::secured(CLUSTER.addr(), tls::verified(&CLUSTER.ca, tls::BOTH));
    probe.write(7, &Response::new(&CLUSTER.user).bytes());
    assert_eq!(Refused::parse(&probe.expect()).unwrap().code, 1156);
}
