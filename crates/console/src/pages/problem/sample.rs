//! Samples of the page of an error.

use super::ProblemPage;
use crate::pages::frame::{MenuEntry, WarningView};
use crate::pages::samples::{operator_frame, visitor_frame};
use crate::types::Warning;
use askama::Template;

pub fn samples() -> Vec<(&'static str, String)> {
    let problem = ProblemPage {
        frame: visitor_frame("Not found"),
        status: 404,
        heading: "Not found".to_owned(),
        text: "Check the address. What it refers to may have been deleted.".to_owned(),
    };
    vec![("problem", problem.render().unwrap())]
}

#[test]
fn a_full_disk_is_shown_on_a_page_of_an_operator() {
    let mut page = ProblemPage {
        frame: operator_frame("Not found", MenuEntry::Outside),
        status: 404,
        heading: "Not found".to_owned(),
        text: String::new(),
    };
    let usual = page.render().unwrap();
    assert!(!usual.contains("The disk is full") && usual.contains("data-part=\"disk-full\""));
    let reason = "the file system of /data has 12 MB left";
    page.frame.disk_full = Some(WarningView::from(&Warning::disk_full(reason)));
    let told = page.render().unwrap();
    assert!(told.contains("<strong>The disk is full</strong>"), "{told}");
    assert!(
        told.contains(reason) && told.contains("Free space on that file system"),
        "{told}"
    );
}
