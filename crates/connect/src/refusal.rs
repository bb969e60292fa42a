//! Help pages of refusals in Markdown, made from the row in `model`, its cause, and the table of
//! clients. The caller compares or saves them.

use crate::endpoint::{Endpoint, RenderOptions};
use crate::render::{Form, Rendered, render};
use crate::table::{Client, causes, clients};
use std::fmt::Write;
use std::path::PathBuf;
use tidegate_model::refusal::RefusalEntry;
use tidegate_model::{RefusalKind, Trust};

const MADE: &str = "<!-- Made from the table of refusals; change it there. -->\n";

/// Section about the logs, on every page.
const LOG: &str = "\n## Log\n\nOn the server, `tidegate logs` shows the server's log and `tidegate \
                   logs NAME` the log of\na cluster's engine; `-f` follows them.\n";

/// Returns the page of one refusal.
pub fn refusal_page(entry: &RefusalEntry) -> String {
    let RefusalEntry {
        code,
        sqlstate,
        text,
        hint,
        ..
    } = entry;
    let whose = entry.blame.words();
    let again = entry.retry.words();
    let help = refusal_help(entry);
    let mut page = format!(
        "{MADE}\n# {text}\n\n```text\nERROR {code} ({sqlstate}): {text} {hint}.\n```\n\n\
         | | |\n| --- | --- |\n| Code | {code} |\n| SQLSTATE | {sqlstate} |\n\
         | Caused by | {whose} |\n| Retrying | {again} |\n"
    );
    if !help.cause.is_empty() {
        let _ = write!(page, "\n## Cause\n\n{}\n", help.cause.join("\n\n"));
    }
    let _ = write!(page, "\n## Fix\n\n{hint}.\n");
    if !help.fix.is_empty() {
        let _ = write!(page, "\n{}\n", help.fix.join("\n\n"));
    }
    if !help.lines.is_empty() {
        page.push_str(&lines(help.lines));
    }
    page.push_str(LOG);
    page.push_str("\n[All refusals](README.md)\n");
    page
}

/// Parts of the page, for output in other forms than Markdown.
#[derive(Debug, Clone)]
pub struct RefusalHelp {
    /// Paragraphs of the cause, with code between backticks.
    pub cause: Vec<&'static str>,
    /// Paragraphs about the fix, which follow the hint of the error.
    pub fix: Vec<&'static str>,
    /// The string of each client, if a client's setting fixes the refusal. None contains a
    /// password.
    pub lines: Vec<ClientLine>,
}

/// A client's first string, with placeholders for the endpoint.
#[derive(Debug, Clone)]
pub struct ClientLine {
    pub name: &'static str,
    pub minimum_version: &'static str,
    pub form: Form,
}

/// Returns cause and client strings of a refusal.
pub fn refusal_help(entry: &RefusalEntry) -> RefusalHelp {
    let cause = causes().get(entry.slug);
    RefusalHelp {
        cause: cause
            .map(|cause| paragraphs(&cause.cause))
            .unwrap_or_default(),
        fix: cause
            .map(|cause| paragraphs(&cause.fix))
            .unwrap_or_default(),
        lines: if cause.is_some_and(|cause| cause.lines) {
            client_lines()
        } else {
            Vec::new()
        },
    }
}

fn paragraphs(text: &str) -> Vec<&str> {
    let all = text.trim().split("\n\n");
    all.filter(|paragraph| !paragraph.is_empty()).collect()
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
        // The client is in the table, so rendering never fails.
        let Rendered {
            name,
            minimum_version,
            forms,
            ..
        } = render(&client.id, &example, RenderOptions::default()).ok()?;
        Some(ClientLine {
            name,
            minimum_version,
            form: forms.into_iter().next()?,
        })
    };
    clients().iter().filter_map(line).collect()
}

/// Returns the strings of all clients in Markdown.
fn lines(lines: Vec<ClientLine>) -> String {
    let mut out = String::from(
        "\n## By client\n\nThese strings use TLS and verify the server's chain and name. `tidegate \
         connect NAME --with CLIENT` prints them filled in; `ca.pem` is in the server's data \
         folder.\n",
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
            "\n### {name}\n\nMinimum version: {minimum_version}.\n\n```{fence}\n{}\n```\n",
            form.text
        );
    }
    out
}

/// Returns the index of all pages.
pub fn refusal_index() -> String {
    let mut page = format!(
        "{MADE}\n# Refusals\n\n\
         This page is for users and operators who get an error from the gateway. Each error has a \
         page with its\ncause and its fix. All other errors come from the cluster's engine.\n\n\
         | Code | SQLSTATE | Text | Caused by |\n| --- | --- | --- | --- |\n"
    );
    for kind in RefusalKind::ALL {
        let RefusalEntry {
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
