//! Help pages of refusals. They are public, for people who could not log in, and generated from the
//! same tables as `docs/refusals`.

mod view;

#[cfg(test)]
pub mod sample;

use super::frame::{Frame, MenuEntry, Visitor};
use super::problem::not_found;
use super::respond::html_page;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use tidegate_connect::refusal_help;
use tidegate_model::RefusalKind;
use tidegate_model::refusal::RefusalEntry;
use view::{HelpPage, HelpRow, LineView, RefusalPage};

pub async fn list_refusals(visitor: Visitor) -> Response {
    html_page(
        StatusCode::OK,
        &help_page(Frame::for_visitor(&visitor, "Help", MenuEntry::Help)),
    )
}

pub async fn show_refusal(visitor: Visitor, Path(slug): Path<String>) -> Response {
    // Links from error packets to the pages in the repository end in `.md`.
    let slug = slug.trim_end_matches(".md");
    match refusal_page(Frame::for_visitor(&visitor, "Help", MenuEntry::Help), slug) {
        Some(shown) => html_page(StatusCode::OK, &shown),
        None => not_found(&visitor),
    }
}

/// Builds the list of all refusals.
pub fn help_page(frame: Frame) -> HelpPage {
    HelpPage {
        frame,
        rows: RefusalKind::ALL
            .iter()
            .map(|kind| help_row(&kind.entry()))
            .collect(),
    }
}

/// Builds the page of a refusal; `None` if none has this slug.
pub fn refusal_page(frame: Frame, slug: &str) -> Option<RefusalPage> {
    let entry = RefusalKind::ALL
        .iter()
        .map(|kind| kind.entry())
        .find(|entry| entry.slug == slug)?;
    let help = refusal_help(&entry);
    let lines = help
        .lines
        .into_iter()
        .enumerate()
        .map(|(i, line)| LineView {
            dom_id: format!("line-{}", i + 1),
            name: line.name,
            minimum_version: line.minimum_version,
            form: line.form,
        });
    let frame = Frame {
        title: entry.text.trim_end_matches('.').to_owned(),
        ..frame
    };
    Some(RefusalPage {
        frame,
        row: help_row(&entry),
        cause: help.cause,
        fix: help.fix,
        lines: lines.collect(),
    })
}

fn help_row(entry: &RefusalEntry) -> HelpRow {
    HelpRow {
        slug: entry.slug,
        code: entry.code,
        sqlstate: entry.sqlstate,
        text: entry.text,
        hint: entry.hint,
        whose: entry.blame.words(),
        again: entry.retry.words(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use askama::Template;

    #[test]
    fn every_refusal_has_a_page() {
        for kind in RefusalKind::ALL {
            let entry = kind.entry();
            let page = refusal_page(Frame::new("", MenuEntry::Help), entry.slug)
                .unwrap()
                .render()
                .unwrap();
            assert!(
                page.contains(&format!("ERROR {} ({})", entry.code, entry.sqlstate)),
                "{}",
                entry.slug
            );
        }
        assert!(refusal_page(Frame::new("", MenuEntry::Help), "../nothing").is_none());
    }
}
