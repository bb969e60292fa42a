//! Hand-written ClientHellos that no modern TLS library would send, and the first bytes of the
//! answer. It never completes a handshake.

use crate::clean::hex;
use crate::link::{End, Link};
use std::io::Write;

/// A ClientHello to send.
#[derive(Debug, Clone)]
pub(crate) struct Hello<'a> {
    /// Version of the record and of the hello: 0x0302 is TLS 1.1.
    pub version: u16,
    pub suites: &'a [u16],
    /// Whether it has signature_algorithms, which OpenSSL omits below TLS 1.2.
    pub signature_algorithms: bool,
    /// Versions in supported_versions; empty omits the extension.
    pub supported_versions: &'a [u16],
}

/// Suites of an old client: CBC suites of TLS 1.0 with every key exchange, and the broken ones.
pub(crate) const OLD_SUITES: &[u16] = &[
    0xc00a, 0xc014, 0xc009, 0xc013, 0x0039, 0x0033, 0x0035, 0x002f, 0xc008, 0xc012, 0x0016, 0x000a,
    0x0005, 0x0004, 0x00ff,
];

/// Broken suites: NULL, export, RC4, DES, 3DES, and anonymous key exchange.
pub(crate) const BROKEN_SUITES: &[u16] = &[
    0x0001, 0x0002, 0x003b, 0xc006, 0xc010, 0xc015, 0x0003, 0x0006, 0x0008, 0x0014, 0x0004, 0x0005,
    0xc007, 0xc011, 0x0009, 0x0015, 0x000a, 0x0016, 0xc008, 0xc012, 0x0018, 0x001b, 0x0034, 0x003a,
    0x006c, 0x006d, 0x00a6, 0x00a7, 0xc017, 0xc018, 0xc019,
];

/// Legacy suites, neither broken nor ECDHE with an AEAD: static RSA, finite-field DHE, and CBC,
/// with AES, Camellia, ARIA, SEED and IDEA.
pub(crate) const LEGACY_SUITES: &[u16] = &[
    0x009c, 0x009d, 0x003c, 0x003d, 0x002f, 0x0035, 0x009e, 0x009f, 0xccaa, 0x0067, 0x006b, 0x0033,
    0x0039, 0xc023, 0xc024, 0xc027, 0xc028, 0xc009, 0xc00a, 0xc013, 0xc014, 0xc09c, 0xc09d, 0xc09e,
    0xc09f, 0xc0a0, 0xc0a1, 0xc0a2, 0xc0a3, 0xc050, 0xc051, 0xc052, 0xc053, 0x0041, 0x0084, 0x0045,
    0x0088, 0x00ba, 0x00c0, 0x00be, 0x00c4, 0xc072, 0xc073, 0xc076, 0xc077, 0x0096, 0x009a, 0x0007,
];

/// The server's first answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HelloAnswer {
    Alert(u8),
    ServerHello {
        version: u16,
        suite: u16,
    },
    /// A ServerHello of SSL 2.
    OldServerHello,
    Ended(End),
    /// Bytes that are not TLS.
    Other(Vec<u8>),
}

fn vector16(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend(u16::try_from(bytes.len()).unwrap_or(0).to_be_bytes());
    out.extend_from_slice(bytes);
}

fn extension(out: &mut Vec<u8>, id: u16, bytes: &[u8]) {
    out.extend(id.to_be_bytes());
    vector16(out, bytes);
}

fn words(list: &[u16]) -> Vec<u8> {
    list.iter().flat_map(|w| w.to_be_bytes()).collect()
}

impl Hello<'_> {
    /// Returns the whole record.
    pub fn record(&self, random: [u8; 32]) -> Vec<u8> {
        let mut body = self.version.to_be_bytes().to_vec();
        body.extend(random);
        body.push(0);
        vector16(&mut body, &words(self.suites));
        // The one compression method is none.
        body.extend([1, 0]);
        if self.version > 0x0300 {
            vector16(&mut body, &self.extensions());
        }
        let mut message = vec![1, 0];
        vector16(&mut message, &body);
        let mut record = vec![22, 3, if self.version > 0x0300 { 1 } else { 0 }];
        vector16(&mut record, &message);
        record
    }

    fn extensions(&self) -> Vec<u8> {
        let mut out = Vec::new();
        // Groups X25519, P-256, P-384, P-521; uncompressed points.
        extension(&mut out, 10, &[0, 8, 0, 29, 0, 23, 0, 24, 0, 25]);
        extension(&mut out, 11, &[1, 0]);
        if self.signature_algorithms {
            let mut list = Vec::new();
            vector16(
                &mut list,
                &words(&[
                    0x0403, 0x0503, 0x0804, 0x0805, 0x0401, 0x0501, 0x0203, 0x0201,
                ]),
            );
            extension(&mut out, 13, &list);
        }
        if !self.supported_versions.is_empty() {
            let list = words(self.supported_versions);
            let mut bytes = vec![u8::try_from(list.len()).unwrap_or(0)];
            bytes.extend(list);
            extension(&mut out, 43, &bytes);
        }
        out
    }

    /// Sends the hello and reads the first answer.
    pub fn ask(&self, link: &mut Link) -> HelloAnswer {
        ask(link, &self.record(random()))
    }
}

/// Sends a ClientHello of SSL 2 with three suites and reads the first answer.
pub(crate) fn ask_ssl2(link: &mut Link) -> HelloAnswer {
    let suites = [0x01, 0x00, 0x80, 0x07, 0x00, 0xc0, 0x03, 0x00, 0x80];
    let challenge: Vec<u8> = random().into_iter().take(16).collect();
    let mut body = vec![1, 0, 2, 0, 9, 0, 0, 0, 16];
    body.extend(suites);
    body.extend(challenge);
    let mut record = (0x8000 | u16::try_from(body.len()).unwrap_or(0))
        .to_be_bytes()
        .to_vec();
    record.extend(body);
    ask(link, &record)
}

fn ask(link: &mut Link, record: &[u8]) -> HelloAnswer {
    if let Err(error) = link.write_all(record).and_then(|()| link.flush()) {
        return HelloAnswer::Ended(End::of(&error));
    }
    // An alert has 7 bytes; a ServerHello's version, random, session id and suite are in its first
    // 80.
    let (bytes, end) = gather(link);
    read_answer(&bytes, end)
}

/// Reads until the answer is recognised or nothing more comes.
fn gather(link: &mut Link) -> (Vec<u8>, End) {
    let (mut bytes, mut end) = link.gather(7);
    if end == End::Full && bytes.starts_with(&[22, 3]) {
        let (more, last) = link.gather(80);
        bytes.extend(more);
        end = last;
    }
    (bytes, end)
}

pub(crate) fn read_answer(bytes: &[u8], end: End) -> HelloAnswer {
    match bytes {
        [] => HelloAnswer::Ended(end),
        [21, 3, _, _, _, _level, description, ..] => HelloAnswer::Alert(*description),
        [22, 3, _, _, _, 2, rest @ ..] => {
            server_hello(rest).unwrap_or_else(|| HelloAnswer::Other(bytes.to_vec()))
        }
        // Two length bytes with the high bit set, message type 4.
        [128..=255, _, 4, ..] => HelloAnswer::OldServerHello,
        other => HelloAnswer::Other(other.to_vec()),
    }
}

/// After the message type: length, version, random, session id, suite.
fn server_hello(rest: &[u8]) -> Option<HelloAnswer> {
    let (_, rest) = rest.split_at_checked(3)?;
    let (version, rest) = rest.split_first_chunk::<2>()?;
    let (_, rest) = rest.split_at_checked(32)?;
    let (length, rest) = rest.split_first()?;
    let (_, rest) = rest.split_at_checked(usize::from(*length))?;
    let (suite, _) = rest.split_first_chunk::<2>()?;
    Some(HelloAnswer::ServerHello {
        version: u16::from_be_bytes(*version),
        suite: u16::from_be_bytes(*suite),
    })
}

pub(crate) fn version_name(version: u16) -> &'static str {
    match version {
        0x0300 => "SSL 3",
        0x0301 => "TLS 1.0",
        0x0302 => "TLS 1.1",
        0x0303 => "TLS 1.2",
        _ => "an unknown version",
    }
}

/// Returns the suite's IANA name, or its number if it is not in the list.
pub(crate) fn suite_name(suite: u16) -> String {
    let named = NAMES.iter().find(|(number, _)| *number == suite);
    named.map_or_else(
        || format!("suite {suite:04x}"),
        |(_, name)| (*name).to_owned(),
    )
}

/// Suites that OpenSSL still accepts if it is configured to.
const NAMES: &[(u16, &str)] = &[
    (0x0002, "RSA_WITH_NULL_SHA"),
    (0x0004, "RSA_WITH_RC4_128_MD5"),
    (0x0005, "RSA_WITH_RC4_128_SHA"),
    (0x000a, "RSA_WITH_3DES_EDE_CBC_SHA"),
    (0x0016, "DHE_RSA_WITH_3DES_EDE_CBC_SHA"),
    (0x0018, "DH_anon_WITH_RC4_128_MD5"),
    (0x001b, "DH_anon_WITH_3DES_EDE_CBC_SHA"),
    (0x002f, "RSA_WITH_AES_128_CBC_SHA"),
    (0x0033, "DHE_RSA_WITH_AES_128_CBC_SHA"),
    (0x0034, "DH_anon_WITH_AES_128_CBC_SHA"),
    (0x0035, "RSA_WITH_AES_256_CBC_SHA"),
    (0x0039, "DHE_RSA_WITH_AES_256_CBC_SHA"),
    (0x003a, "DH_anon_WITH_AES_256_CBC_SHA"),
    (0x003b, "RSA_WITH_NULL_SHA256"),
    (0x003c, "RSA_WITH_AES_128_CBC_SHA256"),
    (0x003d, "RSA_WITH_AES_256_CBC_SHA256"),
    (0x0067, "DHE_RSA_WITH_AES_128_CBC_SHA256"),
    (0x006b, "DHE_RSA_WITH_AES_256_CBC_SHA256"),
    (0x009c, "RSA_WITH_AES_128_GCM_SHA256"),
    (0x009d, "RSA_WITH_AES_256_GCM_SHA384"),
    (0x009e, "DHE_RSA_WITH_AES_128_GCM_SHA256"),
    (0x009f, "DHE_RSA_WITH_AES_256_GCM_SHA384"),
    (0x00a6, "DH_anon_WITH_AES_128_GCM_SHA256"),
    (0x00a7, "DH_anon_WITH_AES_256_GCM_SHA384"),
    (0xc006, "ECDHE_ECDSA_WITH_NULL_SHA"),
    (0xc008, "ECDHE_ECDSA_WITH_3DES_EDE_CBC_SHA"),
    (0xc009, "ECDHE_ECDSA_WITH_AES_128_CBC_SHA"),
    (0xc00a, "ECDHE_ECDSA_WITH_AES_256_CBC_SHA"),
    (0xc010, "ECDHE_RSA_WITH_NULL_SHA"),
    (0xc012, "ECDHE_RSA_WITH_3DES_EDE_CBC_SHA"),
    (0xc013, "ECDHE_RSA_WITH_AES_128_CBC_SHA"),
    (0xc014, "ECDHE_RSA_WITH_AES_256_CBC_SHA"),
    (0xc015, "ECDH_anon_WITH_NULL_SHA"),
    (0xc018, "ECDH_anon_WITH_AES_128_CBC_SHA"),
    (0xc019, "ECDH_anon_WITH_AES_256_CBC_SHA"),
    (0xc023, "ECDHE_ECDSA_WITH_AES_128_CBC_SHA256"),
    (0xc024, "ECDHE_ECDSA_WITH_AES_256_CBC_SHA384"),
    (0xc027, "ECDHE_RSA_WITH_AES_128_CBC_SHA256"),
    (0xc028, "ECDHE_RSA_WITH_AES_256_CBC_SHA384"),
    (0xccaa, "DHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
];

impl std::fmt::Display for HelloAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Alert(number) => write!(f, "alert {number} ({})", alert_name(*number)),
            Self::ServerHello { version, suite } => {
                write!(
                    f,
                    "a ServerHello in {} with {}",
                    version_name(*version),
                    suite_name(*suite)
                )
            }
            Self::OldServerHello => f.write_str("a ServerHello of SSL 2"),
            Self::Ended(end) => f.write_str(end.words()),
            Self::Other(bytes) => write!(f, "bytes that are not TLS: {}", hex(bytes)),
        }
    }
}

pub(crate) fn alert_name(number: u8) -> &'static str {
    match number {
        0 => "close_notify",
        10 => "unexpected_message",
        20 => "bad_record_mac",
        22 => "record_overflow",
        40 => "handshake_failure",
        42 => "bad_certificate",
        47 => "illegal_parameter",
        48 => "unknown_ca",
        49 => "access_denied",
        50 => "decode_error",
        70 => "protocol_version",
        71 => "insufficient_security",
        80 => "internal_error",
        86 => "inappropriate_fallback",
        109 => "missing_extension",
        112 => "unrecognized_name",
        116 => "certificate_required",
        120 => "no_application_protocol",
        _ => "unknown",
    }
}

/// Returns the random of a hello. The handshake is never completed, so a failure of the system's
/// random generator does not matter.
fn random() -> [u8; 32] {
    let mut bytes = [0x5a; 32];
    let _ = getrandom::fill(&mut bytes);
    bytes
}
