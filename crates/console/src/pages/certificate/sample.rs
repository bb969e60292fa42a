//! Samples of this page, full and empty.

use super::view::{CertificatePage, ChainLink, HistoryRow, LeafView};
use crate::pages::frame::MenuEntry;
use crate::pages::samples::operator_frame;
use crate::pages::words::Moment;
use askama::Template;

pub fn samples() -> Vec<(&'static str, String)> {
    vec![
        ("certificate", certificate(true)),
        ("certificate-fresh", certificate(false)),
    ]
}

fn certificate(full: bool) -> String {
    let leaf = LeafView {
        heading: "Served now",
        key: "ecdsa".to_owned(),
        names: vec![
            "db.example.com".to_owned(),
            "console.example.com".to_owned(),
        ],
        issuer: "C=US, O=Let's Encrypt, CN=E7".to_owned(),
        serial: "04:9c:71:2f:6a:8b:cc:10:5e:97:3d:2b:a4:f0:1c:88:de:5a".to_owned(),
        not_before: Moment::from_unix(1_792_000_000),
        not_after: Moment::from_unix(1_799_776_000),
        spent: 43,
        left: "51 days left".to_owned(),
        renewal: "about 13 Dec 2026, by ACME".to_owned(),
    };
    let link = |role, subject: &str, ends: &str| ChainLink {
        role,
        subject: subject.to_owned(),
        ends: ends.to_owned(),
    };
    let page = CertificatePage {
        frame: operator_frame("Certificate", MenuEntry::Certificate),
        trust_line: "Publicly trusted: clients need no file of yours.",
        ca_offered: !full,
        alarms: if full {
            vec!["The last two orders failed: connection refused on port 80.".to_owned()]
        } else {
            Vec::new()
        },
        leaves: vec![leaf],
        chain: if full {
            vec![
                link("Certificate", "CN=db.example.com", "12 Jan 2027"),
                link("Issuer", "C=US, O=Let's Encrypt, CN=E7", "12 Mar 2027"),
            ]
        } else {
            Vec::new()
        },
        history: if full {
            vec![HistoryRow {
                at: Moment::from_unix(1_795_376_042),
                what: "A new certificate is served".to_owned(),
                class: "good",
            }]
        } else {
            Vec::new()
        },
    };
    page.render().unwrap()
}
