//! Tests of the parsers with malformed bytes, and comparisons with mysql_common.

use crate::clean::{clean, shown};
use crate::hello::{Hello, HelloAnswer, OLD_SUITES, read_answer};
use crate::link::End;
use crate::packet::{self, ErrPacket, Greeting, Login, ORDINARY, SSL};
use mysql_common::constants::CapabilityFlags;
use mysql_common::constants::StatusFlags;
use mysql_common::io::ParseBuf;
use mysql_common::packets::{HandshakePacket, HandshakeResponse, SslRequest};
use mysql_common::proto::{MyDeserialize, MySerialize};
use proptest::prelude::*;
use std::io::Cursor;

proptest! {
    #[test]
    fn no_bytes_make_a_parser_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        first in 0u8..=255,
    ) {
        let mut led = vec![first];
        led.extend(&bytes);
        for bytes in [&bytes, &led] {
            let greeting = Greeting::parse(bytes);
            let _ = greeting.map(|g| g.number());
            let _ = ErrPacket::parse(bytes).map(|e| e.to_string());
            let _ = packet::read(&mut Cursor::new(bytes));
            let _ = read_answer(bytes, End::Closed).to_string();
            let safe = shown(bytes);
            prop_assert!(safe.chars().all(|c| !c.is_control()));
        }
    }

    #[test]
    fn a_real_prefix_of_a_greeting_or_a_hello_never_panics(cut in 0usize..120) {
        let whole = greeting("8.0.36");
        let _ = Greeting::parse(whole.get(..cut).unwrap_or(&whole));
        let hello = Hello {
            version: 0x0302,
            suites: OLD_SUITES,
            signature_algorithms: true,
            supported_versions: &[0x0302],
        };
        let record = hello.record([7; 32]);
        let _ = read_answer(record.get(..cut).unwrap_or(&record), End::Silent);
    }

    #[test]
    fn greetings_are_read_as_mysql_common_writes_them(version in "[0-9]\\.[0-9]{1,2}\\.[0-9]{1,2}[-a-zA-Z0-9.]{0,20}") {
        let read = Greeting::parse(&greeting(&version)).unwrap();
        prop_assert_eq!(read.protocol, 10);
        prop_assert_eq!(&read.version, &version);
        prop_assert_eq!(read.plugin, "caching_sha2_password");
        prop_assert_eq!(read.salt, b"12345678abcdefghijkl");
        prop_assert!(read.capabilities & SSL != 0);
    }

    #[test]
    fn text_of_the_other_side_is_one_safe_line(text in ".{0,3000}") {
        let safe = clean(&text);
        prop_assert!(safe.chars().all(|c| !c.is_control()) && safe.chars().count() <= 2048);
    }
}

fn greeting(version: &str) -> Vec<u8> {
    let capabilities = CapabilityFlags::CLIENT_SSL
        | CapabilityFlags::CLIENT_PROTOCOL_41
        | CapabilityFlags::CLIENT_SECURE_CONNECTION
        | CapabilityFlags::CLIENT_PLUGIN_AUTH;
    let mut out = Vec::new();
    HandshakePacket::new(
        10,
        version.as_bytes(),
        7,
        *b"12345678",
        Some(b"abcdefghijkl\0".as_slice()),
        capabilities,
        45,
        StatusFlags::SERVER_STATUS_AUTOCOMMIT,
        Some(b"caching_sha2_password".as_slice()),
    )
    .serialize(&mut out);
    out
}

#[test]
fn logins_are_written_as_mysql_common_reads_them() {
    let proof = [9; 20];
    for database in [None, Some("test")] {
        let login = Login {
            capabilities: ORDINARY | SSL,
            user: "p.root",
            proof: &proof,
            database,
            plugin: "mysql_native_password",
        };
        let bytes = login.bytes();
        let read = HandshakeResponse::deserialize((), &mut ParseBuf(&bytes)).unwrap();
        assert_eq!(read.user(), b"p.root");
        assert_eq!(read.scramble_buf(), proof);
        assert_eq!(read.db_name(), database.map(str::as_bytes));
        assert_eq!(
            read.auth_plugin().unwrap().as_bytes(),
            b"mysql_native_password"
        );
        let request = packet::ssl_request_for(database);
        let read = SslRequest::deserialize((), &mut ParseBuf(&request)).unwrap();
        assert!(
            read.capabilities()
                .contains(CapabilityFlags::CLIENT_SSL | CapabilityFlags::CLIENT_PROTOCOL_41)
        );
        assert_eq!(request.len(), 32);
    }
}

#[test]
fn a_length_that_is_only_claimed_is_refused() {
    let claim = [0xff, 0xff, 0xff, 0];
    assert_eq!(
        packet::read(&mut Cursor::new(claim)).unwrap_err().kind(),
        std::io::ErrorKind::InvalidData
    );
}

#[test]
fn answers_to_hellos_are_told_apart() {
    assert_eq!(
        read_answer(&[21, 3, 1, 0, 2, 2, 70], End::Closed),
        HelloAnswer::Alert(70)
    );
    assert_eq!(read_answer(&[], End::Reset), HelloAnswer::Ended(End::Reset));
    let mut hello = vec![22, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2];
    hello.extend([0; 32]);
    hello.extend([0, 0xc0, 0x14, 0]);
    assert_eq!(
        read_answer(&hello, End::Closed),
        HelloAnswer::ServerHello {
            version: 0x0302,
            suite: 0xc014
        }
    );
    hello.truncate(40);
    assert!(matches!(
        read_answer(&hello, End::Closed),
        HelloAnswer::Other(_)
    ));
}

#[test]
fn proofs_are_those_of_mysql_common() {
    use mysql_common::auth::plugins::{
        caching_sha2_password::scramble_sha256, mysql_native_password::scramble_native,
    };
    let salt = *b"abcdefghijklmnopqrst";
    let native = crate::login::proof("mysql_native_password", "sesame", &salt).unwrap();
    assert_eq!(
        native.as_slice(),
        scramble_native(&salt, b"sesame").unwrap()
    );
    let sha2 = crate::login::proof("caching_sha2_password", "sesame", &salt).unwrap();
    assert_eq!(sha2.as_slice(), scramble_sha256(&salt, b"sesame").unwrap());
}
