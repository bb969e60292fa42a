//! Our login at an engine that says anything: it is over after the greeting, one switch and one verdict.
#![no_main]
use libfuzzer_sys::fuzz_target;
use tidegate_fuzz::packets;
use tidegate_wire::auth;
use tidegate_wire::capabilities::OFFERED;
use tidegate_wire::client::{ClientIdentity, ClientLogin, ClientStep};

fuzz_target!(|stream: &[u8]| {
    let mut machine = ClientLogin::new(ClientIdentity {
        user: b"root".to_vec(),
        stage1: Some(auth::stage1(b"secret")),
        database: Some(b"test".to_vec()),
        capabilities: OFFERED,
        collation: 45,
        max_packet: 1 << 24,
        attributes: b"\x08\x03key\x03val".to_vec(),
    });
    let mut sent = 0;
    for packet in packets(stream) {
        let seq = packet.seq;
        let Ok(step) = machine.on_packet(packet) else { return };
        match step {
            ClientStep::Send(bytes) => {
                sent += 1;
                assert!(sent <= 2, "the engine asks for more than one switch");
                assert_eq!(bytes[3], seq.wrapping_add(1));
            }
            ClientStep::Done { .. } | ClientStep::Refused(_) => return,
        }
    }
});
