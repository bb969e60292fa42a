//! Views of the pages for signing in.

use crate::pages::frame::Frame;
use crate::pages::words::filters;
use askama::Template;

#[derive(Template)]
#[template(path = "sign_in.html")]
pub struct SignInPage {
    pub frame: Frame,
    /// Whether the visitor had a session that expired.
    pub ended: bool,
}

#[derive(Template)]
#[template(path = "link.html")]
pub struct LinkPage {
    pub frame: Frame,
}
