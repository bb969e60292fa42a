//! Samples of the Connect page.

use super::view::{ClientChoice, ConnectPage, StepView, client_groups};
use crate::pages::frame::MenuEntry;
use crate::pages::samples::{cluster_row, operator_frame};
use crate::types::Secret;
use askama::Template;
use tidegate_connect::{Endpoint, RenderOptions, TlsMinimum};
use tidegate_model::{ClusterState, Trust};
use zeroize::Zeroizing;

pub fn samples() -> Vec<(&'static str, String)> {
    let local = Trust::Local("/var/lib/tidegate/ca.pem".into());
    vec![
        ("connect", connect("mysql", None, Trust::Public, false)),
        ("connect-new", connect("general", None, local.clone(), true)),
        (
            "connect-password",
            connect("pymysql", Some("Wm4qL9-xT2vKc7Rd"), local, false),
        ),
    ]
}

fn step(name: &str, ms: Option<u64>, detail: &str) -> StepView {
    StepView {
        name: name.to_owned(),
        ok: ms.is_some(),
        ms,
        detail: detail.to_owned(),
    }
}

fn connect(with: &str, password: Option<&str>, trust: Trust, fresh: bool) -> String {
    let local = matches!(trust, Trust::Local(_));
    let endpoint = Endpoint {
        host: "db.example.com".to_owned(),
        port: 4000,
        user: "k7m2q9x4w3tz.root".to_owned(),
        database: "test".to_owned(),
        trust,
    };
    let strings = tidegate_connect::render(
        with,
        &endpoint,
        RenderOptions {
            os: Some("debian"),
            tls: TlsMinimum::Tls12,
            password,
            ..RenderOptions::default()
        },
    );
    let strings = strings.map_err(|e| e.to_string());
    let page = ConnectPage {
        frame: operator_frame("Connect to shop", MenuEntry::Clusters),
        row: cluster_row("shop", ClusterState::Asleep, 0),
        wish: ClientChoice {
            with: with.to_owned(),
            os: "debian".to_owned(),
            tls: "1.2".to_owned(),
        },
        clients: client_groups(),
        platforms: tidegate_connect::platforms(),
        strings,
        password: password.map(|p| Secret::new(Zeroizing::new(p.to_owned()))),
        fresh,
        trust: if local { "local" } else { "public" },
        ca_offered: local,
        steps: match password {
            None => Vec::new(),
            Some(_) => vec![
                step("Connect", Some(1), "127.0.0.1:4000"),
                step(
                    "TLS handshake, verified",
                    Some(4),
                    "TLS 1.3, chain and name verified",
                ),
                step("Log in", Some(88), "the cluster was woken"),
                step(
                    "Read a row",
                    None,
                    "refused with 1040: The cluster is still waking up.",
                ),
            ],
        },
    };
    page.render().unwrap()
}

#[test]
fn a_list_of_values_asks_for_nothing() {
    let html = connect("general", None, Trust::Public, false);
    assert!(html.contains("without the password, which is entered separately"));
    assert!(!html.contains("asks for the password"));
    let html = connect("mysql", None, Trust::Public, false);
    assert!(html.contains("asks for the password"));
}
