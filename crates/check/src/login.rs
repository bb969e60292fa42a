//! The login exchange inside TLS, and one query. The password itself is sent only if the server
//! asks for it, on a stream that the caller has verified; its hashes are wiped.

use crate::limits::PACKETS_MAX;
use crate::packet::{self, ErrPacket, Greeting, Login, ORDINARY, SSL};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::io::{self, Read, Write};
use zeroize::Zeroizing;

/// Result of a login.
#[derive(Debug)]
pub(crate) enum LoginOutcome {
    LoggedIn,
    Refused(ErrPacket),
}

/// LoginTrace of a login: the kinds of packets that came, and the result.
#[derive(Debug)]
pub(crate) struct LoginTrace {
    pub steps: Vec<String>,
    pub outcome: LoginOutcome,
}

/// Logs in with sequence numbers that follow the TLS request. `stream` must be verified TLS.
pub(crate) fn login(
    stream: &mut (impl Read + Write),
    greeting: &Greeting,
    user: &str,
    password: &str,
    database: Option<&str>,
) -> io::Result<LoginTrace> {
    let proof = proof(&greeting.plugin, password, &greeting.salt).unwrap_or_default();
    let login = Login {
        capabilities: ORDINARY | SSL,
        user,
        proof: &proof,
        database,
        plugin: &greeting.plugin,
    };
    packet::write(stream, 2, &login.bytes())?;
    let mut steps = Vec::new();
    for _ in 0..PACKETS_MAX {
        let (sequence, payload) = packet::read(stream)?;
        let answer = match payload.as_slice() {
            [0x00, ..] => {
                return Ok(LoginTrace {
                    steps,
                    outcome: LoginOutcome::LoggedIn,
                });
            }
            [0xff, ..] => {
                let error = ErrPacket::parse(&payload)
                    .ok_or_else(|| strange("an error packet that can't be read"))?;
                return Ok(LoginTrace {
                    steps,
                    outcome: LoginOutcome::Refused(error),
                });
            }
            [0xfe, rest @ ..] => {
                let (plugin, salt) = switch(rest)
                    .ok_or_else(|| strange("a request for a password of before 4.1"))?;
                steps.push(format!("switch to {plugin}"));
                let clear = || Some(clear(password));
                let known = proof_or(&plugin, password, salt, clear);
                known.ok_or_else(|| {
                    strange(&format!(
                        "the plugin {plugin}, which this check does not know"
                    ))
                })?
            }
            // caching_sha2_password: the server has the hash in its cache, and an OK packet
            // follows.
            [0x01, 0x03] => {
                steps.push("known".to_owned());
                continue;
            }
            // caching_sha2_password: the server needs the password itself.
            [0x01, 0x04] => {
                steps.push("asked for the password".to_owned());
                clear(password)
            }
            _ => return Err(strange("an unexpected answer to the login")),
        };
        packet::write(stream, sequence.wrapping_add(1), &answer)?;
    }
    Err(strange("too many packets in the login"))
}

fn strange(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

fn switch(rest: &[u8]) -> Option<(String, &[u8])> {
    let end = rest.iter().position(|b| *b == 0)?;
    let (name, salt) = rest.split_at_checked(end)?;
    let salt = salt.get(1..)?;
    Some((
        packet::lossy(name),
        // The salt ends in a NUL that is not part of it.
        salt.strip_suffix(&[0])
            .filter(|s| s.len() == 20)
            .unwrap_or(salt),
    ))
}

fn clear(password: &str) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(password.len() + 1));
    out.extend_from_slice(password.as_bytes());
    out.push(0);
    out
}

/// Returns the hash of the password that a plugin uses, if it uses one.
pub(crate) fn proof(plugin: &str, password: &str, salt: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    if !matches!(plugin, "mysql_native_password" | "caching_sha2_password") {
        return None;
    }
    // For both plugins the proof of an empty password is empty.
    if password.is_empty() {
        return Some(Zeroizing::default());
    }
    let password = password.as_bytes();
    Some(Zeroizing::new(if plugin == "mysql_native_password" {
        let once = Zeroizing::new(Sha1::digest(password).to_vec());
        let mask = Sha1::new()
            .chain_update(salt)
            .chain_update(Sha1::digest(&*once))
            .finalize();
        once.iter().zip(mask).map(|(a, b)| a ^ b).collect()
    } else {
        let once = Zeroizing::new(Sha256::digest(password).to_vec());
        let mask = Sha256::new()
            .chain_update(Sha256::digest(&*once))
            .chain_update(salt)
            .finalize();
        once.iter().zip(mask).map(|(a, b)| a ^ b).collect()
    }))
}

fn proof_or(
    plugin: &str,
    password: &str,
    salt: &[u8],
    clear: impl Fn() -> Option<Zeroizing<Vec<u8>>>,
) -> Option<Zeroizing<Vec<u8>>> {
    match plugin {
        "mysql_clear_password" | "sha256_password" => clear(),
        _ => proof(plugin, password, salt),
    }
}

/// Runs a query of a few rows and reads its whole result.
fn query(
    stream: &mut (impl Read + Write),
    sql: &str,
) -> io::Result<Result<Vec<Vec<u8>>, ErrPacket>> {
    packet::write(stream, 0, format!("\x03{sql}").as_bytes())?;
    let mut rows = Vec::new();
    let mut ends = 0;
    for nth in 0..PACKETS_MAX {
        let (_, payload) = packet::read(stream)?;
        match payload.as_slice() {
            [0xff, ..] => {
                let error = ErrPacket::parse(&payload)
                    .ok_or_else(|| strange("an error packet that can't be read"))?;
                return Ok(Err(error));
            }
            // An OK packet: the statement has no result.
            [0x00, ..] if nth == 0 => return Ok(Ok(rows)),
            // An EOF packet comes after the columns, and one after the rows.
            [0xfe, rest @ ..] if rest.len() < 8 => ends += 1,
            _ if ends == 1 => rows.push(payload),
            // The number of columns, and a packet for each.
            _ => {}
        }
        if ends == 2 {
            return Ok(Ok(rows));
        }
    }
    Err(strange("too many packets in the result"))
}

/// Runs `SELECT 1` and checks that one row with 1 came.
pub(crate) fn select_one(stream: &mut (impl Read + Write)) -> io::Result<Result<(), ErrPacket>> {
    match query(stream, "SELECT 1")? {
        Err(error) => Ok(Err(error)),
        // A row with one column of one character.
        Ok(rows) if rows == [b"\x011"] => Ok(Ok(())),
        Ok(_) => Err(strange("an unexpected result of SELECT 1")),
    }
}

/// Returns the TLS version that the server itself sees: empty if TLS ends in front of it, None if
/// it does not say.
pub(crate) fn tls_version(stream: &mut (impl Read + Write)) -> Option<String> {
    let rows = query(stream, "SHOW SESSION STATUS LIKE 'Ssl_version'")
        .ok()?
        .ok()?;
    second(rows.first()?)
}

/// Returns the second of a row's two short texts.
fn second(row: &[u8]) -> Option<String> {
    let (name, rest) = row.split_first()?;
    let (value, rest) = rest.get(usize::from(*name)..)?.split_first()?;
    Some(packet::lossy(rest.get(..usize::from(*value))?))
}

pub(crate) fn quit(stream: &mut impl Write) {
    // Nothing waits for the server's reaction.
    let _ = packet::write(stream, 0, &[1]);
}
