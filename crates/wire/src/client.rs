//! Client side of the connection phase, with an engine on a Unix socket: with or without TLS, and
//! with `mysql_native_password`.

use crate::auth::{self, NATIVE};
use crate::capabilities::Capabilities;
use crate::greeting::{Greeting, Opening};
use crate::handshake_response::HandshakeResponse;
use crate::limits::PLUGIN_TEXT_MAX;
use crate::packet::{Packet, write_packet};
use crate::reader::{Malformed, Reader};
use crate::response::{ErrPacket, OkPacket};
use zeroize::Zeroizing;

/// Login to an engine: the user, the proof of the password, and the agreed options.
pub struct ClientIdentity {
    pub user: Vec<u8>,
    /// SHA1(password); `None` for the empty password.
    pub stage1: Option<Zeroizing<[u8; 20]>>,
    pub database: Option<Vec<u8>>,
    /// Exactly the capabilities granted to the gateway's client, so that both sides frame packets
    /// alike (case 44).
    pub capabilities: Capabilities,
    pub collation: u8,
    pub max_packet: u32,
    pub attributes: Vec<u8>,
    /// Whether to use TLS, if the engine offers it.
    pub tls: bool,
}

/// Next step of a login.
#[derive(Debug)]
pub enum ClientStep {
    /// These packets must be sent to the engine.
    Send(Vec<u8>),
    /// These packets must be sent. Then the TLS handshake follows, and [`ClientLogin::secured`].
    Secure(Vec<u8>),
    Done {
        ok: OkPacket,
        /// The OK as it came, with the session's state.
        ok_payload: Vec<u8>,
        connection_id: u32,
        server_version: Vec<u8>,
    },
    Refused(ErrPacket),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    #[error("malformed packet from the engine")]
    Malformed,
    #[error("the engine asks for the authentication plugin {0:?}")]
    Plugin(String),
    #[error("the engine lacks capabilities that were granted to the client: {0:#x}")]
    Capabilities(u64),
    #[error("packets out of order from the engine")]
    OutOfOrder,
}

impl From<Malformed> for ClientError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// Capabilities that change how packets are framed or answered. The engine must grant each of them
/// that was granted to the client.
const FORMAT_CHANGING: Capabilities = Capabilities(
    Capabilities::PROTOCOL_41.0
        | Capabilities::DEPRECATE_EOF.0
        | Capabilities::SESSION_TRACK.0
        | Capabilities::TRANSACTIONS.0
        | Capabilities::MULTI_STATEMENTS.0
        | Capabilities::MULTI_RESULTS.0
        | Capabilities::PS_MULTI_RESULTS.0
        | Capabilities::LOCAL_FILES.0
        | Capabilities::MARIADB.0,
);

enum ClientState {
    Opening,
    /// TLS was asked for. The handshake follows, and then the login with this sequence number.
    Securing(Box<Greeting>, u8),
    /// The login was sent. A switch of the authentication method, an OK or an error follows.
    Answered(Box<Greeting>),
    Over,
}

/// Login as a state machine.
pub struct ClientLogin {
    identity: ClientIdentity,
    expected_seq: u8,
    state: ClientState,
}

impl ClientLogin {
    pub fn new(identity: ClientIdentity) -> Self {
        Self {
            identity,
            expected_seq: 0,
            state: ClientState::Opening,
        }
    }

    /// Takes the next packet of the engine.
    pub fn on_packet(&mut self, packet: Packet) -> Result<ClientStep, ClientError> {
        if packet.seq != self.expected_seq {
            return Err(ClientError::OutOfOrder);
        }
        // Packets alternate, and both sides count with one sequence.
        self.expected_seq = packet.seq.wrapping_add(2);
        let next_seq = packet.seq.wrapping_add(1);
        match std::mem::replace(&mut self.state, ClientState::Over) {
            ClientState::Opening => match Opening::parse(&packet.payload)? {
                Opening::Error(err) => Ok(ClientStep::Refused(err)),
                Opening::Greeting(greeting) => self.on_greeting(greeting, next_seq),
            },
            ClientState::Answered(greeting) => self.on_answer(&packet.payload, greeting, next_seq),
            ClientState::Securing(..) | ClientState::Over => Err(ClientError::OutOfOrder),
        }
    }

    fn on_greeting(&mut self, greeting: Greeting, seq: u8) -> Result<ClientStep, ClientError> {
        let id = &self.identity;
        let missing = id
            .capabilities
            .intersect(FORMAT_CHANGING)
            .without(greeting.capabilities);
        if missing.0 != 0 {
            return Err(ClientError::Capabilities(missing.0));
        }
        let greeting = Box::new(greeting);
        if id.tls && greeting.capabilities.contains(Capabilities::SSL) {
            let request = self.response(&greeting).encode_ssl_request();
            // One more packet of ours before the engine's next.
            self.expected_seq = self.expected_seq.wrapping_add(1);
            self.state = ClientState::Securing(greeting, seq.wrapping_add(1));
            return Ok(ClientStep::Secure(framed(&request, seq)));
        }
        Ok(self.send_login(greeting, seq))
    }

    /// Goes on after the TLS handshake that [`ClientStep::Secure`] asked for.
    pub fn secured(&mut self) -> Result<ClientStep, ClientError> {
        match std::mem::replace(&mut self.state, ClientState::Over) {
            ClientState::Securing(greeting, seq) => Ok(self.send_login(greeting, seq)),
            _ => Err(ClientError::OutOfOrder),
        }
    }

    fn send_login(&mut self, greeting: Box<Greeting>, seq: u8) -> ClientStep {
        let response = self.response(&greeting);
        self.state = ClientState::Answered(greeting);
        send(&response.encode(), seq)
    }

    fn response(&self, greeting: &Greeting) -> HandshakeResponse {
        let id = &self.identity;
        let auth_response = id
            .stage1
            .as_ref()
            .map(|s| auth::token(s, &greeting.salt).to_vec())
            .unwrap_or_default();
        let capabilities = id
            .capabilities
            .granted_by(greeting.capabilities)
            .without(Capabilities::SSL);
        HandshakeResponse {
            capabilities: match id.tls && greeting.capabilities.contains(Capabilities::SSL) {
                true => capabilities.union(Capabilities::SSL),
                false => capabilities,
            },
            max_packet: id.max_packet,
            collation: id.collation,
            user: id.user.clone(),
            auth_response,
            database: id.database.clone(),
            plugin: Some(NATIVE.to_vec()),
            attributes: id.attributes.clone(),
        }
    }

    fn on_answer(
        &mut self,
        payload: &[u8],
        greeting: Box<Greeting>,
        seq: u8,
    ) -> Result<ClientStep, ClientError> {
        match payload.first() {
            Some(0) => {
                let Greeting {
                    connection_id,
                    version,
                    ..
                } = *greeting;
                Ok(ClientStep::Done {
                    ok: OkPacket::parse(payload)?,
                    ok_payload: payload.to_vec(),
                    connection_id,
                    server_version: version,
                })
            }
            Some(0xFF) => Ok(ClientStep::Refused(ErrPacket::parse(payload)?)),
            Some(0xFE) => self.on_switch(payload, greeting, seq),
            _ => Err(ClientError::Malformed),
        }
    }

    /// Answers a switch to `mysql_native_password`. A single byte 0xFE asks for the method used
    /// before MySQL 4.1, which is refused (case 35).
    fn on_switch(
        &mut self,
        payload: &[u8],
        greeting: Box<Greeting>,
        seq: u8,
    ) -> Result<ClientStep, ClientError> {
        let mut r = Reader::new(payload);
        r.u8()?;
        if r.is_empty() {
            return Err(ClientError::Plugin("mysql_old_password".to_owned()));
        }
        let plugin = r.until_nul_or_end();
        if plugin != NATIVE {
            // The engine runs code of its tenant, so the name may be of any length.
            let shown = plugin.get(..PLUGIN_TEXT_MAX).unwrap_or(plugin);
            return Err(ClientError::Plugin(
                String::from_utf8_lossy(shown).into_owned(),
            ));
        }
        // Servers send the salt with or without a trailing NUL.
        let salt: [u8; 20] = r.array()?;
        let answer = self
            .identity
            .stage1
            .as_ref()
            .map(|s| auth::token(s, &salt).to_vec())
            .unwrap_or_default();
        self.state = ClientState::Answered(greeting);
        Ok(send(&answer, seq))
    }
}

fn send(payload: &[u8], seq: u8) -> ClientStep {
    ClientStep::Send(framed(payload, seq))
}

fn framed(payload: &[u8], mut seq: u8) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + 4);
    write_packet(&mut seq, payload, &mut out);
    out
}

#[cfg(test)]
mod tests {
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
        assert!(matches!(
            ok,
            Ok(ClientStep::Done {
                connection_id: 7,
                ..
            })
        ));
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
        assert!(
            matches!(got, Ok(ClientStep::Refused(e)) if e.code == 1040 && &e.sqlstate == b"08004")
        );
    }
}
