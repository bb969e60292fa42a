//! Samples of the pages for signing in.

use super::view::{LinkPage, SignInPage};
use crate::pages::samples::visitor_frame;
use askama::Template;

pub fn samples() -> Vec<(&'static str, String)> {
    let sign_in = SignInPage {
        frame: visitor_frame("Sign in"),
        ended: true,
    };
    let link = LinkPage {
        frame: visitor_frame("Sign in"),
    };
    vec![
        ("sign-in", sign_in.render().unwrap()),
        ("link", link.render().unwrap()),
    ]
}
