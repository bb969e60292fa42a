//! The help page of each refusal, in Markdown, from the row in `model`, what is known of its cause,
//! and the table of clients. Never written here: the caller compares or saves it.

use crate::endpoint::{Endpoint, Wish};
use crate::render::{Form, Rendered, render};
use crate::table::{Client, causes, clients};
use std::fmt::Write;
use std::path::PathBuf;
use tidegate_model::refusal::Entry;
use tidegate_model::{RefusalKind, Trust};

const MADE: &str = "<!-- Made from the table of refusals; change it there. -->\n";

/// The page of one refusal.
pub fn refusal_page(entry: &Entry) -> String {
    let Entry {
        code,
        sqlstate,
        text,
        hint,
        ..
    } = entry;
    let (whose, again) = (entry.blame.words(), entry.retry.words());
    let help = refusal_help(entry);
    let mut page = format!(
        "{MADE}\n# {text}\n\n```text\nERROR {code} ({sqlstate}): {text} {hint}.\n```\n\n\
         | | |\n| --- | --- |\n| Code | {code} |\n| SQLSTATE | {sqlstate} |\n| Lies with | {whose} |\n| Trying again | {again} |\n"
    );
    if !help.cause.is_empty() {
        let _ = write!(page, "\n## Cause\n\n{}\n", help.cause.join("\n\n"));
    }
    let _ = write!(page, "\n## Mend\n\n{hint}.\n");
    if !help.lines.is_empty() {
        page.push_str(&lines(help.lines));
    }
    page.push_str("\n[All refusals](README.md)\n");
    page
}

/// The parts of that page, for whoever sets it in another form than Markdown.
#[derive(Debug, Clone)]
pub struct RefusalHelp {
    /// Paragraphs, with code between backticks; empty if nothing is known beyond the row.
    pub cause: Vec<&'static str>,
    /// The right string of each client, where a client's setting is the mend; none holds a
    /// password.
    pub lines: Vec<ClientLine>,
}

/// A client's first string, for an endpoint that is not yet known.
#[derive(Debug, Clone)]
pub struct ClientLine {
    pub name: &'static str,
    pub minimum_version: &'static str,
    pub form: Form,
}

/// What is known of a refusal beyond its row.
pub fn refusal_help(entry: &Entry) -> RefusalHelp {
    let cause = causes().get(entry.slug);
    RefusalHelp {
        cause: cause
            .map(|cause| cause.cause.trim().split("\n\n").collect())
            .unwrap_or_default(),
        lines: if cause.is_some_and(|cause| cause.lines) {
            client_lines()
        } else {
            Vec::new()
        },
    }
}

fn client_lines() -> Vec<ClientLine> {
    let example = Endpoint {
        host: "HOST".to_owned(),
        port: 4000,
        user: "PREFIX.USER".to_owned(),
        database: "test".to_owned(),
        trust: Trust::Local(PathBuf::from("ca.pem")),
    };
    let line = |client: &'static Client| {
        // Only a client of the table is asked for, so there is always a string.
        let Rendered {
            name,
            minimum_version,
            forms,
            ..
        } = render(&client.id, &example, Wish::default()).ok()?;
        Some(ClientLine {
            name,
            minimum_version,
            form: forms.into_iter().next()?,
        })
    };
    clients().iter().filter_map(line).collect()
}

/// The right string of each client, in Markdown.
fn lines(lines: Vec<ClientLine>) -> String {
    let mut out = String::from(
        "\n## By client\n\nThese strings use TLS and verify the server, its chain and its name. `tidegate connect NAME --with CLIENT` prints \
         them filled in; `ca.pem` lies in the server's data folder.\n",
    );
    for ClientLine {
        name,
        minimum_version,
        form,
    } in lines
    {
        let fence = form.syntax.fence();
        let _ = write!(
            out,
            "\n### {name}\n\nFrom {minimum_version} on:\n\n```{fence}\n{}\n```\n",
            form.text
        );
    }
    out
}

/// The list of all pages.
pub fn refusal_index() -> String {
    let mut page = format!(
        "{MADE}\n# Refusals\n\nEvery error that the gateway itself sends. All others come from the engine.\n\n\
         | Code | SQLSTATE | Text | Lies with |\n| --- | --- | --- | --- |\n"
    );
    for kind in RefusalKind::ALL {
        let Entry {
            slug,
            code,
            sqlstate,
            text,
            blame,
            ..
        } = kind.entry();
        let whose = format!("{blame:?}").to_lowercase();
        let _ = writeln!(
            page,
            "| {code} | {sqlstate} | [{text}]({slug}.md) | {whose} |"
        );
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_refusal_has_a_cause_and_no_cause_is_left_over() {
        let rows: BTreeSet<_> = RefusalKind::ALL
            .iter()
            .map(|kind| kind.entry().slug)
            .collect();
        let known: BTreeSet<_> = causes().keys().map(String::as_str).collect();
        assert_eq!(rows, known);
    }

    #[test]
    fn the_page_of_3159_shows_the_line_of_every_client() {
        let page = refusal_page(&RefusalKind::InsecureTransport.entry());
        for client in clients() {
            assert!(page.contains(&client.name), "{}", client.name);
        }
        assert!(
            page.contains(
                "ERROR 3159 (HY000): Connections using insecure transport are prohibited"
            )
        );
    }
}
