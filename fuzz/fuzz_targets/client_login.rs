//! Our login at an engine that sends anything: each of its packets gets one answer with the next
//! sequence number, or ends the login.
#![no_main]
use libfuzzer_sys::fuzz_target;
use tidegate_fuzz::packets;
use tidegate_wire::auth;
use tidegate_wire::capabilities::OFFERED;
use tidegate_wire::client::{ClientIdentity, ClientLogin, ClientStep};
use tidegate_wire::packet::HEADER_LEN;

fuzz_target!(|stream: &[u8]| {
    let mut machine = ClientLogin::new(ClientIdentity {
        user: b"root".to_vec(),
        stage1: Some(auth::stage1(b"secret")),
        database: Some(b"test".to_vec()),
        capabilities: OFFERED,
        collation: 45,
        max_packet: 1 << 24,
        attributes: b"\x08\x03key\x03val".to_vec(),
        tls: stream.len() % 2 == 1,
    });
    for packet in packets(stream) {
        let seq = packet.seq;
        let Ok(step) = machine.on_packet(packet) else {
            return;
        };
        match step {
            ClientStep::Send(bytes) => assert_packet(&bytes, seq.wrapping_add(1)),
            ClientStep::Secure(request) => {
                assert_packet(&request, seq.wrapping_add(1));
                let Ok(ClientStep::Send(bytes)) = machine.secured() else {
                    panic!("the login follows the handshake");
                };
                assert_packet(&bytes, seq.wrapping_add(2));
            }
            ClientStep::Done { .. } | ClientStep::Refused(_) => return,
        }
    }
});

/// Checks that these bytes are one packet with this sequence number.
fn assert_packet(bytes: &[u8], seq: u8) {
    let declared = usize::from(bytes[0]) | usize::from(bytes[1]) << 8;
    assert_eq!((bytes.len(), bytes[3]), (HEADER_LEN + declared, seq));
}
