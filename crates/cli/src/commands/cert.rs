//! `tidegate cert status|renew|import|check`: asks the running server about its certificate. It
//! never talks to a CA and never reads what the server keeps.

use crate::args::CertCommand;
use crate::context::{Context, ask, refused};
use crate::failure::Failure;
use crate::{limits, screen};
use anyhow::{Context as _, Result};
use std::path::Path;
use tidegate_console::types::{
    Certificate, CertificateChange, CertificatePair, KeptCertificate, LeafCertificate, Secret,
};
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
            .map_or("as soon as may be".to_owned(), |at| format!("at {at}"));
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
        out += &format!("\nThe console's own:\n{}", text(console));
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
        issuer,
        not_before,
        not_after,
    } = leaf;
    format!(
        "{word:<8} {}\n         {key}, serial {serial}\n         issued by {issuer}\n         from \
         {not_before} to {not_after}\n",
        printable(&names.join(", ")),
        issuer = printable(issuer),
    )
}

/// Asks, then looks until the first kind of key has a new certificate or a new error.
fn renew(context: &Context, console: bool) -> Result<()> {
    let client = context.client();
    let own = |whole: Certificate| match whole.console {
        Some(console_s) if console => *console_s,
        _ => whole,
    };
    let ended = ask(async {
        let before = own(client.certificate().await?);
        client.renew_certificate(console).await?;
        let end = tokio::time::Instant::now() + limits::RENEWAL_MAX;
        let mut looks = 0;
        loop {
            tokio::time::sleep(limits::RENEWAL_POLL_PAUSE).await;
            let now = own(client.certificate().await?);
            if tokio::time::Instant::now() >= end {
                return Ok(now);
            }
            if now.acme.as_ref().is_some_and(|acme| acme.under_way) {
                continue;
            }
            if first(&now).is_some_and(|kept| first(&before).is_none_or(|was| changed(was, kept))) {
                return Ok(now);
            }
            looks += 1;
            // Nothing was ordered: the week's orders are spent, say, or the disk is full, which may
            // be told already.
            if now.alarms != before.alarms
                || !now.alarms.is_empty() && looks >= limits::RENEWAL_POLLS
            {
                return Ok(now);
            }
        }
    })?;
    let failed = first(&ended).and_then(|kept| kept.last_error.as_ref());
    if let Some(error) = failed {
        let hint = format!(
            "`{}` tells what an order needs; the old certificate is still served",
            context.next("cert check")
        );
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
            format!("`{}` tells how it stands", context.next("cert status")),
        )
        .into());
    }
    show(context, &ended)
}

fn first(certificate: &Certificate) -> Option<&KeptCertificate> {
    certificate.acme.as_ref()?.certificates.first()
}

fn changed(was: &KeptCertificate, kept: &KeptCertificate) -> bool {
    let serial = |kept: &KeptCertificate| kept.certificate.as_ref().map(|leaf| leaf.serial.clone());
    serial(was) != serial(kept)
        || (was.failures < kept.failures && was.last_error != kept.last_error)
}

fn import(context: &Context, chain: &Path, key: &Path, console: bool) -> Result<()> {
    let read = |path: &Path| -> Result<Zeroizing<String>> {
        let text = std::fs::read_to_string(path).map(Zeroizing::new);
        Ok(text.map_err(|error| {
            Failure::usage(
                format!("{}: {error}", path.display()),
                "give the path of a PEM file",
            )
        })?)
    };
    let pair = CertificatePair {
        chain: read(chain)?.to_string(),
        key: Secret::new(read(key)?),
    };
    show(
        context,
        &ask(context.client().import_certificate(&pair, console))?,
    )
}

fn check(context: &Context, console: bool) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the runtime")?;
    let result = runtime
        .block_on(context.client().check_certificate(console))
        .map_err(refused)?;
    if context.global.json {
        screen::print_json(&result)?;
    } else {
        let row = |f: &tidegate_console::types::CheckFinding| {
            vec![
                if f.good { "good" } else { "BAD" }.to_owned(),
                f.what.clone(),
                f.detail.clone(),
            ]
        };
        let rows: Vec<_> = result.findings.iter().map(row).collect();
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
        "docs/certificates.md tells what each needs",
    )
    .into())
}
