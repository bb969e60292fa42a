//! Samples of the page of a cluster.

use super::limits_form::{LengthField, LimitsForm};
use super::settings_form::SettingsForm;
use super::view::{ClusterPage, RefusalRow, SessionPages, SessionRow, WakeRow};
use crate::pages::frame::{MenuEntry, WarningView};
use crate::pages::samples::{cluster_row, operator_frame};
use crate::pages::words::Moment;
use crate::types::Warning;
use askama::Template;
use tidegate_model::{ClusterState, RefusalKind};

pub fn samples() -> Vec<(&'static str, String)> {
    use ClusterState::{Asleep, Awake, Failed};
    vec![
        ("cluster", cluster_sample(Awake, true)),
        ("cluster-asleep", cluster_sample(Asleep, false)),
        ("cluster-failed", cluster_sample(Failed, false)),
    ]
}

fn time_after(seconds: i64) -> Moment {
    Moment::from_unix(1_795_376_042 + seconds)
}

fn session_row(id: u32, client: &str, age: &str) -> SessionRow {
    SessionRow {
        id,
        user: "root".to_owned(),
        client: client.to_owned(),
        tls: "TLS 1.3".to_owned(),
        age: age.to_owned(),
    }
}

fn wake_row(seconds: i64, ms: u64, recovery: bool) -> WakeRow {
    WakeRow {
        at: time_after(seconds),
        ms,
        part: ms * 100 / 640,
        recovery,
    }
}

fn refusal_row(seconds: i64, kind: RefusalKind) -> RefusalRow {
    let entry = kind.entry();
    RefusalRow {
        at: time_after(seconds),
        client: "203.0.113.9".to_owned(),
        slug: Some(entry.slug),
        text: entry.text.to_owned(),
        code: entry.code,
    }
}

fn cluster_sample(state: ClusterState, full: bool) -> String {
    let page = ClusterPage {
        frame: operator_frame("shop", MenuEntry::Clusters),
        row: cluster_row("shop", state, 2),
        endpoint: "db.example.com:4000".to_owned(),
        database: "test",
        engine: "mariadb".to_owned(),
        accounts: full.then(|| WarningView::from(&Warning::incomplete_accounts("shop"))),
        sessions_open: if full { 40 } else { 0 },
        session_pages: SessionPages {
            next: full.then(|| "sessions=all&user=".to_owned()),
            ..SessionPages::default()
        },
        sessions: if full {
            vec![
                session_row(2_147_483_655, "203.0.113.9:51234", "4 min 10 s"),
                session_row(2_147_483_661, "[2001:db8::17]:40022", "12 s"),
            ]
        } else {
            Vec::new()
        },
        wakes: if full {
            vec![
                wake_row(90, 84, false),
                wake_row(40, 101, false),
                wake_row(3, 640, true),
            ]
        } else {
            Vec::new()
        },
        refusals: if full {
            vec![
                refusal_row(80, RefusalKind::AccessDenied),
                refusal_row(20, RefusalKind::TooManyConnections),
            ]
        } else {
            Vec::new()
        },
        sleep_after: (state != ClusterState::Failed).then(|| "5 min".to_owned()),
        transaction_idle_max: "1 h".to_owned(),
        since: time_after(-86_400),
        machine: vec![
            ("Memory", "812 MB of 1 GB".to_owned()),
            ("Disk", "3.9 GB of 4 GB".to_owned()),
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
        settings: SettingsForm {
            deletion_protection: !full,
            ping_holds: full,
            events: full,
            ip_allow: "203.0.113.0/24\n".to_owned(),
            variables: "time_zone=Europe/Paris\n".to_owned(),
            open: full,
        },
        protected: !full,
        variables: vec!["time_zone=Europe/Paris".to_owned()],
        variables_wait: full,
        events: "3 defined, not running".to_owned(),
        deleting: full,
    };
    page.render().unwrap()
}

#[test]
fn an_incomplete_account_book_is_shown_with_a_hint_and_a_complete_one_is_not() {
    let page = cluster_sample(ClusterState::Awake, true);
    assert!(
        page.contains("The account book lacks some of the cluster&#39;s accounts"),
        "{page}"
    );
    assert!(
        page.contains("<code>tidegate cluster sleep shop</code>"),
        "{page}"
    );
    assert!(!cluster_sample(ClusterState::Awake, false).contains("account book"));
}

#[test]
fn a_protected_cluster_cannot_be_deleted_and_the_page_says_why() {
    let page = cluster_sample(ClusterState::Asleep, false);
    assert!(page.contains("protected against deletion"), "{page}");
    assert!(!page.contains("/clusters/shop/delete"), "{page}");
    let page = cluster_sample(ClusterState::Awake, true);
    assert!(page.contains("/clusters/shop/delete"), "{page}");
}
