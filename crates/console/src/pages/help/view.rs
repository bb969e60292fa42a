//! Views of the help pages.

use crate::pages::frame::Frame;
use crate::pages::words::filters;
use askama::Template;
use tidegate_connect::Form;

pub struct HelpRow {
    pub slug: &'static str,
    pub code: u16,
    pub sqlstate: &'static str,
    pub text: &'static str,
    pub hint: &'static str,
    pub whose: &'static str,
    pub again: &'static str,
}

#[derive(Template)]
#[template(path = "help.html")]
pub struct HelpPage {
    pub frame: Frame,
    pub rows: Vec<HelpRow>,
}

pub struct LineView {
    pub dom_id: String,
    pub name: &'static str,
    pub minimum_version: &'static str,
    pub form: Form,
}

#[derive(Template)]
#[template(path = "refusal.html")]
pub struct RefusalPage {
    pub frame: Frame,
    pub row: HelpRow,
    pub cause: Vec<&'static str>,
    pub fix: Vec<&'static str>,
    pub lines: Vec<LineView>,
}
