//! `tidegate cert status|renew|import|check`: asks the running server, which alone talks to the CA
//! and reads the certificate's files.

use crate::args::CertCommand;
use crate::context::{Context, ask};
use crate::failure::Failure;
use crate::{limits, screen};
use anyhow::Result;
use std::path::Path;
use tidegate_console::types::{
    Certificate, CertificateChange, CertificatePair, KeptCertificate, LeafCertificate, Secret,
};
use tidegate_console::{Client, ClientError};
use tidegate_model::printable;
use zeroize::Zeroizing;

pub fn run(context: &Context, command: &CertCommand) -> Result<()> {
    match command {
        CertCommand::Status => show(context, &ask(context.client().certificate())?),
        CertCommand::Renew(of) => renew(context, of.console),
        CertCommand::Import { chain, key, of } => import(context, chain, key, of.console),
        CertCommand::Check(of) => check(context, of.console),
    }
}

fn show(context: &Context, certificate: &Certificate) -> Result<()> {
    if context.global.json {
        return screen::print_json(certificate);
    }
    screen::print(&text(certificate))
}

fn text(certificate: &Certificate) -> String {
    let mut out = format!(
        "source   {}\ntrust    {}\n",
        printable(&certificate.source),
        printable(&certificate.trust)
    );
    out += &leaf("served", &certificate.served);
    if let Some(rsa) = &certificate.served_rsa {
        out += &leaf("and", rsa);
    }
    for kept in certificate.acme.iter().flat_map(|acme| &acme.certificates) {
        let when = kept
            .renew_at
            .as_deref()
            .map_or("as soon as possible".to_owned(), |at| format!("at {at}"));
        out += &format!(
            "renewal  {} {when}{}\n",
            kept.key,
            kept.issued_by
                .as_deref()
                .map_or(String::new(), |ca| format!(" ({})", printable(ca)))
        );
    }
    for alarm in &certificate.alarms {
        out += &format!("ALARM    {}\n", printable(alarm));
    }
    for change in certificate.history.iter().take(limits::HISTORY_SHOWN) {
        out += &format!("history  {} {}\n", change.at, happened(change));
    }
    if let Some(console) = &certificate.console {
        out += &format!("\nThe console's certificate:\n{}", text(console));
    }
    out
}

fn happened(change: &CertificateChange) -> String {
    match &change.reason {
        Some(reason) => format!("{}: {}", change.what, printable(reason)),
        None => format!(
            "{}: {}, serial {}",
            change.what,
            change.key.as_deref().unwrap_or_default(),
            change.serial.as_deref().unwrap_or_default()
        ),
    }
}

fn leaf(word: &str, leaf: &LeafCertificate) -> String {
    let LeafCertificate {
        key,
        names,
        serial,
        fingerprint,
        issuer,
        not_before,
        not_after,
    } = leaf;
    format!(
        "{word:<8} {}\n         {key}, serial {serial}\n         SHA-256 {fingerprint}\n         \
         issued by {issuer}\n         from {not_before} to {not_after}\n",
        printable(&names.join(", ")),
        issuer = printable(issuer),
    )
}

/// Returns the certificate that a command is about: the console's own, or the database's.
async fn certificate_of(client: &Client, console: bool) -> Result<Certificate, ClientError> {
    let mut certificate = client.certificate().await?;
    match certificate.console.take() {
        Some(own) if console => Ok(*own),
        own => {
            certificate.console = own;
            Ok(certificate)
        }
    }
}

/// Asks for an order, then polls until the first kind of key has a new certificate or a new error.
fn renew(context: &Context, console: bool) -> Result<()> {
    let client = context.client();
    let ended = ask(async {
        let before = certificate_of(&client, console).await?;
        client.renew_certificate(console).await?;
        let end = tokio::time::Instant::now() + limits::RENEWAL_MAX;
        let mut polls = 0;
        loop {
            tokio::time::sleep(limits::RENEWAL_POLL_PAUSE).await;
            let now = certificate_of(&client, console).await?;
            if tokio::time::Instant::now() >= end {
                return Ok(now);
            }
            if now.acme.as_ref().is_some_and(|acme| acme.under_way) {
                continue;
            }
            if first(&now).is_some_and(|kept| first(&before).is_none_or(|was| changed(was, kept))) {
                return Ok(now);
            }
            polls += 1;
            // Nothing was ordered, for example because the week's orders are used up or the disk is
            // full. The alarm about it may have been there before.
            if now.alarms != before.alarms
                || !now.alarms.is_empty() && polls >= limits::RENEWAL_POLLS
            {
                return Ok(now);
            }
        }
    })?;
    let failed = first(&ended).and_then(|kept| kept.last_error.as_ref());
    if let Some(error) = failed {
        let hint = "`tidegate cert check` checks what an order needs; the old certificate is still \
                    in use";
        return Err(Failure::new(
            format!(
                "no new certificate from {}: {}",
                error.directory, error.reason
            ),
            hint,
        )
        .into());
    }
    if let Some(alarm) = ended.alarms.first() {
        return Err(Failure::new(
            alarm.clone(),
            "`tidegate cert status` shows the certificate",
        )
        .into());
    }
    show(context, &ended)
}

fn first(certificate: &Certificate) -> Option<&KeptCertificate> {
    certificate.acme.as_ref()?.certificates.first()
}

fn serial(kept: &KeptCertificate) -> Option<&str> {
    Some(kept.certificate.as_ref()?.serial.as_str())
}

fn changed(was: &KeptCertificate, kept: &KeptCertificate) -> bool {
    serial(was) != serial(kept)
        || (was.failures < kept.failures && was.last_error != kept.last_error)
}

fn read_pem(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let text = std::fs::read_to_string(path).map(Zeroizing::new);
    text.map_err(|error| {
        Failure::usage(
            format!("{} can't be read", path.display()),
            "give the path of a PEM file",
        )
        .caused_by(error)
    })
}

fn import(context: &Context, chain: &Path, key: &Path, console: bool) -> Result<()> {
    let pair = CertificatePair {
        chain: read_pem(chain)?.to_string(),
        key: Secret::new(read_pem(key)?),
    };
    show(
        context,
        &ask(context.client().import_certificate(&pair, console))?,
    )
}

fn check(context: &Context, console: bool) -> Result<()> {
    let result = ask(context.client().check_certificate(console))?;
    if context.global.json {
        screen::print_json(&result)?;
    } else {
        let rows: Vec<_> = result
            .findings
            .iter()
            .map(|finding| {
                let verdict = if finding.good { "good" } else { "BAD" };
                vec![
                    verdict.to_owned(),
                    finding.what.clone(),
                    finding.detail.clone(),
                ]
            })
            .collect();
        screen::print(&screen::table(&["", "WHAT", "FOUND"], &rows))?;
    }
    let bad: Vec<&str> = result
        .findings
        .iter()
        .filter(|f| !f.good)
        .map(|f| f.what.as_str())
        .collect();
    if bad.is_empty() {
        return Ok(());
    }
    Err(Failure::new(
        format!("an order would fail: {}", bad.join(", ")),
        "docs/certificates.md says what each of these needs",
    )
    .into())
}
