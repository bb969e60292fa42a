//! Samples of the help pages.

use super::{help_page, refusal_page};
use crate::pages::samples::visitor_frame;
use askama::Template;

pub fn samples() -> Vec<(&'static str, String)> {
    let refusal = refusal_page(visitor_frame("x"), "insecure-transport").unwrap();
    vec![
        ("help", help_page(visitor_frame("Help")).render().unwrap()),
        ("refusal", refusal.render().unwrap()),
    ]
}
