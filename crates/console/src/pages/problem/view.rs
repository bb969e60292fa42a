//! View of the page of an error.

use crate::pages::frame::Frame;
use crate::pages::words::filters;
use askama::Template;

#[derive(Template)]
#[template(path = "problem.html")]
pub struct ProblemPage {
    pub frame: Frame,
    pub status: u16,
    pub heading: String,
    pub text: String,
}
