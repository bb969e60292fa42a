//! Probe of clear text: a login without TLS must be refused before anything of it is judged. It
//! sends made-up users and random proofs only.

use super::ProbeTarget;
use super::made_up::NOBODY;
use crate::clean::shown;
use crate::finding::FindingKind;
use crate::hello;
use crate::limits::REFUSAL_MAX;
use crate::link::{End, Link};
use crate::packet::{self, ErrPacket, Greeting, Login, ORDINARY, SSL};
use crate::report::FindingSheet;
use std::io::Write;

/// Maximum number of bytes of a refusal.
const ANSWER_MAX: usize = 1024;

/// Answer to clear text that the server must not accept.
#[derive(Debug)]
pub(crate) enum ClearAnswer {
    Error(ErrPacket),
    /// An OK packet, a request for another proof, or a result: the server took it for a login or a
    /// command.
    Taken(String),
    Alert(u8),
    Ended(End),
    Strange(Vec<u8>),
}

pub(crate) fn probe_plaintext(
    place: &ProbeTarget<'_>,
    greeting: &Greeting,
    sheet: &mut FindingSheet,
) {
    plaintext(place, greeting, sheet);
    // A server without TLS may ignore the bit, and the finding above already fails.
    if greeting.capabilities & SSL != 0 {
        refused(
            sheet,
            FindingKind::TlsBit,
            ask(place, &packet::frame(1, &login(greeting, ORDINARY | SSL))),
        );
        // In one write with the TLS request, so that a server that buffers reads has all of it.
        let mut bytes = packet::frame(1, &packet::ssl_request());
        bytes.extend(packet::frame(2, &login(greeting, ORDINARY)));
        bytes.extend(packet::frame(0, b"\x03SELECT 'tidegate-check'"));
        refused(sheet, FindingKind::Injection, ask(place, &bytes));
    }
}

fn login(greeting: &Greeting, capabilities: u32) -> Vec<u8> {
    let mut proof = [0x5a; 20];
    let _ = getrandom::fill(&mut proof);
    let long = [proof, proof].concat();
    // The proof has the length that the plugin expects, or it would be refused for its form.
    let proof = if greeting.plugin == "caching_sha2_password" {
        long.get(..32)
    } else {
        long.get(..20)
    };
    let proof = proof.unwrap_or_default();
    Login {
        capabilities,
        user: NOBODY,
        proof,
        database: None,
        plugin: &greeting.plugin,
    }
    .bytes()
}

fn ask(place: &ProbeTarget<'_>, bytes: &[u8]) -> Result<ClearAnswer, String> {
    let mut link = place.greeted().map_err(|e| format!("no greeting: {e}"))?;
    link.end_in(REFUSAL_MAX);
    if let Err(error) = link.write_all(bytes).and_then(|()| link.flush()) {
        return Ok(ClearAnswer::Ended(End::of(&error)));
    }
    Ok(read(&mut link))
}

/// Reads the first packet or alert. The pieces of a packet are joined until the deadline.
fn read(link: &mut Link) -> ClearAnswer {
    let (mut bytes, mut end) = link.gather(7);
    if let [a, b, 0, _, rest @ ..] = bytes.as_slice()
        && end == End::Full
    {
        let length = usize::from(u16::from_le_bytes([*a, *b])).min(ANSWER_MAX);
        let (more, last) = link.gather(length.saturating_sub(rest.len()));
        end = last;
        bytes.extend(more);
    }
    read_answer(&bytes, end)
}

/// Recognises the answer in these bytes. `end` is how reading ended.
pub(crate) fn read_answer(bytes: &[u8], end: End) -> ClearAnswer {
    match bytes {
        [] => ClearAnswer::Ended(end),
        [21, 3, _, _, _, _level, alert, ..] => ClearAnswer::Alert(*alert),
        // An alert that was cut off.
        [21, 3, ..] => ClearAnswer::Ended(end),
        [a, b, c, _, payload @ ..] => {
            // Bytes after the first packet are not part of it.
            let length = u32::from_le_bytes([*a, *b, *c, 0]) as usize;
            let payload = payload.get(..length).unwrap_or(payload);
            packet_answer(payload).unwrap_or_else(|| ClearAnswer::Strange(bytes.to_vec()))
        }
        other => ClearAnswer::Strange(other.to_vec()),
    }
}

fn packet_answer(payload: &[u8]) -> Option<ClearAnswer> {
    Some(match payload.first()? {
        0xff => ClearAnswer::Error(ErrPacket::parse(payload)?),
        0x00 => ClearAnswer::Taken("an OK packet".to_owned()),
        0xfe => ClearAnswer::Taken(format!("a request for another proof: {}", plugin(payload))),
        0x01 if payload == [1, 4] => {
            ClearAnswer::Taken("a request for the password itself".to_owned())
        }
        0x01 => ClearAnswer::Taken(format!("more of a login or a result: {}", shown(payload))),
        _ => return None,
    })
}

/// Returns the plugin that an AuthSwitch names. Before 4.1 it had no name.
fn plugin(payload: &[u8]) -> String {
    let name = payload
        .get(1..)
        .and_then(|rest| rest.split(|b| *b == 0).next());
    name.filter(|name| !name.is_empty())
        .map_or_else(|| "the old password".to_owned(), packet::lossy)
}

/// Whether the error means that user or password was judged.
fn was_judged(error: &ErrPacket) -> bool {
    matches!(
        error.code,
        1044 | 1045 | 1049 | 1524 | 1698 | 1820 | 3118 | 4151
    )
}

fn names_tls(error: &ErrPacket) -> bool {
    let text = error.text.to_lowercase();
    error.code == 3159
        || ["tls", "ssl", "secure transport", "insecure"]
            .iter()
            .any(|word| text.contains(word))
}

fn plaintext(place: &ProbeTarget<'_>, greeting: &Greeting, sheet: &mut FindingSheet) {
    let unexplained = "no MySQL error says that TLS is missing";
    match ask(place, &packet::frame(1, &login(greeting, ORDINARY))) {
        Ok(ClearAnswer::Error(error)) if error.says_busy() => {
            sheet.skip(FindingKind::Plaintext, error.to_string());
            sheet.skip(FindingKind::PlaintextText, error.to_string());
        }
        Ok(ClearAnswer::Error(error)) if was_judged(&error) => {
            sheet.fail(
                FindingKind::Plaintext,
                format!("the password was checked in clear text: {error}"),
            );
            sheet.skip(FindingKind::PlaintextText, "it was not refused");
        }
        Ok(ClearAnswer::Error(error)) => {
            sheet.pass(FindingKind::Plaintext, format!("error {}", error.code));
            let verdict = if names_tls(&error) {
                FindingSheet::pass
            } else {
                FindingSheet::warn
            };
            verdict(sheet, FindingKind::PlaintextText, error.to_string());
        }
        Ok(ClearAnswer::Taken(what)) => {
            sheet.fail(FindingKind::Plaintext, format!("answered with {what}"));
            sheet.skip(FindingKind::PlaintextText, "it was not refused");
        }
        Ok(ClearAnswer::Ended(End::Silent)) => {
            sheet.warn(FindingKind::Plaintext, "no answer within 3 s");
            sheet.warn(FindingKind::PlaintextText, unexplained);
        }
        Ok(ClearAnswer::Ended(end)) => {
            sheet.pass(FindingKind::Plaintext, end.words());
            sheet.warn(
                FindingKind::PlaintextText,
                format!("{}: {unexplained}", end.words()),
            );
        }
        Ok(ClearAnswer::Alert(alert)) => {
            sheet.pass(
                FindingKind::Plaintext,
                format!("alert {alert} ({})", hello::alert_name(alert)),
            );
            sheet.warn(FindingKind::PlaintextText, unexplained);
        }
        Ok(ClearAnswer::Strange(bytes)) => sheet.fail(
            FindingKind::Plaintext,
            format!("an unexpected answer: {}", shown(&bytes)),
        ),
        Err(why) => sheet.skip(FindingKind::Plaintext, why),
    }
}

/// Judges an answer for which any refusal is right, also silence: the server then waits for TLS.
fn refused(sheet: &mut FindingSheet, kind: FindingKind, answer: Result<ClearAnswer, String>) {
    match answer {
        Ok(ClearAnswer::Error(error)) if error.says_busy() => sheet.skip(kind, error.to_string()),
        Ok(ClearAnswer::Error(error)) if was_judged(&error) => {
            sheet.fail(kind, format!("the password was checked: {error}"))
        }
        Ok(ClearAnswer::Error(error)) => sheet.pass(kind, error.to_string()),
        Ok(ClearAnswer::Taken(what)) => sheet.fail(kind, format!("answered with {what}")),
        Ok(ClearAnswer::Alert(alert)) => sheet.pass(
            kind,
            format!("alert {alert} ({})", hello::alert_name(alert)),
        ),
        Ok(ClearAnswer::Ended(End::Silent)) => sheet.pass(kind, "no answer: it waits for TLS"),
        Ok(ClearAnswer::Ended(end)) => sheet.pass(kind, end.words()),
        Ok(ClearAnswer::Strange(bytes)) => {
            sheet.fail(kind, format!("an unexpected answer: {}", shown(&bytes)))
        }
        Err(why) => sheet.skip(kind, why),
    }
}
