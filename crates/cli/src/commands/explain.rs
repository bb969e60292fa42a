//! `tidegate connect --explain`: says what a connection string verifies, and prints one that
//! verifies everything. A running server is asked for its CA only; the string is not sent to it.
//! The string itself is never printed: the room `connect` decides which parts of it may be.

use super::endpoint::endpoint_of;
use super::forms::forms_text;
use crate::args::ConnectArgs;
use crate::context::{Context, block_on};
use crate::failure::Failure;
use crate::failure_code::USAGE;
use crate::screen::{self, Paint};
use crate::terminal;
use anyhow::Result;
use std::fmt::Write;
use std::io::{IsTerminal, Read};
use std::net::IpAddr;
use std::path::PathBuf;
use tidegate_connect::{
    CheckAnswer, EXPLAIN_MAX, ExplainError, ExplainOptions, Explanation, RenderOptions, explain,
};
use tidegate_console::ClusterFilter;
use tidegate_model::{Trust, printable};
use zeroize::Zeroizing;

pub fn run(
    context: &Context,
    args: &ConnectArgs,
    text: &str,
    wish: RenderOptions<'_>,
) -> Result<()> {
    let text = if text == "-" {
        pasted()?
    } else {
        Zeroizing::new(text.to_owned())
    };
    let trust = args.ca.as_deref().map(|ca| match ca {
        "system" => Trust::Public,
        file => Trust::Private(Some(PathBuf::from(file))),
    });
    let mut ask = ExplainOptions {
        client: args.client.as_deref(),
        wish,
        trust: trust.as_ref(),
        server_trust: None,
    };
    let mut explained = explain(&text, &ask).map_err(unreadable)?;
    let server_trust = server_trust(context, &explained);
    if let Some(server_trust) = &server_trust {
        ask.server_trust = Some(server_trust);
        explained = explain(&text, &ask).map_err(unreadable)?;
    }
    if context.global.json || args.format == "json" {
        screen::print_json(&explained)?;
    } else {
        screen::print(&page(&explained, Paint::stdout()))?;
    }
    if explained.verifies {
        return Ok(());
    }
    Err(not_verifying(&explained).into())
}

/// Returns the failure for a string that does not verify the server.
fn not_verifying(told: &Explanation) -> Failure {
    let checks = told.checks;
    let answers = [checks.tls, checks.chain, checks.dns_name];
    let cause = if answers.contains(&CheckAnswer::No) {
        "this string does not make its client verify the server"
    } else if answers.contains(&CheckAnswer::Unreadable) {
        "can't read from this string what its client verifies"
    } else if answers.contains(&CheckAnswer::Depends) {
        "this string does not tell everything that its client verifies"
    } else {
        "this string's client does not check the IP address that it connects to"
    };
    let hint = match told.candidates.first() {
        Some(client) => format!("name the client, such as --with {client}"),
        None => "use the one that is shown above".to_owned(),
    };
    Failure::new(cause, hint)
}

/// Returns the trust of the running server, if the string is for it: the host is its name or this
/// machine, or the user's prefix is that of one of its clusters.
fn server_trust(context: &Context, told: &Explanation) -> Option<Trust> {
    let client = context.client();
    let prefix = told.user.as_deref().and_then(|user| user.split('.').next());
    block_on(async {
        let server = client.server().await.ok()?;
        let owner = match prefix {
            Some(prefix) => {
                let wanted = ClusterFilter {
                    prefix: Some(prefix.to_owned()),
                    ..ClusterFilter::default()
                };
                client.first_cluster(&wanted).await.ok()?
            }
            None => None,
        };
        let host = told.host.as_deref().unwrap_or_default();
        let is_here = host == "localhost"
            || host
                .parse::<IpAddr>()
                .is_ok_and(|address| address.is_loopback());
        let is_named = server.host == host || server.names.iter().any(|name| name == host);
        let cluster = match owner {
            Some(cluster) => cluster,
            None if is_here || is_named => {
                let any = ClusterFilter::default();
                client.first_cluster(&any).await.ok()??
            }
            None => return None,
        };
        let trust = endpoint_of(&cluster, &server).trust;
        // The CA file that a remote server names is on that machine, not on this one.
        match (&context.remote, trust) {
            (Some(_), Trust::Public) => Some(Trust::Public),
            (Some(remote), _) => Some(Trust::Private(remote.ca.clone())),
            (None, trust) => Some(trust),
        }
    })
    .ok()?
}

/// Reads the string from standard input, so that its password does not get into the shell's
/// history.
fn pasted() -> Result<Zeroizing<String>> {
    if std::io::stdin().is_terminal() {
        return Ok(terminal::password(
            "Connection string (not shown; several lines: --explain - <FILE): ",
        )?);
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(EXPLAIN_MAX + 1));
    // One byte more than the maximum, so that a string that is too long is noticed.
    std::io::stdin()
        .take(EXPLAIN_MAX as u64 + 1)
        .read_to_end(&mut bytes)?;
    let text = str::from_utf8(&bytes).map_err(|error| {
        Failure::usage("standard input is not UTF-8 text", "write it as UTF-8").caused_by(error)
    })?;
    Ok(Zeroizing::new(text.to_owned()))
}

fn unreadable(error: ExplainError) -> anyhow::Error {
    let hint = match error {
        ExplainError::Connect(error) => return super::connect::wrong(error),
        ExplainError::OtherDatabase(_) => {
            "`tidegate connect NAME --with CLIENT` prints a string for this endpoint"
        }
        ExplainError::Encoded => "decode them with `base64 -d` and paste the result",
        _ => {
            "use a URL, a DSN, a JDBC URL, a list of keys and values, an options file, or the \
             command line of mysql, mariadb or mycli"
        }
    };
    Failure::of(error, hint).with_code(USAGE).into()
}

/// Returns the explanation as text for people.
fn page(told: &Explanation, paint: Paint) -> String {
    let mut out = format!("{} for {}\n", paint.bold(told.form), told.client);
    let port = told.port.map(|port| port.to_string());
    let parts = [
        ("host", told.host.as_deref()),
        ("port", port.as_deref()),
        ("user", told.user.as_deref()),
        (
            "password",
            told.holds_password.then_some("(set; it is not shown)"),
        ),
        ("database", told.database.as_deref()),
    ];
    for (name, value) in parts {
        let withheld = told
            .withheld
            .contains(&name)
            .then_some("(not shown: the string is ambiguous)");
        if let Some(value) = value.or(withheld) {
            let _ = writeln!(
                out,
                "{} {}",
                paint.dim(&format!("{name:10}")),
                printable(value)
            );
        }
    }
    let checks = told.checks;
    out.push('\n');
    for (what, answer) in [
        ("uses TLS", checks.tls),
        ("verifies the chain", checks.chain),
        ("verifies the host name", checks.dns_name),
        ("verifies an IP address", checks.address),
    ] {
        let answer_text = match answer {
            CheckAnswer::Yes => paint.green("yes"),
            other => paint.bold(&other.to_string()),
        };
        let _ = writeln!(out, "{what:24} {answer_text}");
    }
    paragraphs(
        &mut out,
        told.why
            .iter()
            .map(String::as_str)
            .chain(told.notes.iter().copied()),
    );
    if !told.candidates.is_empty() {
        let _ = write!(
            out,
            "\nThis string fits several clients; name yours: --with {}\n",
            told.candidates.join(", --with ")
        );
    }
    let _ = write!(
        out,
        "\n{}\n",
        paint.bold(&format!("With {}, this string verifies:", told.hint.name))
    );
    out.push_str(&forms_text(&told.hint.forms, paint));
    out
}

fn paragraphs<'a>(out: &mut String, lines: impl Iterator<Item = &'a str>) {
    for (i, line) in lines.enumerate() {
        let _ = writeln!(
            out,
            "{}- {}",
            if i == 0 { "\n" } else { "" },
            printable(line)
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_says_what_is_missing_and_has_a_string_without_the_password() {
        let told = explain(
            "abc.root:qZx@tcp(db.example.com:4000)/shop?tls=skip-verify",
            &ExplainOptions::default(),
        )
        .unwrap();
        let page = page(&told, Paint::none());
        assert!(page.starts_with("a Go DSN for Go-MySQL-Driver\n"), "{page}");
        assert!(page.contains("verifies the chain       no\n"), "{page}");
        assert!(
            page.contains("this string verifies:") && page.contains("db.example.com"),
            "{page}"
        );
        assert!(
            page.contains("skip-verify") && page.contains("it is not shown"),
            "{page}"
        );
        assert!(!page.contains("qZx"), "{page}");
    }
}
