//! Samples of this page, full and empty.

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

fn keys(full: bool) -> String {
    let moment = |s: i64| Moment::from_unix(1_795_376_042 + s);
    let key = |id: &str, name: &str, expires: Option<i64>, used: Option<i64>| KeyRow {
        id: id.to_owned(),
        name: name.to_owned(),
        scopes: vec!["clusters:shop-*".to_owned(), "read".to_owned()],
        created: moment(0),
        expires: expires.map(moment),
        ended: expires.is_some_and(|s| s < 0),
        used: used.map(moment),
    };
    let long = "nightly copy of the shop's orders into the company's reports";
    let made = || MadeKey {
        name: "terraform".to_owned(),
        key: Secret::new(Zeroizing::new("tg_5f2c".repeat(9))),
    };
    let page = KeysPage {
        frame: operator_frame("API keys", MenuEntry::Keys),
        rows: if full {
            vec![
                key("k7m2q9x4w3tz", "terraform", None, None),
                key("k7m2q9x4w3ty", "old", Some(-90_000), Some(-99_000)),
                key("k7m2q9x4w3tx", long, Some(7_776_000), Some(-600)),
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
