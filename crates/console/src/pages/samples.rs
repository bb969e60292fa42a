//! Every page with invented values, full and empty. `TIDEGATE_PAGES=DIR cargo test -p
//! tidegate-console --lib samples` writes them as files, for a person to read.

use super::cluster_row::ClusterRow;
use super::frame::{Frame, MenuEntry};
use super::words::Moment;
use super::{certificate, cluster, clusters, connect, help, keys, problem, sign_in, users};
use tidegate_model::ClusterState;

pub fn operator_frame(title: &str, menu_entry: MenuEntry) -> Frame {
    Frame {
        operator: Some("admin".to_owned()),
        csrf: "c5f3".to_owned(),
        live: menu_entry == MenuEntry::Clusters,
        ..Frame::new(title, menu_entry)
    }
}

pub fn visitor_frame(title: &str) -> Frame {
    Frame::new(title, MenuEntry::Outside)
}

pub fn cluster_row(name: &str, state: ClusterState, sessions: u32) -> ClusterRow {
    ClusterRow {
        name: name.to_owned(),
        state,
        failure: (state == ClusterState::Failed).then(|| "no space left on device".to_owned()),
        login: "k7m2q9x4w3tz.root".to_owned(),
        sleeps: true,
        sessions,
        sessions_max: 200,
        created: Moment::from_unix(1_795_376_042),
        version: 7,
    }
}

/// The samples of all pages.
fn pages() -> Vec<(&'static str, String)> {
    [
        sign_in::sample::samples(),
        clusters::sample::samples(),
        cluster::sample::samples(),
        connect::sample::samples(),
        users::sample::samples(),
        certificate::sample::samples(),
        keys::sample::samples(),
        help::sample::samples(),
        problem::sample::samples(),
    ]
    .concat()
}

#[test]
fn every_page_is_complete_and_has_no_inline_script_or_style() {
    let folder = std::env::var_os("TIDEGATE_PAGES").map(std::path::PathBuf::from);
    for (name, html) in pages() {
        if let Some(folder) = &folder {
            std::fs::write(folder.join(format!("{name}.html")), &html).unwrap();
        }
        assert_eq!(html.matches("<h1").count(), 1, "{name}");
        assert!(
            html.contains("<html lang=\"en\">") && html.trim_end().ends_with("</html>"),
            "{name}"
        );
        assert!(
            !html.contains(" style=") && !html.contains("<style") && !html.contains(" onclick="),
            "{name}"
        );
        assert_eq!(
            html.matches("<script").count(),
            1,
            "{name}: the one with an address"
        );
        assert!(html.len() < 60_000, "{name}: {}", html.len());
    }
}

#[test]
fn every_form_that_changes_something_carries_its_csrf_field() {
    for (name, html) in pages() {
        // On the page of a sign-in link nobody is signed in yet; the link itself authorizes the
        // form.
        if name == "link" {
            continue;
        }
        for form in html.split("<form").skip(1) {
            let form = form.split("</form>").next().unwrap();
            assert_eq!(
                form.contains("method=\"post\""),
                form.contains("name=\"csrf\""),
                "{name}: {form}"
            );
        }
    }
}
