//! Samples of the list of clusters.

use super::engine_form::EngineForms;
use super::view::{ClustersPage, PageLinks};
use crate::pages::cluster_row::ClusterRow;
use crate::pages::frame::{Frame, MenuEntry, Notice};
use crate::pages::samples::{cluster_row, operator_frame};
use askama::Template;
use tidegate_model::ClusterState;

pub fn samples() -> Vec<(&'static str, String)> {
    use ClusterState::{Asleep, Awake, Draining, Failed, Waking};
    let refused = Notice {
        text: "There is already a cluster \"shop\".".to_owned(),
        hint: "`tidegate cluster list` shows those that exist.".to_owned(),
    };
    let all = vec![
        cluster_row("shop", Awake, 2),
        cluster_row("blog-comments", Asleep, 0),
        cluster_row("ledger", Waking, 0),
        cluster_row("metrics", Draining, 0),
        cluster_row("old", Failed, 0),
    ];
    vec![
        ("empty", clusters(Vec::new(), None)),
        ("clusters", clusters(all, Some(refused))),
    ]
}

fn clusters(rows: Vec<ClusterRow>, notice: Option<Notice>) -> String {
    let page = ClustersPage {
        frame: Frame {
            notice,
            ..operator_frame("Clusters", MenuEntry::Clusters)
        },
        endpoint: "db.example.com:4000".to_owned(),
        trust: "public",
        ready: true,
        total: rows.len(),
        awake: rows
            .iter()
            .filter(|row| row.state == ClusterState::Awake)
            .count(),
        find: String::new(),
        pages: PageLinks {
            before: None,
            after: Some("find=&after=shop".to_owned()),
        },
        rows,
        wanted: String::new(),
        engine_forms: EngineForms::of("token", std::iter::empty()),
    };
    page.render().unwrap()
}

#[test]
fn names_are_escaped() {
    let odd = cluster_row("<b>x</b>", ClusterState::Awake, 0);
    let html = clusters(vec![odd], None);
    assert!(!html.contains("<b>x</b>"));
    assert!(
        html.contains("&#60;b&#62;x") || html.contains("&lt;b&gt;x"),
        "{html}"
    );
}
