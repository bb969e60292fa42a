//! Tests of the client's half of the connection phase.

use super::*;
use crate::capabilities::OFFERED;
use crate::first_packet::FirstPacket;

fn login(stage1: Option<Zeroizing<[u8; 20]>>) -> ClientLogin {
    ClientLogin::new(ClientIdentity {
        user: b"root".to_vec(),
        stage1,
        database: None,
        capabilities: OFFERED,
        collation: 45,
        max_packet: 1 << 24,
        attributes: Vec::new(),
        tls: false,
    })
}

/// As [`login`], over TLS if the engine offers it.
fn secure_login() -> ClientLogin {
    let mut login = login(Some(auth::stage1(b"secret")));
    login.identity.tls = true;
    login
}

fn greeting(capabilities: Capabilities) -> Packet {
    let g = Greeting {
        version: b"5.5.5-10.11".to_vec(),
        connection_id: 7,
        salt: [9; 20],
        capabilities,
        collation: 8,
        status: 2,
        plugin: NATIVE.to_vec(),
    };
    Packet {
        seq: 0,
        payload: g.encode(),
    }
}

#[test]
fn a_native_greeting_is_answered_with_a_token_and_the_ok_ends_it() {
    let mut c = login(Some(auth::stage1(b"secret")));
    let Ok(ClientStep::Send(bytes)) = c.on_packet(greeting(OFFERED)) else {
        panic!()
    };
    let sent = HandshakeResponse::parse(&bytes[4..]).unwrap();
    let stage2 = auth::stage2(&auth::stage1(b"secret"));
    let token: [u8; 20] = sent.auth_response.as_slice().try_into().unwrap();
    assert!(auth::check_native(&token, &[9; 20], &[stage2]).is_some());
    assert!(!sent.capabilities.contains(Capabilities::SSL));
    let ok = c.on_packet(Packet {
        seq: 2,
        payload: OkPacket::default().encode(OFFERED),
    });
    let Ok(ClientStep::Done { engine, .. }) = ok else {
        panic!("{ok:?}")
    };
    assert_eq!(engine.connection_id, 7);
}

#[test]
fn a_login_over_tls_asks_for_it_and_sends_nothing_of_the_account_before_it() {
    let mut c = secure_login();
    let offer = OFFERED.union(Capabilities::SSL);
    let Ok(ClientStep::Secure(request)) = c.on_packet(greeting(offer)) else {
        panic!()
    };
    assert_eq!(request[..4], [32, 0, 0, 1], "header, with the next number");
    let asked = FirstPacket::parse(&request[4..]);
    assert!(matches!(asked, FirstPacket::SslRequest { .. }), "{asked:?}");
    let Ok(ClientStep::Send(bytes)) = c.secured() else {
        panic!()
    };
    assert_eq!(bytes[3], 2);
    let sent = HandshakeResponse::parse(&bytes[4..]).unwrap();
    assert!(sent.capabilities.contains(Capabilities::SSL));
    assert_eq!(bytes[4..36], request[4..36], "the same beginning twice");
    let ok = OkPacket::default().encode(OFFERED);
    let done = c.on_packet(Packet {
        seq: 3,
        payload: ok,
    });
    assert!(matches!(done, Ok(ClientStep::Done { .. })), "{done:?}");
}

#[test]
fn a_login_over_tls_falls_back_only_if_the_engine_has_none_and_speaks_in_order() {
    let mut without = secure_login();
    let offer = OFFERED.without(Capabilities::SSL);
    let Ok(ClientStep::Send(bytes)) = without.on_packet(greeting(offer)) else {
        panic!()
    };
    let sent = HandshakeResponse::parse(&bytes[4..]).unwrap();
    assert!(!sent.capabilities.contains(Capabilities::SSL));
    assert_eq!(without.secured().unwrap_err(), ClientError::OutOfOrder);
    let mut early = secure_login();
    early
        .on_packet(greeting(OFFERED.union(Capabilities::SSL)))
        .unwrap();
    let ok = OkPacket::default().encode(OFFERED);
    let answer = early.on_packet(Packet {
        seq: 3,
        payload: ok,
    });
    assert_eq!(answer.unwrap_err(), ClientError::OutOfOrder);
}

#[test]
fn case_50_a_change_of_user_is_proved_with_the_salt_of_the_switch() {
    let login = login(Some(auth::stage1(b"secret")));
    let (mut c, request) = ClientLogin::change_user(login.identity);
    assert_eq!(request[3], 0, "it is a command");
    let sent = ChangeUser::parse_cut(&request[4..], 0, OFFERED).unwrap();
    assert_eq!((&sent.user[..], sent.collation), (&b"root"[..], 45));
    let payload = [b"\xFEmysql_native_password\0", &[5; 20][..], b"\0"].concat();
    let Ok(ClientStep::Send(bytes)) = c.on_packet(Packet { seq: 1, payload }) else {
        panic!()
    };
    assert_eq!(bytes[..4], [20, 0, 0, 2]);
    let token: [u8; 20] = bytes[4..].try_into().unwrap();
    let stage2 = auth::stage2(&auth::stage1(b"secret"));
    assert!(auth::check_native(&token, &[5; 20], &[stage2]).is_some());
    let payload = OkPacket::default().encode(OFFERED);
    let done = c.on_packet(Packet { seq: 3, payload });
    assert!(matches!(done, Ok(ClientStep::Done { .. })), "{done:?}");
}

#[test]
fn case_50_a_login_without_attributes_keeps_the_capability_for_a_change_of_user() {
    for (capabilities, attributes) in [
        (OFFERED, &b"\0"[..]),
        (OFFERED.without(Capabilities::CONNECT_ATTRS), b""),
    ] {
        let mut c = login(None);
        c.identity.capabilities = capabilities;
        let Ok(ClientStep::Send(bytes)) = c.on_packet(greeting(OFFERED)) else {
            panic!()
        };
        let sent = HandshakeResponse::parse(&bytes[4..]).unwrap();
        assert_eq!(sent.attributes, attributes);
    }
}

#[test]
fn case_35_a_switch_is_answered_with_and_without_the_trailing_nul() {
    for tail in [&b"\0"[..], b""] {
        let mut c = login(None);
        c.on_packet(greeting(OFFERED)).unwrap();
        let payload = [b"\xFEmysql_native_password\0", &[5; 20][..], tail].concat();
        let Ok(ClientStep::Send(bytes)) = c.on_packet(Packet { seq: 2, payload }) else {
            panic!()
        };
        assert_eq!(
            bytes,
            [0, 0, 0, 3],
            "the empty password is a packet of zero length"
        );
    }
}

#[test]
fn case_35_old_passwords_and_other_plugins_are_refused() {
    for payload in [
        &b"\xFE"[..],
        b"\xFEclient_ed25519\0aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ] {
        let mut c = login(None);
        c.on_packet(greeting(OFFERED)).unwrap();
        let got = c.on_packet(Packet {
            seq: 2,
            payload: payload.to_vec(),
        });
        assert!(matches!(got, Err(ClientError::Plugin(_))));
    }
}

#[test]
fn case_44_an_engine_that_would_frame_differently_is_refused() {
    let got = login(None).on_packet(greeting(OFFERED.without(Capabilities::DEPRECATE_EOF)));
    assert!(matches!(got, Err(ClientError::Capabilities(_))));
}

#[test]
fn case_43_an_error_instead_of_a_greeting_is_the_engine_s_refusal() {
    let got = login(None).on_packet(Packet {
        seq: 0,
        payload: b"\xFF\x10\x04Too many".to_vec(),
    });
    assert!(matches!(got, Ok(ClientStep::Refused(e)) if e.code == 1040 && &e.sqlstate == b"08004"));
}
