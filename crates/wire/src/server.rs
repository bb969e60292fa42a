//! Server side of the connection phase, inside TLS, as a state machine without I/O.
//!
//! The greeting names the plugin `caching_sha2_password`. The client's answer is read by the name
//! of the plugin in it, not by its length. At most one AuthSwitchRequest follows, since old
//! libraries can't answer a second.

use crate::auth::{CACHING_SHA2, NATIVE, switch_to_native};
use crate::capabilities::Capabilities;
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
    pub collation: u8,
    pub max_packet: u32,
    pub attributes: Vec<u8>,
    pub credential: Credential,
    /// Sequence number of the answer.
    pub next_seq: u8,
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
    /// Waits for the clear password and its NUL (full authentication).
    Clear(Box<HandshakeResponse>),
    /// Waits for the answer to the switch: a token of 20 bytes, or nothing.
    Switched(Box<HandshakeResponse>),
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
        self.expected_seq = packet.seq.wrapping_add(2);
        let next_seq = packet.seq.wrapping_add(1);
        match std::mem::replace(&mut self.state, ServerState::Over) {
            ServerState::Response => self.on_response(&packet.payload, dropped, next_seq),
            ServerState::Clear(_) | ServerState::Switched(_) if dropped > 0 => {
                Err(LoginError::TooLarge)
            }
            ServerState::Clear(response) => {
                let credential = clear_password(&packet.payload)?;
                Ok(self.done(&response, credential, next_seq))
            }
            ServerState::Switched(response) => {
                let credential = native_answer(&packet.payload)?;
                Ok(self.done(&response, credential, next_seq))
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
            Some(CACHING_SHA2) => self.on_caching_sha2(response, next_seq),
            Some(NATIVE) if response.auth_response.is_empty() => {
                Ok(self.done(&response, Credential::Empty, next_seq))
            }
            Some(NATIVE) if response.auth_response.len() == 20 => {
                let credential = native_answer(&response.auth_response)?;
                Ok(self.done(&response, credential, next_seq))
            }
            _ => {
                let request = switch_to_native(&self.salt);
                self.state = ServerState::Switched(response);
                Ok(send(&request, next_seq))
            }
        }
    }

    fn on_caching_sha2(
        &mut self,
        response: Box<HandshakeResponse>,
        next_seq: u8,
    ) -> Result<LoginStep, LoginError> {
        match response.auth_response.as_slice() {
            [] | [0] => Ok(self.done(&response, Credential::Empty, next_seq)),
            _ => {
                self.state = ServerState::Clear(response);
                Ok(send(&FULL_AUTHENTICATION, next_seq))
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
            capabilities: self.offered.intersect(response.capabilities),
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
    token.zeroize();
    Ok(credential)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capabilities::OFFERED;

    fn response(plugin: Option<&[u8]>, auth: &[u8]) -> Packet {
        let mut capabilities = OFFERED;
        if plugin.is_none() {
            capabilities = capabilities.without(Capabilities::PLUGIN_AUTH);
        }
        let response = HandshakeResponse {
            capabilities,
            max_packet: 1 << 24,
            collation: 45,
            user: b"p.u".to_vec(),
            auth_response: auth.to_vec(),
            database: None,
            plugin: plugin.map(<[u8]>::to_vec),
            attributes: Vec::new(),
        };
        Packet {
            seq: 2,
            payload: response.encode(),
        }
    }

    fn run(packets: Vec<Packet>) -> Result<(usize, Credential), LoginError> {
        let mut machine = ServerLogin::new([9; 20], OFFERED);
        let mut sent = 0;
        for packet in packets {
            match machine.on_packet(packet)? {
                LoginStep::Send(_) => sent += 1,
                LoginStep::Credential(login) => return Ok((sent, login.credential)),
            }
        }
        panic!("the login did not end");
    }

    fn packet(seq: u8, payload: &[u8]) -> Packet {
        Packet {
            seq,
            payload: payload.to_vec(),
        }
    }

    #[test]
    fn case_30_caching_sha2_is_asked_for_the_clear_password() {
        let (sent, c) = run(vec![
            response(Some(CACHING_SHA2), &[1; 32]),
            packet(4, b"secret\0"),
        ])
        .unwrap();
        assert_eq!(sent, 1);
        assert!(matches!(c, Credential::Clear(p) if *p == b"secret"));
    }

    #[test]
    fn case_30_a_request_for_the_rsa_key_is_refused() {
        let got = run(vec![
            response(Some(CACHING_SHA2), &[1; 32]),
            packet(4, &[2]),
        ]);
        assert_eq!(got.err(), Some(LoginError::UnsupportedAuth));
    }

    #[test]
    fn case_28_and_29_empty_data_is_the_empty_password() {
        for auth in [&[][..], &[0]] {
            let (sent, c) = run(vec![response(Some(CACHING_SHA2), auth)]).unwrap();
            assert!(matches!((sent, c), (0, Credential::Empty)));
        }
        let (sent, c) = run(vec![
            response(Some(b"dummy_fallback_auth"), b""),
            packet(4, b""),
        ])
        .unwrap();
        assert!(matches!((sent, c), (1, Credential::Empty)));
    }

    #[test]
    fn case_27_and_34_whoever_has_another_plugin_or_none_gets_exactly_one_switch() {
        for plugin in [
            None,
            Some(&b"dummy_fallback_auth"[..]),
            Some(b"sha256_password"),
            Some(b""),
        ] {
            let (sent, c) = run(vec![response(plugin, &[3; 20]), packet(4, &[5; 20])]).unwrap();
            assert_eq!(sent, 1, "{plugin:?}");
            assert!(matches!(c, Credential::NativeToken(t) if *t == [5; 20]));
        }
    }

    #[test]
    fn case_33_a_native_answer_to_our_salt_needs_no_switch() {
        let (sent, c) = run(vec![response(Some(NATIVE), &[5; 20])]).unwrap();
        assert!(matches!((sent, c), (0, Credential::NativeToken(_))));
    }

    #[test]
    fn case_33_the_switch_carries_our_salt() {
        let mut machine = ServerLogin::new([9; 20], OFFERED);
        let Ok(LoginStep::Send(bytes)) = machine.on_packet(response(None, b"")) else {
            panic!()
        };
        assert_eq!(bytes[3], 3);
        assert_eq!(
            &bytes[4..],
            [b"\xFEmysql_native_password\0", &[9; 20][..], b"\0"].concat()
        );
    }

    #[test]
    fn case_11_a_wrong_sequence_number_ends_the_login() {
        let mut p = response(Some(NATIVE), &[5; 20]);
        p.seq = 1;
        assert_eq!(run(vec![p]).err(), Some(LoginError::OutOfOrder));
        let got = run(vec![response(None, b""), packet(3, &[5; 20])]);
        assert_eq!(got.err(), Some(LoginError::OutOfOrder));
    }

    #[test]
    fn case_26_granted_is_what_both_sides_have() {
        let mut p = HandshakeResponse::parse(&response(Some(NATIVE), &[5; 20]).payload).unwrap();
        p.capabilities = p
            .capabilities
            .union(Capabilities::COMPRESS)
            .without(Capabilities::DEPRECATE_EOF);
        let mut machine = ServerLogin::new([9; 20], OFFERED);
        let step = machine
            .on_packet(Packet {
                seq: 2,
                payload: p.encode(),
            })
            .unwrap();
        let LoginStep::Credential(login) = step else {
            panic!()
        };
        assert!(!login.capabilities.contains(Capabilities::COMPRESS));
        assert!(!login.capabilities.contains(Capabilities::DEPRECATE_EOF));
        assert!(login.capabilities.contains(Capabilities::SESSION_TRACK));
    }

    #[test]
    fn case_05_a_cut_packet_is_taken_for_its_attributes_and_for_nothing_else() {
        let mut p =
            HandshakeResponse::parse(&response(Some(CACHING_SHA2), &[1; 32]).payload).unwrap();
        p.attributes = b"\xFD\x00\x00\x10\x03key\x03val".to_vec();
        let mut machine = ServerLogin::new([9; 20], OFFERED);
        assert!(matches!(
            machine.on_cut_packet(packet(2, &p.encode()), 0x10_0000 - 8),
            Ok(LoginStep::Send(_))
        ));
        let password = machine.on_cut_packet(packet(4, b"secret"), 1);
        assert_eq!(password.err(), Some(LoginError::TooLarge));
        let mut machine = ServerLogin::new([9; 20], OFFERED);
        let endless = packet(2, &p.encode()[..40]);
        assert_eq!(
            machine.on_cut_packet(endless, 1).err(),
            Some(LoginError::TooLarge)
        );
    }

    #[test]
    fn an_ssl_request_inside_tls_is_no_login() {
        let mut payload = OFFERED.0.to_le_bytes().to_vec();
        payload.resize(32, 0);
        assert_eq!(
            run(vec![packet(2, &payload)]).err(),
            Some(LoginError::Malformed)
        );
        assert_eq!(
            run(vec![packet(2, &[1])]).err(),
            Some(LoginError::Malformed)
        );
        assert_eq!(run(vec![packet(2, &[])]).err(), Some(LoginError::Malformed));
    }
}
