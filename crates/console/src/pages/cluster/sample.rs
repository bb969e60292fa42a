//! Samples of this page, full and empty.

use super::limits_form::{LengthField, LimitsForm};
use super::view::{ClusterPage, RefusalRow, SessionRow, WakeRow};
use crate::pages::frame::{MenuEntry, WarningView};
use crate::pages::samples::{cluster_row, operator_frame};
use crate::pages::words::Moment;
use crate::types::Warning;
use askama::Template;
use tidegate_model::ClusterState;

pub fn samples() -> Vec<(&'static str, String)> {
    use ClusterState::{Asleep, Awake, Failed};
    vec![
        ("cluster", cluster_sample(Awake, true)),
        ("cluster-asleep", cluster_sample(Asleep, false)),
        ("cluster-failed", cluster_sample(Failed, false)),
    ]
}

fn cluster_sample(state: ClusterState, full: bool) -> String {
    let at = |s: i64| Moment::from_unix(1_795_376_042 + s);
    let session = |id, client: &str, age: &str| SessionRow {
        id,
        user: "root".to_owned(),
        client: client.to_owned(),
        tls: "TLS 1.3".to_owned(),
        age: age.to_owned(),
    };
    let wake = |s: i64, ms, recovery| WakeRow {
        at: at(s),
        ms,
        part: ms * 100 / 640,
        recovery,
    };
    let refusal = |s: i64, kind: tidegate_model::RefusalKind| {
        let entry = kind.entry();
        RefusalRow {
            at: at(s),
            client: "203.0.113.9".to_owned(),
            slug: Some(entry.slug),
            text: entry.text.to_owned(),
            code: entry.code,
        }
    };
    let page = ClusterPage {
        frame: operator_frame("shop", MenuEntry::Clusters),
        row: cluster_row("shop", state, 2),
        endpoint: "db.example.com:4000".to_owned(),
        database: "test",
        engine: "mariadb".to_owned(),
        accounts: full.then(|| WarningView::from(&Warning::incomplete_accounts("shop"))),
        sessions_open: if full { 2 } else { 0 },
        sessions: if full {
            vec![
                session(2_147_483_655, "203.0.113.9:51234", "4 min 10 s"),
                session(2_147_483_661, "[2001:db8::17]:40022", "12 s"),
            ]
        } else {
            Vec::new()
        },
        wakes: if full {
            vec![
                wake(90, 84, false),
                wake(40, 101, false),
                wake(3, 640, true),
            ]
        } else {
            Vec::new()
        },
        refusals: if full {
            vec![
                refusal(80, tidegate_model::RefusalKind::AccessDenied),
                refusal(20, tidegate_model::RefusalKind::TooManyConnections),
            ]
        } else {
            Vec::new()
        },
        sleep_after: "5 min".to_owned(),
        transaction_idle_max: "1 h".to_owned(),
        since: at(-86_400),
        machine: vec![
            ("Memory", "812 MB of 1G".to_owned()),
            ("Disk", "3.9 GB of 4G".to_owned()),
            ("CPU", "weight 100, 12345.6 s used".to_owned()),
            ("Tasks", "38 of 512".to_owned()),
        ],
        limits: LimitsForm {
            connections_max: "200".to_owned(),
            sleep_after: LengthField {
                number: "5".to_owned(),
                unit: "m",
            },
            transaction_idle_max: LengthField {
                number: "1".to_owned(),
                unit: "h",
            },
            memory_max: "1G".to_owned(),
            disk_max: "4G".to_owned(),
            cpu_weight: "100".to_owned(),
            tasks_max: "512".to_owned(),
            open: full,
        },
        deleting: full,
    };
    page.render().unwrap()
}

#[test]
fn a_book_that_lacks_accounts_is_told_with_a_hint_and_no_other() {
    let told = cluster_sample(ClusterState::Awake, true);
    assert!(
        told.contains("The account book lacks some of the cluster&#39;s accounts"),
        "{told}"
    );
    assert!(
        told.contains("<code>tidegate cluster sleep shop</code>"),
        "{told}"
    );
    assert!(!cluster_sample(ClusterState::Awake, false).contains("account book"));
}
