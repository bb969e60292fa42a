//! Client side of the connection phase, with an engine on a Unix socket: with or without TLS, and
//! with `mysql_native_password`.

use crate::auth::{self, NATIVE};
use crate::capabilities::Capabilities;
use crate::change_user::ChangeUser;
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
    pub collation: u16,
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
        /// As the greeting tells it; empty after a change of user.
        engine: EngineNames,
    },
    Refused(ErrPacket),
}

/// Names that an engine's greeting tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EngineNames {
    pub connection_id: u32,
    pub version: Vec<u8>,
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
    Answered(EngineNames),
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

    /// Starts a change of user in a session that exists, where the engine has all capabilities of
    /// the identity. Returns the command to send, too. It names no proof: the engine asks for one,
    /// with its salt.
    pub fn change_user(identity: ClientIdentity) -> (Self, Vec<u8>) {
        let command = ChangeUser {
            user: identity.user.clone(),
            database: identity.database.clone(),
            collation: identity.collation,
            plugin: Some(NATIVE.to_vec()),
            attributes: identity.attributes.clone(),
        };
        // Each of our logins names its plugin.
        let capabilities = identity.capabilities.union(Capabilities::PLUGIN_AUTH);
        let capabilities = capabilities.union(Capabilities::SECURE_CONNECTION);
        let request = framed(&command.encode(capabilities), 0);
        let login = Self {
            identity,
            expected_seq: 1,
            state: ClientState::Answered(EngineNames::default()),
        };
        (login, request)
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
            ClientState::Answered(engine) => self.on_answer(&packet.payload, engine, next_seq),
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
        let Greeting {
            connection_id,
            version,
            ..
        } = *greeting;
        self.state = ClientState::Answered(EngineNames {
            connection_id,
            version,
        });
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
            attributes: match id.capabilities.contains(Capabilities::CONNECT_ATTRS) {
                // An empty list, so that the session has this capability where the client's has:
                // a change of user is read by it.
                true if id.attributes.is_empty() => vec![0],
                _ => id.attributes.clone(),
            },
        }
    }

    fn on_answer(
        &mut self,
        payload: &[u8],
        engine: EngineNames,
        seq: u8,
    ) -> Result<ClientStep, ClientError> {
        match payload.first() {
            Some(0) => Ok(ClientStep::Done {
                ok: OkPacket::parse(payload)?,
                ok_payload: payload.to_vec(),
                engine,
            }),
            Some(0xFF) => Ok(ClientStep::Refused(ErrPacket::parse(payload)?)),
            Some(0xFE) => self.on_switch(payload, engine, seq),
            _ => Err(ClientError::Malformed),
        }
    }

    /// Answers a switch to `mysql_native_password`. A single byte 0xFE asks for the method used
    /// before MySQL 4.1, which is refused (case 35).
    fn on_switch(
        &mut self,
        payload: &[u8],
        engine: EngineNames,
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
        self.state = ClientState::Answered(engine);
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
#[path = "client_tests.rs"]
mod tests;
