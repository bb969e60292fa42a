//! Server side of the connection phase, inside TLS, as a state machine without I/O.
//!
//! The greeting names the plugin `mysql_native_password`, as MariaDB's does. The client's answer is
//! read by the name of the plugin in it, not by its length. At most one AuthSwitchRequest follows,
//! since old libraries can't answer a second.

use crate::auth::{CACHING_SHA2, NATIVE, switch_request};
use crate::capabilities::Capabilities;
use crate::change_user::ChangeUser;
use crate::handshake_response::HandshakeResponse;
use crate::packet::{Packet, write_packet};
use zeroize::{Zeroize, Zeroizing};

/// AuthMoreData that asks for full authentication: the client sends the password in clear, inside
/// TLS.
const FULL_AUTHENTICATION: [u8; 2] = [1, 4];

/// Proof that a client has sent.
pub enum Credential {
    Clear(Zeroizing<Vec<u8>>),
    /// Answer of `mysql_native_password` to the salt of the greeting.
    NativeToken(Zeroizing<[u8; 20]>),
    Empty,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Clear(_) => "Clear(..)",
            Self::NativeToken(_) => "NativeToken(..)",
            Self::Empty => "Empty",
        })
    }
}

/// Login of a client, complete with its proof.
#[derive(Debug)]
pub struct Login {
    pub user: Vec<u8>,
    pub database: Option<Vec<u8>>,
    /// Capabilities that both the greeting and the client have.
    pub capabilities: Capabilities,
    pub collation: u16,
    pub max_packet: u32,
    pub attributes: Vec<u8>,
    pub credential: Credential,
    /// Sequence number of the answer.
    pub next_seq: u8,
}

/// Terms of a session that a change of user keeps.
#[derive(Debug, Clone, Copy)]
pub struct SessionTerms {
    /// Salt of the greeting. A change of user is proved with it too, as MariaDB does: its client
    /// library answers no other one, whatever the switch says.
    pub salt: [u8; 20],
    /// Capabilities that were granted at its first login.
    pub capabilities: Capabilities,
    pub max_packet: u32,
}

/// Next step of a login.
#[derive(Debug)]
pub enum LoginStep {
    /// These packets must be sent to the client, whose next packet is then taken.
    Send(Vec<u8>),
    Credential(Box<Login>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    #[error("packets out of order")]
    OutOfOrder,
    #[error("protocol older than MySQL 4.1")]
    OldProtocol,
    #[error("the client supports none of the authentication methods")]
    UnsupportedAuth,
    #[error("malformed login")]
    Malformed,
    #[error("login whose user, proof, database or plugin is too long")]
    TooLarge,
}

enum ServerState {
    /// Waits for the login, the second packet of the connection after the SSLRequest.
    Response,
    /// Waits for the COM_CHANGE_USER of a session whose login named this largest packet.
    Change {
        max_packet: u32,
    },
    /// Waits for the clear password and its NUL (full authentication).
    Clear(Box<HandshakeResponse>),
    /// Waits for the answer to a switch to `mysql_native_password`: a token of 20 bytes, or
    /// nothing.
    SwitchedToNative(Box<HandshakeResponse>),
    /// Waits for the answer to a switch to `caching_sha2_password`.
    SwitchedToSha2(Box<HandshakeResponse>),
    Over,
}

/// Login as a state machine.
pub struct ServerLogin {
    salt: [u8; 20],
    offered: Capabilities,
    expected_seq: u8,
    state: ServerState,
}

impl ServerLogin {
    /// Starts after an SSLRequest, which was packet 1: the next has the sequence number 2.
    pub fn new(salt: [u8; 20], offered: Capabilities) -> Self {
        Self {
            salt,
            offered,
            expected_seq: 2,
            state: ServerState::Response,
        }
    }

    /// Starts before a COM_CHANGE_USER, in a session with these terms.
    pub fn of_change(terms: SessionTerms) -> Self {
        let SessionTerms {
            salt,
            capabilities,
            max_packet,
        } = terms;
        Self {
            salt,
            offered: capabilities,
            expected_seq: 0,
            state: ServerState::Change { max_packet },
        }
    }

    /// Returns the sequence number of an error packet that ends the login now.
    pub fn answer_seq(&self) -> u8 {
        self.expected_seq.wrapping_add(1)
    }

    /// Takes the next packet of the client.
    pub fn on_packet(&mut self, packet: Packet) -> Result<LoginStep, LoginError> {
        self.on_cut_packet(packet, 0)
    }

    /// Takes a packet whose last `dropped` bytes were not kept. They may only be attributes of a
    /// login.
    pub fn on_cut_packet(
        &mut self,
        packet: Packet,
        dropped: usize,
    ) -> Result<LoginStep, LoginError> {
        if packet.seq != self.expected_seq {
            return Err(LoginError::OutOfOrder);
        }
        // The server's answer is the packet in between.
        self.expected_seq = packet.seq.wrapping_add(2);
        let next_seq = packet.seq.wrapping_add(1);
        match std::mem::replace(&mut self.state, ServerState::Over) {
            ServerState::Response => self.on_response(&packet.payload, dropped, next_seq),
            ServerState::Change { max_packet } => {
                self.on_change(&packet.payload, dropped, max_packet, next_seq)
            }
            ServerState::Clear(_)
            | ServerState::SwitchedToNative(_)
            | ServerState::SwitchedToSha2(_)
                if dropped > 0 =>
            {
                Err(LoginError::TooLarge)
            }
            ServerState::Clear(response) => {
                let credential = clear_password(&packet.payload)?;
                Ok(self.done(&response, credential, next_seq))
            }
            ServerState::SwitchedToNative(response) => {
                let credential = native_answer(&packet.payload)?;
                Ok(self.done(&response, credential, next_seq))
            }
            ServerState::SwitchedToSha2(response) => {
                Ok(self.on_sha2_answer(response, &packet.payload, next_seq))
            }
            ServerState::Over => Err(LoginError::OutOfOrder),
        }
    }

    fn on_response(
        &mut self,
        payload: &[u8],
        dropped: usize,
        next_seq: u8,
    ) -> Result<LoginStep, LoginError> {
        // PROTOCOL_41 is bit 9, in the second byte of the flags.
        let old = payload
            .get(..2)
            .is_some_and(|b| b.get(1).is_some_and(|high| high & 2 == 0));
        if old {
            return Err(LoginError::OldProtocol);
        }
        let response = HandshakeResponse::parse_cut(payload, dropped);
        // A whole packet that can't be parsed is malformed. Of a cut one, fields reach beyond the
        // kept part: it is too large.
        let malformed = if dropped > 0 {
            LoginError::TooLarge
        } else {
            LoginError::Malformed
        };
        let response = Box::new(response.map_err(|_| malformed)?);
        // A client without PLUGIN_AUTH, or with another plugin, is asked to switch: libmariadb
        // without the plugin's file names `dummy_fallback_auth`.
        match response.plugin.as_deref() {
            // A library of MySQL 9 has no other plugin, and does not start it for a greeting that
            // names another one (case 28). Whether it has a password is not known yet.
            Some(CACHING_SHA2) if response.auth_response.is_empty() => {
                let request = switch_request(CACHING_SHA2, &self.salt);
                self.state = ServerState::SwitchedToSha2(response);
                Ok(send(&request, next_seq))
            }
            // Drivers that prefer this plugin start it whatever the greeting names.
            Some(CACHING_SHA2) => {
                let answer = Zeroizing::new(response.auth_response.clone());
                Ok(self.on_sha2_answer(response, &answer, next_seq))
            }
            Some(NATIVE) if response.auth_response.is_empty() => {
                Ok(self.done(&response, Credential::Empty, next_seq))
            }
            Some(NATIVE) if response.auth_response.len() == 20 => {
                let credential = native_answer(&response.auth_response)?;
                Ok(self.done(&response, credential, next_seq))
            }
            _ => {
                let request = switch_request(NATIVE, &self.salt);
                self.state = ServerState::SwitchedToNative(response);
                Ok(send(&request, next_seq))
            }
        }
    }

    /// Takes a COM_CHANGE_USER, and asks for the proof: MariaDB does too, and the libraries of
    /// clients send none before.
    fn on_change(
        &mut self,
        payload: &[u8],
        dropped: usize,
        max_packet: u32,
        next_seq: u8,
    ) -> Result<LoginStep, LoginError> {
        let malformed = match dropped {
            0 => LoginError::Malformed,
            _ => LoginError::TooLarge,
        };
        let change = ChangeUser::parse_cut(payload, dropped, self.offered);
        let change = change.map_err(|_| malformed)?;
        let response = Box::new(HandshakeResponse {
            capabilities: self.offered,
            max_packet,
            collation: change.collation,
            user: change.user,
            auth_response: Vec::new(),
            database: change.database,
            plugin: change.plugin,
            attributes: change.attributes,
        });
        // A library of MySQL 9 has no other plugin.
        if response.plugin.as_deref() == Some(CACHING_SHA2) {
            self.state = ServerState::SwitchedToSha2(response);
            return Ok(send(&switch_request(CACHING_SHA2, &self.salt), next_seq));
        }
        self.state = ServerState::SwitchedToNative(response);
        Ok(send(&switch_request(NATIVE, &self.salt), next_seq))
    }

    /// Takes the first answer of `caching_sha2_password`. MariaDB stores nothing that its proof
    /// could be checked with, so the password itself is asked for.
    fn on_sha2_answer(
        &mut self,
        response: Box<HandshakeResponse>,
        answer: &[u8],
        next_seq: u8,
    ) -> LoginStep {
        match answer {
            [] | [0] => self.done(&response, Credential::Empty, next_seq),
            _ => {
                self.state = ServerState::Clear(response);
                send(&FULL_AUTHENTICATION, next_seq)
            }
        }
    }

    fn done(
        &self,
        response: &HandshakeResponse,
        credential: Credential,
        next_seq: u8,
    ) -> LoginStep {
        LoginStep::Credential(Box::new(Login {
            user: response.user.clone(),
            database: response.database.clone(),
            // A client may set bits that were not offered. They are not granted.
            capabilities: response.capabilities.granted_by(self.offered),
            collation: response.collation,
            max_packet: response.max_packet,
            attributes: response.attributes.clone(),
            credential,
            next_seq,
        }))
    }
}

fn send(payload: &[u8], mut seq: u8) -> LoginStep {
    let mut out = Vec::with_capacity(payload.len() + 4);
    write_packet(&mut seq, payload, &mut out);
    LoginStep::Send(out)
}

/// Reads the password and its NUL. A single 0x02 asks for an RSA key, which is not supported: TLS
/// already protects the password.
fn clear_password(payload: &[u8]) -> Result<Credential, LoginError> {
    match payload {
        [2] => Err(LoginError::UnsupportedAuth),
        [] | [0] => Ok(Credential::Empty),
        [password @ .., 0] => Ok(Credential::Clear(Zeroizing::new(password.to_vec()))),
        // Some drivers leave the NUL out.
        password => Ok(Credential::Clear(Zeroizing::new(password.to_vec()))),
    }
}

fn native_answer(payload: &[u8]) -> Result<Credential, LoginError> {
    if matches!(payload, [] | [0]) {
        return Ok(Credential::Empty);
    }
    let mut token: [u8; 20] = payload
        .try_into()
        .map_err(|_| LoginError::UnsupportedAuth)?;
    let credential = Credential::NativeToken(Zeroizing::new(token));
    // The array was copied into the type that is wiped.
    token.zeroize();
    Ok(credential)
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
