//! Samples of the page of API keys.

use super::view::{KeyRow, KeysPage, MadeKey};
use super::{curl_line, profile_line};
use crate::pages::frame::MenuEntry;
use crate::pages::samples::operator_frame;
use crate::pages::words::Moment;
use crate::types::Secret;
use askama::Template;
use zeroize::Zeroizing;

pub fn samples() -> Vec<(&'static str, String)> {
    vec![("keys", keys(true)), ("keys-empty", keys(false))]
}

fn time_after(seconds: i64) -> Moment {
    Moment::from_unix(1_795_376_042 + seconds)
}

fn key_row(id: &str, name: &str, expires: Option<i64>, used: Option<i64>) -> KeyRow {
    KeyRow {
        id: id.to_owned(),
        name: name.to_owned(),
        scopes: vec!["clusters:shop-*".to_owned(), "read".to_owned()],
        created: time_after(0),
        expires: expires.map(time_after),
        expired: expires.is_some_and(|seconds| seconds < 0),
        used: used.map(time_after),
    }
}

fn keys(full: bool) -> String {
    let long = "nightly copy of the shop's orders into the company's reports";
    let made = || MadeKey {
        name: "terraform".to_owned(),
        key: Secret::new(Zeroizing::new("tg_5f2c".repeat(9))),
    };
    let page = KeysPage {
        frame: operator_frame("API keys", MenuEntry::Keys),
        rows: if full {
            vec![
                key_row("k7m2q9x4w3tz", "terraform", None, None),
                key_row("k7m2q9x4w3ty", "old", Some(-90_000), Some(-99_000)),
                key_row("k7m2q9x4w3tx", long, Some(7_776_000), Some(-600)),
            ]
        } else {
            Vec::new()
        },
        made: full.then(made),
        wanted: String::new(),
        ca_offered: full,
        profile: profile_line("https://console.example.com", full),
        curl: curl_line("https://console.example.com", full),
    };
    page.render().unwrap()
}
