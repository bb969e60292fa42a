//! A client's login, packet by packet: it ends within two answers, grants nothing that was not
//! offered, and the login that is sent to the engine can be read back.
#![no_main]
use libfuzzer_sys::fuzz_target;
use tidegate_fuzz::{are_pairs, packets};
use tidegate_wire::capabilities::{Capabilities, OFFERED};
use tidegate_wire::handshake_response::HandshakeResponse;
use tidegate_wire::packet::HEADER_LEN;
use tidegate_wire::server::{LoginStep, ServerLogin};

fuzz_target!(|stream: &[u8]| {
    let mut machine = ServerLogin::new(*b"abcdefghijklmnopqrst", OFFERED);
    let mut answers = 0;
    for packet in packets(stream) {
        if let Ok(response) = HandshakeResponse::parse(&packet.payload) {
            let again =
                HandshakeResponse::parse(&response.encode()).expect("what we write can be read");
            assert_eq!(
                (&again.user, &again.auth_response),
                (&response.user, &response.auth_response)
            );
            assert_eq!(
                (&again.database, &again.plugin),
                (&response.database, &response.plugin)
            );
            assert_eq!(again.attributes, response.attributes);
            assert!(
                are_pairs(&response.attributes).is_some(),
                "an engine would refuse these attributes"
            );
        }
        // The same login without its end: only the attributes are shorter, or it is an error.
        let kept = packet.payload.len() / 2;
        let dropped = packet.payload.len() - kept;
        if let (Some(start), Ok(whole)) = (
            packet.payload.get(..kept),
            HandshakeResponse::parse(&packet.payload),
        ) && dropped > 0
            && let Ok(cut) = HandshakeResponse::parse_cut(start, dropped)
        {
            assert_eq!(
                (&cut.user, &cut.auth_response),
                (&whole.user, &whole.auth_response)
            );
            assert_eq!(
                (&cut.database, &cut.plugin),
                (&whole.database, &whole.plugin)
            );
            assert!(
                are_pairs(&cut.attributes).is_some(),
                "an engine would refuse these attributes"
            );
        }
        let seq = packet.seq;
        match machine.on_packet(packet) {
            Ok(LoginStep::Send(bytes)) => {
                answers += 1;
                assert!(
                    answers <= 2 && bytes.len() > HEADER_LEN && bytes[3] == seq.wrapping_add(1)
                );
            }
            Ok(LoginStep::Credential(login)) => {
                // CLIENT_MYSQL is no capability that could be offered.
                let offered = OFFERED.union(Capabilities::LONG_PASSWORD);
                assert_eq!(login.capabilities.without(offered), Capabilities(0));
                assert_eq!(login.next_seq, seq.wrapping_add(1));
                return;
            }
            Err(_) => return,
        }
    }
});
