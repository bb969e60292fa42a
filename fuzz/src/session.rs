//! A session under a relay as a driver sees it: the bytes that the client has sent, those that were
//! forwarded, and those that are held. Every answer of the relay is checked immediately.

use crate::script::Script;
use tidegate_wire::packet::HEADER_LEN;
use tidegate_wire::relay::{FromClient, Intercepted, Relay, RelayError};
use tidegate_wire::tls_status::TlsFacts;

/// Session id of an engine, for a mapped KILL.
pub const ENGINE_ID: u64 = 77;

/// TLS of the client.
const FACTS: TlsFacts = TlsFacts {
    version: "TLSv1.3",
    cipher: "TLS_AES_128_GCM_SHA256",
};

/// Whether a KILL names a session by one of the gateway's ids.
pub fn is_ours(id: u64) -> bool {
    id >> 30 == 1 && id & 1 != 0
}

pub struct Session {
    pub relay: Relay,
    pub map_kills: bool,
    pub to_engine: Vec<u8>,
    pub to_client: Vec<u8>,
    pub pending: Vec<u8>,
    pub held: Vec<u8>,
    /// Bytes of a COM_CHANGE_USER that are still to come. A login reads them.
    left_of_change: usize,
}

impl Session {
    pub fn new(script: &Script<'_>) -> Self {
        Self {
            relay: Relay::new(script.capabilities, script.status),
            map_kills: script.map_kills,
            to_engine: Vec::new(),
            to_client: Vec::new(),
            pending: Vec::new(),
            held: Vec::new(),
            left_of_change: 0,
        }
    }

    /// Offers the bytes that the client has sent so far, until the relay takes no more.
    pub fn pump(&mut self) -> Result<(), RelayError> {
        loop {
            let of_change = self.left_of_change.min(self.pending.len());
            self.left_of_change -= of_change;
            self.pending.drain(..of_change);
            if self.pending.is_empty() {
                break;
            }
            match self.relay.from_client(&self.pending)? {
                FromClient::Forward(n) => {
                    assert!(
                        n > 0 && self.held.is_empty(),
                        "nothing may overtake a held packet"
                    );
                    self.to_engine.extend(self.pending.drain(..n));
                }
                FromClient::Hold(n) => {
                    assert_eq!(
                        n,
                        self.pending.len(),
                        "what is held short is still in need of more"
                    );
                    self.held.append(&mut self.pending);
                    assert!(self.relay.client_mid_packet() && !self.relay.at_boundary());
                }
                FromClient::Command { consumed, command } => {
                    self.held.extend(self.pending.drain(..consumed));
                    self.decide(command);
                }
                FromClient::Wait => {
                    // Bytes after COM_QUIT may wait forever.
                    let owed = !self.relay.at_boundary() || self.relay.quit_seen();
                    assert!(owed, "waits for an answer that nobody owes");
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn decide(&mut self, command: Intercepted) {
        let held = std::mem::take(&mut self.held);
        let id = match command {
            Intercepted::ChangeUser => {
                assert_eq!(
                    self.relay.error_sequence(),
                    1,
                    "of an error that answers it"
                );
                assert_eq!(self.relay.take_held(), held);
                let len = u32::from_le_bytes([held[0], held[1], held[2], 0]) as usize;
                assert_eq!((held.len(), held[3]), (HEADER_LEN + 1, 0));
                self.left_of_change = len - 1;
                return;
            }
            Intercepted::Kill { id, .. } => id,
            Intercepted::ProcessKill { id } => u64::from(id),
            Intercepted::Other => 0,
            Intercepted::TlsStatus => {
                let before = self.to_engine.len();
                self.relay.release_tls_status(&FACTS, &mut self.to_engine);
                let packet = &self.to_engine[before..];
                let len = u32::from_le_bytes([packet[0], packet[1], packet[2], 0]) as usize;
                assert_eq!(
                    (packet.len(), packet[3], packet[4]),
                    (HEADER_LEN + len, held[3], held[4]),
                    "a question becomes one whole packet of the same command"
                );
                return;
            }
        };
        let before = self.to_engine.len();
        if self.map_kills && is_ours(id) {
            self.relay
                .release_held(Some(ENGINE_ID), &mut self.to_engine);
            let packet = &self.to_engine[before..];
            let len = u32::from_le_bytes([packet[0], packet[1], packet[2], 0]) as usize;
            assert_eq!(
                (packet.len(), packet[3]),
                (HEADER_LEN + len, held[3]),
                "a mapped KILL is one whole packet"
            );
        } else {
            self.relay.release_held(None, &mut self.to_engine);
            assert_eq!(
                &self.to_engine[before..],
                held,
                "what is released is what was held"
            );
        }
    }
}
