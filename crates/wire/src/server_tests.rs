//! Tests of the server's half of the connection phase.

use super::*;
use crate::capabilities::OFFERED;

fn response(plugin: Option<&[u8]>, auth: &[u8]) -> Packet {
    let mut capabilities = OFFERED;
    if plugin.is_none() {
        capabilities = capabilities.without(Capabilities::PLUGIN_AUTH);
    }
    let response = HandshakeResponse {
        capabilities,
        max_packet: 1 << 24,
        collation: 45,
        user: b"p.u".to_vec(),
        auth_response: auth.to_vec(),
        database: None,
        plugin: plugin.map(<[u8]>::to_vec),
        attributes: Vec::new(),
    };
    Packet {
        seq: 2,
        payload: response.encode(),
    }
}

fn run(packets: Vec<Packet>) -> Result<(usize, Credential), LoginError> {
    let mut machine = ServerLogin::new([9; 20], OFFERED);
    let mut sent = 0;
    for packet in packets {
        match machine.on_packet(packet)? {
            LoginStep::Send(_) => sent += 1,
            LoginStep::Credential(login) => return Ok((sent, login.credential)),
        }
    }
    panic!("the login did not end");
}

fn packet(seq: u8, payload: &[u8]) -> Packet {
    Packet {
        seq,
        payload: payload.to_vec(),
    }
}

#[test]
fn case_30_caching_sha2_is_asked_for_the_clear_password() {
    let (sent, c) = run(vec![
        response(Some(CACHING_SHA2), &[1; 32]),
        packet(4, b"secret\0"),
    ])
    .unwrap();
    assert_eq!(sent, 1);
    assert!(matches!(c, Credential::Clear(p) if *p == b"secret"));
}

#[test]
fn case_30_a_request_for_the_rsa_key_is_refused() {
    let got = run(vec![
        response(Some(CACHING_SHA2), &[1; 32]),
        packet(4, &[2]),
    ]);
    assert_eq!(got.err(), Some(LoginError::UnsupportedAuth));
}

#[test]
fn case_28_a_plugin_that_was_not_started_gets_a_switch_and_our_salt() {
    let mut machine = ServerLogin::new([9; 20], OFFERED);
    let Ok(LoginStep::Send(bytes)) = machine.on_packet(response(Some(CACHING_SHA2), b"")) else {
        panic!()
    };
    assert_eq!(
        &bytes[4..],
        [b"\xFEcaching_sha2_password\0", &[9; 20][..], b"\0"].concat()
    );
    let (sent, c) = run(vec![
        response(Some(CACHING_SHA2), b""),
        packet(4, &[1; 32]),
        packet(6, b"secret\0"),
    ])
    .unwrap();
    assert!(matches!((sent, c), (2, Credential::Clear(p)) if *p == b"secret"));
}

#[test]
fn case_29_empty_data_is_the_empty_password() {
    let (sent, c) = run(vec![response(Some(CACHING_SHA2), &[0])]).unwrap();
    assert!(matches!((sent, c), (0, Credential::Empty)));
    for answer in [&[][..], &[0]] {
        let (sent, c) = run(vec![response(Some(CACHING_SHA2), b""), packet(4, answer)]).unwrap();
        assert!(matches!((sent, c), (1, Credential::Empty)));
    }
    let (sent, c) = run(vec![response(Some(NATIVE), b"")]).unwrap();
    assert!(matches!((sent, c), (0, Credential::Empty)));
    let (sent, c) = run(vec![
        response(Some(b"dummy_fallback_auth"), b""),
        packet(4, b""),
    ])
    .unwrap();
    assert!(matches!((sent, c), (1, Credential::Empty)));
}

#[test]
fn case_27_and_34_whoever_has_another_plugin_or_none_gets_exactly_one_switch() {
    for plugin in [
        None,
        Some(&b"dummy_fallback_auth"[..]),
        Some(b"sha256_password"),
        Some(b""),
    ] {
        let (sent, c) = run(vec![response(plugin, &[3; 20]), packet(4, &[5; 20])]).unwrap();
        assert_eq!(sent, 1, "{plugin:?}");
        assert!(matches!(c, Credential::NativeToken(t) if *t == [5; 20]));
    }
}

#[test]
fn case_33_a_native_answer_to_our_salt_needs_no_switch() {
    let (sent, c) = run(vec![response(Some(NATIVE), &[5; 20])]).unwrap();
    assert!(matches!((sent, c), (0, Credential::NativeToken(_))));
}

#[test]
fn case_33_the_switch_carries_our_salt() {
    let mut machine = ServerLogin::new([9; 20], OFFERED);
    let Ok(LoginStep::Send(bytes)) = machine.on_packet(response(None, b"")) else {
        panic!()
    };
    assert_eq!(bytes[3], 3);
    assert_eq!(
        &bytes[4..],
        [b"\xFEmysql_native_password\0", &[9; 20][..], b"\0"].concat()
    );
}

#[test]
fn case_11_a_wrong_sequence_number_ends_the_login() {
    let mut p = response(Some(NATIVE), &[5; 20]);
    p.seq = 1;
    assert_eq!(run(vec![p]).err(), Some(LoginError::OutOfOrder));
    let got = run(vec![response(None, b""), packet(3, &[5; 20])]);
    assert_eq!(got.err(), Some(LoginError::OutOfOrder));
}

#[test]
fn case_26_granted_is_what_both_sides_have() {
    let mut p = HandshakeResponse::parse(&response(Some(NATIVE), &[5; 20]).payload).unwrap();
    p.capabilities = p
        .capabilities
        .union(Capabilities::QUERY_ATTRIBUTES)
        .without(Capabilities::DEPRECATE_EOF);
    let mut machine = ServerLogin::new([9; 20], OFFERED);
    let step = machine
        .on_packet(Packet {
            seq: 2,
            payload: p.encode(),
        })
        .unwrap();
    let LoginStep::Credential(login) = step else {
        panic!()
    };
    assert!(!login.capabilities.contains(Capabilities::QUERY_ATTRIBUTES));
    assert!(!login.capabilities.contains(Capabilities::DEPRECATE_EOF));
    assert!(login.capabilities.contains(Capabilities::SESSION_TRACK));
}

#[test]
fn case_63_flags_of_mariadb_are_granted_to_clients_without_client_mysql() {
    let ours = Capabilities::MARIADB_CACHE_METADATA.union(Capabilities::MARIADB_PROGRESS);
    let bulk_units = Capabilities::MARIADB_BULK_UNIT_RESULTS;
    for (asked, granted) in [
        (ours.union(bulk_units), ours),
        (
            ours.union(Capabilities::LONG_PASSWORD),
            Capabilities::LONG_PASSWORD,
        ),
    ] {
        let mut p = HandshakeResponse::parse(&response(Some(NATIVE), &[5; 20]).payload).unwrap();
        p.capabilities = p.capabilities.without(Capabilities::MARIADB).union(asked);
        let mut machine = ServerLogin::new([9; 20], OFFERED);
        let step = machine.on_packet(packet(2, &p.encode())).unwrap();
        let LoginStep::Credential(login) = step else {
            panic!()
        };
        let mariadb = Capabilities::MARIADB.union(Capabilities::LONG_PASSWORD);
        assert_eq!(login.capabilities.intersect(mariadb), granted);
    }
}

#[test]
fn case_05_a_cut_packet_is_taken_for_its_attributes_and_for_nothing_else() {
    let mut p = HandshakeResponse::parse(&response(Some(CACHING_SHA2), &[1; 32]).payload).unwrap();
    p.attributes = b"\xFD\x00\x00\x10\x03key\x03val".to_vec();
    let mut machine = ServerLogin::new([9; 20], OFFERED);
    assert!(matches!(
        machine.on_cut_packet(packet(2, &p.encode()), 0x10_0000 - 8),
        Ok(LoginStep::Send(_))
    ));
    let password = machine.on_cut_packet(packet(4, b"secret"), 1);
    assert_eq!(password.err(), Some(LoginError::TooLarge));
    let mut machine = ServerLogin::new([9; 20], OFFERED);
    let endless = packet(2, &p.encode()[..40]);
    assert_eq!(
        machine.on_cut_packet(endless, 1).err(),
        Some(LoginError::TooLarge)
    );
}

#[test]
fn an_ssl_request_inside_tls_is_no_login() {
    let mut payload = OFFERED.halves().0.to_vec();
    payload.resize(32, 0);
    assert_eq!(
        run(vec![packet(2, &payload)]).err(),
        Some(LoginError::Malformed)
    );
    assert_eq!(
        run(vec![packet(2, &[1])]).err(),
        Some(LoginError::Malformed)
    );
    assert_eq!(run(vec![packet(2, &[])]).err(), Some(LoginError::Malformed));
}

fn change(plugin: &[u8]) -> Vec<u8> {
    let change = ChangeUser {
        user: b"p.other".to_vec(),
        database: Some(b"test".to_vec()),
        collation: 2304,
        plugin: Some(plugin.to_vec()),
        attributes: Vec::new(),
    };
    change.encode(OFFERED)
}

fn change_machine() -> ServerLogin {
    let terms = SessionTerms {
        salt: [9; 20],
        capabilities: OFFERED,
        max_packet: 1 << 20,
    };
    ServerLogin::of_change(terms)
}

#[test]
fn case_50_a_change_of_user_is_asked_for_its_proof_with_one_switch() {
    for (plugin, switch) in [
        (NATIVE, NATIVE),
        (b"", NATIVE),
        (b"dummy_fallback_auth", NATIVE),
        (CACHING_SHA2, CACHING_SHA2),
    ] {
        let mut machine = change_machine();
        assert_eq!(machine.answer_seq(), 1);
        let step = machine.on_packet(packet(0, &change(plugin)));
        let Ok(LoginStep::Send(bytes)) = step else {
            panic!("{step:?}")
        };
        assert_eq!(bytes[3], 1);
        assert_eq!(bytes[4..], switch_request(switch, &[9; 20]));
        assert_eq!(machine.answer_seq(), 3);
        let step = machine.on_packet(packet(2, b""));
        let Ok(LoginStep::Credential(login)) = step else {
            panic!("{step:?}")
        };
        assert!(matches!(login.credential, Credential::Empty));
        assert_eq!(
            (login.next_seq, login.collation, login.max_packet),
            (3, 2304, 1 << 20)
        );
        assert_eq!(
            (&login.user[..], login.database.as_deref()),
            (&b"p.other"[..], Some(&b"test"[..]))
        );
    }
}

#[test]
fn case_50_a_change_of_user_by_caching_sha2_is_asked_for_the_clear_password() {
    let mut machine = change_machine();
    machine.on_packet(packet(0, &change(CACHING_SHA2))).unwrap();
    let step = machine.on_packet(packet(2, &[1; 32])).unwrap();
    assert!(matches!(step, LoginStep::Send(bytes) if bytes[3..] == [3, 1, 4]));
    let step = machine.on_packet(packet(4, b"secret\0")).unwrap();
    let LoginStep::Credential(login) = step else {
        panic!("{step:?}")
    };
    assert!(matches!(login.credential, Credential::Clear(p) if *p == b"secret"));
    assert_eq!(login.next_seq, 5);
}

#[test]
fn case_50_a_change_of_user_out_of_order_malformed_or_too_long_is_refused() {
    let whole = change(NATIVE);
    for (seq, payload, dropped, error) in [
        (1, &whole[..], 0, LoginError::OutOfOrder),
        (0, &whole[..9], 0, LoginError::Malformed),
        (0, b"", 0, LoginError::Malformed),
        (0, &whole[..9], 9, LoginError::TooLarge),
    ] {
        let got = change_machine().on_cut_packet(packet(seq, payload), dropped);
        assert_eq!(got.err(), Some(error), "{payload:?}");
    }
    // A command that was sent without waiting is no proof.
    let mut machine = change_machine();
    machine.on_packet(packet(0, &whole)).unwrap();
    let got = machine.on_packet(packet(0, b"\x0e"));
    assert_eq!(got.err(), Some(LoginError::OutOfOrder));
}
