//! The only packet that is read in plaintext: only 32 bytes with the TLS bit are an SSLRequest, and
//! hints stay printable.
#![no_main]
use libfuzzer_sys::fuzz_target;
use tidegate_wire::capabilities::Capabilities;
use tidegate_wire::first_packet::FirstPacket;

fuzz_target!(|payload: &[u8]| {
    match FirstPacket::parse(payload) {
        FirstPacket::SslRequest { capabilities } => {
            assert_eq!(payload.len(), 32);
            assert!(capabilities.contains(Capabilities::SSL.union(Capabilities::PROTOCOL_41)));
        }
        FirstPacket::Plain { client: Some(hint) } => {
            for text in [&hint.name, &hint.version] {
                assert!(
                    text.len() <= 64 && text.bytes().all(|b| b == b' ' || b.is_ascii_graphic()),
                    "{hint:?}"
                );
            }
        }
        FirstPacket::Quit => assert_eq!(payload, [1]),
        FirstPacket::Plain { client: None } | FirstPacket::OldProtocol | FirstPacket::Malformed => {
        }
    }
});
