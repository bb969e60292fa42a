//! Samples of the certificate page.

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

fn chain_link(role: &'static str, subject: &str, expiry: &str) -> ChainLink {
    ChainLink {
        role,
        subject: subject.to_owned(),
        expiry: expiry.to_owned(),
    }
}

fn certificate(full: bool) -> String {
    let leaf = LeafView {
        heading: "Current",
        key: "ECDSA".to_owned(),
        names: vec![
            "db.example.com".to_owned(),
            "console.example.com".to_owned(),
        ],
        issuer: "C=US, O=Let's Encrypt, CN=E7".to_owned(),
        serial: "04:9c:71:2f:6a:8b:cc:10:5e:97:3d:2b:a4:f0:1c:88:de:5a".to_owned(),
        fingerprint: "5E:1B:0C:".repeat(10) + "5E:1B",
        not_before: Moment::from_unix(1_792_000_000),
        not_after: Moment::from_unix(1_799_776_000),
        spent: 43,
        left: "51 days left".to_owned(),
        renewal: "about 13 Dec 2026, from ACME".to_owned(),
    };
    let page = CertificatePage {
        frame: operator_frame("Certificate", MenuEntry::Certificate),
        trust_line: "Publicly trusted: clients need no CA file.",
        ca_offered: !full,
        alarms: if full {
            vec!["The last two orders failed: connection refused on port 80.".to_owned()]
        } else {
            Vec::new()
        },
        leaves: vec![leaf],
        chain: if full {
            vec![
                chain_link("Certificate", "CN=db.example.com", "expires 12 Jan 2027"),
                chain_link(
                    "Issuer",
                    "C=US, O=Let's Encrypt, CN=E7",
                    "expires 12 Mar 2027",
                ),
            ]
        } else {
            Vec::new()
        },
        history: if full {
            vec![HistoryRow {
                at: Moment::from_unix(1_795_376_042),
                what: "New ECDSA certificate for db.example.com, valid until 12 Jan 2027."
                    .to_owned(),
                class: "good",
            }]
        } else {
            Vec::new()
        },
    };
    page.render().unwrap()
}
