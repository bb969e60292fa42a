//! The part of the protocol that the tests need, written from its documentation: capability bits,
//! login packets, error packets. It reads no socket.

pub const LONG_PASSWORD: u32 = 1;
pub const FOUND_ROWS: u32 = 1 << 1;
pub const LONG_FLAG: u32 = 1 << 2;
pub const CONNECT_WITH_DB: u32 = 1 << 3;
pub const LOCAL_FILES: u32 = 1 << 7;
pub const PROTOCOL_41: u32 = 1 << 9;
pub const SSL: u32 = 1 << 11;
pub const TRANSACTIONS: u32 = 1 << 13;
pub const SECURE_CONNECTION: u32 = 1 << 15;
pub const MULTI_STATEMENTS: u32 = 1 << 16;
pub const MULTI_RESULTS: u32 = 1 << 17;
pub const PS_MULTI_RESULTS: u32 = 1 << 18;
pub const PLUGIN_AUTH: u32 = 1 << 19;
pub const CONNECT_ATTRS: u32 = 1 << 20;
pub const DEPRECATE_EOF: u32 = 1 << 24;

/// Capabilities of an ordinary client.
pub const ORDINARY: u32 = LONG_PASSWORD
    | LONG_FLAG
    | LOCAL_FILES
    | PROTOCOL_41
    | SSL
    | TRANSACTIONS
    | SECURE_CONNECTION
    | MULTI_STATEMENTS
    | MULTI_RESULTS
    | PS_MULTI_RESULTS
    | PLUGIN_AUTH;

pub const SHA2: &str = "caching_sha2_password";
pub const NATIVE: &str = "mysql_native_password";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    pub version: String,
    pub id: u32,
    pub salt: Vec<u8>,
    pub capabilities: u32,
    pub auth_length: u8,
    pub plugin: String,
    /// The whole packet, for tests that check its bytes.
    pub raw: Vec<u8>,
}

impl Greeting {
    pub fn parse(raw: &[u8]) -> Self {
        assert_eq!(raw.first(), Some(&10), "protocol 10: {raw:?}");
        let end = raw.iter().skip(1).position(|b| *b == 0).expect("a version") + 1;
        let version = String::from_utf8(raw[1..end].to_vec()).expect("text");
        let at = end + 1;
        let id = u32::from_le_bytes(raw[at..at + 4].try_into().expect("4"));
        let low = u16::from_le_bytes(raw[at + 13..at + 15].try_into().expect("2"));
        let high = u16::from_le_bytes(raw[at + 18..at + 20].try_into().expect("2"));
        let mut salt = raw[at + 4..at + 12].to_vec();
        salt.extend_from_slice(&raw[at + 31..at + 43]);
        let plugin = raw[at + 44..].split(|b| *b == 0).next().expect("a plugin");
        Self {
            version,
            id,
            salt,
            capabilities: u32::from(low) | u32::from(high) << 16,
            auth_length: raw[at + 20],
            plugin: String::from_utf8(plugin.to_vec()).expect("text"),
            raw: raw.to_vec(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub code: u16,
    pub state: String,
    pub message: String,
}

impl Refused {
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let [0xff, low, high, rest @ ..] = payload else {
            return None;
        };
        let (state, message) = match rest {
            [b'#', a, b, c, d, e, message @ ..] => (vec![*a, *b, *c, *d, *e], message),
            message => (Vec::new(), message),
        };
        Some(Self {
            code: u16::from_le_bytes([*low, *high]),
            state: String::from_utf8_lossy(&state).into_owned(),
            message: String::from_utf8_lossy(message).into_owned(),
        })
    }
}

/// Returns the 32 bytes of an SSLRequest.
pub fn ssl_request(capabilities: u32) -> Vec<u8> {
    let mut out = capabilities.to_le_bytes().to_vec();
    out.extend_from_slice(&(64u32 << 20).to_le_bytes());
    out.push(45); // utf8mb4_general_ci
    out.extend_from_slice(&[0; 23]);
    out
}

/// A handshake response whose fields a test can choose.
#[derive(Debug, Clone)]
pub struct Response {
    pub capabilities: u32,
    pub user: Vec<u8>,
    pub auth: Vec<u8>,
    pub database: Option<Vec<u8>>,
    pub plugin: Option<Vec<u8>>,
    /// Bytes after everything else (connection attributes, or garbage).
    pub tail: Vec<u8>,
}

impl Response {
    pub fn new(user: &str) -> Self {
        Self {
            capabilities: ORDINARY,
            user: user.into(),
            auth: vec![7; 32],
            database: None,
            plugin: Some(SHA2.into()),
            tail: Vec::new(),
        }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut capabilities = self.capabilities;
        if self.database.is_some() {
            capabilities |= CONNECT_WITH_DB;
        }
        if self.plugin.is_none() {
            capabilities &= !PLUGIN_AUTH;
        }
        let mut out = ssl_request(capabilities);
        out.extend_from_slice(&self.user);
        out.push(0);
        out.push(u8::try_from(self.auth.len()).expect("short"));
        out.extend_from_slice(&self.auth);
        if let Some(database) = &self.database {
            out.extend_from_slice(database);
            out.push(0);
        }
        if let Some(plugin) = &self.plugin {
            out.extend_from_slice(plugin);
            out.push(0);
        }
        out.extend_from_slice(&self.tail);
        out
    }
}

/// Returns the proof of `mysql_native_password`: SHA1(password) XOR SHA1(salt +
/// SHA1(SHA1(password))).
pub fn native_scramble(password: &str, salt: &[u8]) -> Vec<u8> {
    use sha1::{Digest, Sha1};
    let stage1 = Sha1::digest(password.as_bytes());
    let stage2 = Sha1::digest(stage1);
    let mut salted = Sha1::new();
    salted.update(salt);
    salted.update(stage2);
    stage1
        .iter()
        .zip(salted.finalize())
        .map(|(a, b)| a ^ b)
        .collect()
}

/// Reads a length-encoded number at `at` and moves `at` past it. `None` is NULL.
pub fn lenenc(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let first = bytes[*at];
    *at += 1;
    let width = match first {
        0xfb => return None,
        0xfc => 2,
        0xfd => 3,
        0xfe => 8,
        small => return Some(u64::from(small)),
    };
    let mut value = 0;
    for i in 0..width {
        value |= u64::from(bytes[*at + i]) << (8 * i);
    }
    *at += width;
    Some(value)
}
