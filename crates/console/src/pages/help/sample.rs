//! Samples of the help pages.

use super::{index, refusal};
use crate::pages::samples::visitor_frame;
use askama::Template;

pub fn samples() -> Vec<(&'static str, String)> {
    let refusal = refusal(visitor_frame("x"), "insecure-transport").unwrap();
    vec![
        ("help", index(visitor_frame("Help")).render().unwrap()),
        ("refusal", refusal.render().unwrap()),
    ]
}
