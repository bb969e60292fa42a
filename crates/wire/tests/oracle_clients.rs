//! Recordings of real clients and of a real engine, made by fuzz/capture.py for the fuzz targets:
//! each is parsed as its client meant it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic; that is how it fails"
)]

use std::path::Path;
use tidegate_wire::auth;
use tidegate_wire::capabilities::{Capabilities, OFFERED};
use tidegate_wire::client::{ClientIdentity, ClientLogin, ClientStep};
use tidegate_wire::first_packet::FirstPacket;
use tidegate_wire::greeting::Opening;
use tidegate_wire::packet::{Packet, PacketReader};
use tidegate_wire::query::{Outcome, ResultReader};
use tidegate_wire::relay::{FromClient, Relay, RelayActivity};
use tidegate_wire::server::{Credential, LoginStep, ServerLogin};

const CLIENTS: [&str; 4] = ["go", "mariadb", "mysql9", "pymysql"];

/// Returns the recordings of a target whose names have this ending, in order.
fn recordings(target: &str, ending: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target);
    let mut all: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            (
                path.file_name().unwrap().to_string_lossy().into_owned(),
                std::fs::read(&path).unwrap(),
            )
        })
        .filter(|(name, _)| name.ends_with(ending))
        .collect();
    all.sort();
    all
}

fn of_every_client(target: &str, ending: &str) -> Vec<(String, Vec<u8>)> {
    let all = recordings(target, ending);
    let clients: Vec<_> = all
        .iter()
        .map(|(name, _)| name.split('-').next().unwrap())
        .collect();
    assert_eq!(clients, CLIENTS, "{target}");
    all
}

fn packets(mut stream: &[u8]) -> Vec<Packet> {
    let mut reader = PacketReader::new(1 << 20);
    let mut packets = Vec::new();
    while !stream.is_empty() {
        let (taken, packet) = reader.feed(stream).unwrap();
        packets.extend(packet);
        stream = &stream[taken..];
    }
    packets
}

#[test]
fn case_01_every_client_s_login_in_clear_text_is_seen_as_one_and_named() {
    let want = [
        ("go", "Go-MySQL-Driver"),
        ("mariadb", "libmariadb"),
        ("mysql9", "libmysql"),
        ("pymysql", "pymysql"),
    ];
    for ((name, payload), (_, library)) in of_every_client("first_packet", "-plain")
        .into_iter()
        .zip(want)
    {
        let FirstPacket::Plain {
            client: Some(client),
        } = FirstPacket::parse(&payload)
        else {
            panic!("{name}")
        };
        assert_eq!(client.name, library, "{name}");
    }
}

#[test]
fn every_client_s_ssl_request_is_one() {
    for (name, payload) in of_every_client("first_packet", "-tls") {
        let FirstPacket::SslRequest { capabilities } = FirstPacket::parse(&payload) else {
            panic!("{name}")
        };
        assert!(
            capabilities.contains(Capabilities::SECURE_CONNECTION.union(Capabilities::PLUGIN_AUTH)),
            "{name}"
        );
    }
}

#[test]
fn case_30_every_client_s_login_inside_tls_brings_user_and_password() {
    for (ending, database) in [("-tls", None), ("-tls-db", Some(&b"test"[..]))] {
        for (name, stream) in of_every_client("server_login", ending) {
            let salt = *b"abcdefghijklmnopqrst";
            let mut machine = ServerLogin::new(salt, OFFERED);
            let steps: Vec<_> = packets(&stream)
                .into_iter()
                .map(|p| machine.on_packet(p).unwrap())
                .collect();
            let Some((LoginStep::Credential(login), requests)) = steps.split_last() else {
                panic!("{name}: {steps:?}")
            };
            assert_eq!(
                (&login.user[..], login.database.as_deref()),
                (&b"abcdefghjkmn.root"[..], database),
                "{name}"
            );
            let native = auth::token(&auth::stage1(b"secret"), &salt);
            match (&login.credential, requests) {
                // It has no native plugin: a switch to its own, then a request for the password.
                (Credential::Clear(p), [LoginStep::Send(_), LoginStep::Send(_)]) => {
                    assert!(name.starts_with("mysql9") && **p == b"secret", "{name}");
                }
                (Credential::NativeToken(token), []) => assert_eq!(**token, native, "{name}"),
                other => panic!("{name}: {other:?}"),
            }
            assert!(!login.attributes.is_empty(), "{name}");
        }
    }
}

#[test]
fn case_43_the_greetings_of_a_real_engine_and_of_ours_are_read() {
    for (name, payload) in recordings("greeting", "") {
        match Opening::parse(&payload) {
            Ok(Opening::Greeting(greeting)) => {
                assert_eq!(greeting.encode().len(), payload.len(), "{name}")
            }
            Ok(Opening::Error(err)) => assert_eq!((name.as_str(), err.code), ("too-many", 1040)),
            Err(err) => panic!("{name}: {err}"),
        }
    }
}

#[test]
fn a_real_engine_s_verdict_ends_our_login() {
    for (name, stream) in recordings("client_login", "-session") {
        let mut machine = ClientLogin::new(ClientIdentity {
            user: b"root".to_vec(),
            stage1: Some(auth::stage1(b"secret")),
            database: None,
            capabilities: OFFERED,
            collation: 45,
            max_packet: 1 << 24,
            attributes: Vec::new(),
            tls: false,
        });
        let steps: Vec<_> = packets(&stream)
            .into_iter()
            .map(|p| machine.on_packet(p).unwrap())
            .collect();
        let [ClientStep::Send(_), ClientStep::Done { engine, .. }] = &steps[..] else {
            panic!("{name}")
        };
        assert!(
            String::from_utf8_lossy(&engine.version).contains("MariaDB"),
            "{name}"
        );
    }
}

#[test]
fn a_real_engine_s_results_end_with_their_last_packet() {
    let mut outcomes = [0; 3];
    for (name, data) in recordings("query_result", "") {
        let capabilities = if data[0] == 1 {
            Capabilities::DEPRECATE_EOF
        } else {
            Capabilities(0)
        };
        let mut reader = ResultReader::new(capabilities);
        let all = packets(&data[1..]);
        let ends: Vec<_> = all
            .iter()
            .map(|packet| reader.on_packet(packet).unwrap())
            .collect();
        let (last, before) = ends.split_last().unwrap();
        assert!(before.iter().all(Option::is_none), "{name}");
        match last.as_ref().unwrap() {
            Outcome::Rows(rows) => outcomes[0] += usize::from(!rows.is_empty()),
            Outcome::Done(_) => outcomes[1] += 1,
            Outcome::Refused(_) => outcomes[2] += 1,
        }
    }
    assert!(outcomes.iter().all(|n| *n > 0), "{outcomes:?}");
}

/// Splits a recording into steps: side (1: engine), length, bytes.
fn steps(mut script: &[u8]) -> Vec<(bool, &[u8])> {
    let mut steps = Vec::new();
    while let [side, a, b, rest @ ..] = script {
        let (now, after) = rest.split_at(usize::from(u16::from_le_bytes([*a, *b])));
        steps.push((*side == 1, now));
        script = after;
    }
    steps
}

#[test]
fn a_recorded_session_is_idle_exactly_when_its_client_goes_on() {
    for (name, script) in recordings("relay", "") {
        let mut capabilities = OFFERED;
        if script[0] & 1 == 1 {
            capabilities = capabilities.without(Capabilities::DEPRECATE_EOF);
        }
        if script[0] & 16 == 0 {
            capabilities = capabilities.without(Capabilities::MARIADB);
        }
        let mut relay = Relay::new(capabilities, 2);
        let mut sent = Vec::new();
        let mut passed = Vec::new();
        let mut last: &[u8] = b"";
        for (engine, bytes) in steps(&script[1..]) {
            if engine {
                assert!(!relay.at_boundary(), "{name}: an answer to nothing");
                relay.from_engine(bytes).unwrap();
                last = bytes;
                continue;
            }
            // A client sends the file without waiting for idle, and drivers close a statement
            // without waiting for an answer.
            let file = last.get(4) == Some(&0xFB);
            assert!(
                relay.at_boundary() || file || last.is_empty(),
                "{name}: behind {sent:x?}"
            );
            sent.extend_from_slice(bytes);
            let mut rest = bytes;
            while !rest.is_empty() {
                let taken = match relay.from_client(rest).unwrap() {
                    FromClient::Forward(n) => {
                        passed.extend_from_slice(&rest[..n]);
                        n
                    }
                    FromClient::Command { consumed, .. } => {
                        relay.release_held(None, &mut passed);
                        consumed
                    }
                    other => panic!("{name}: {other:?}"),
                };
                rest = &rest[taken..];
            }
        }
        assert_eq!(passed, sent, "{name}");
        assert!(relay.quit_seen() && relay.at_boundary(), "{name}");
        assert_eq!(
            relay.activity(),
            RelayActivity::Idle,
            "{name}: every transaction was ended"
        );
    }
}
