//! A client's change of user, packet by packet, in sessions with any capabilities: it ends within
//! two answers, the proof is never taken from the command itself, and the command that is sent to
//! the engine can be read back.
#![no_main]
use libfuzzer_sys::fuzz_target;
use tidegate_fuzz::{are_pairs, packets};
use tidegate_wire::capabilities::{Capabilities, OFFERED};
use tidegate_wire::change_user::ChangeUser;
use tidegate_wire::packet::HEADER_LEN;
use tidegate_wire::server::{LoginStep, ServerLogin, SessionTerms};

/// Capabilities by which the command is read. The first three bits of an input choose among them.
const READ_BY: [Capabilities; 3] = [
    Capabilities::SECURE_CONNECTION,
    Capabilities::PLUGIN_AUTH,
    Capabilities::CONNECT_ATTRS,
];

fuzz_target!(|input: &[u8]| {
    let Some((choice, stream)) = input.split_first() else {
        return;
    };
    let mut capabilities = OFFERED;
    for (bit, capability) in READ_BY.into_iter().enumerate() {
        if choice >> bit & 1 != 0 {
            capabilities = capabilities.without(capability);
        }
    }
    let terms = SessionTerms {
        salt: *b"abcdefghijklmnopqrst",
        capabilities,
        max_packet: 1 << 24,
    };
    let mut machine = ServerLogin::of_change(terms);
    let mut answers = 0;
    for packet in packets(stream) {
        check_command(&packet.payload, capabilities);
        let seq = packet.seq;
        match machine.on_packet(packet) {
            Ok(LoginStep::Send(bytes)) => {
                answers += 1;
                assert!(answers <= 2 && bytes.len() > HEADER_LEN);
                assert_eq!(bytes[3], seq.wrapping_add(1));
                assert_eq!(bytes[4], if answers == 1 { 0xFE } else { 1 });
                assert_eq!(machine.answer_seq(), seq.wrapping_add(3));
            }
            Ok(LoginStep::Credential(login)) => {
                assert!(answers >= 1, "a proof without a switch");
                assert_eq!(login.capabilities.0, capabilities.0);
                assert_eq!(login.next_seq, seq.wrapping_add(1));
                return;
            }
            Err(_) => return,
        }
    }
});

/// Checks what is read of a command, whole and cut.
fn check_command(payload: &[u8], capabilities: Capabilities) {
    let Ok(whole) = ChangeUser::parse_cut(payload, 0, capabilities) else {
        return;
    };
    let again = ChangeUser::parse_cut(&whole.encode(capabilities), 0, capabilities);
    let again = again.expect("what we write can be read");
    assert_eq!(
        (&again.user, &again.database),
        (&whole.user, &whole.database)
    );
    assert_eq!(
        (again.collation, &again.plugin),
        (whole.collation, &whole.plugin)
    );
    assert!(
        are_pairs(&again.attributes).is_some() && are_pairs(&whole.attributes).is_some(),
        "an engine would refuse these attributes"
    );
    for kept in 0..payload.len().min(512) {
        let dropped = payload.len() - kept;
        let Ok(cut) = ChangeUser::parse_cut(&payload[..kept], dropped, capabilities) else {
            continue;
        };
        assert_eq!((&cut.user, &cut.plugin), (&whole.user, &whole.plugin));
        assert!(are_pairs(&cut.attributes).is_some());
    }
}
