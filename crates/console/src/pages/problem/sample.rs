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
        heading: "There is nothing here".to_owned(),
        text: "The address may be mistyped, or what it named was deleted.".to_owned(),
    };
    vec![("problem", problem.render().unwrap())]
}

#[test]
fn a_full_disk_is_told_on_a_page_of_an_operator() {
    let mut page = ProblemPage {
        frame: operator_frame("Not found", MenuEntry::Outside),
        status: 404,
        heading: "There is nothing here".to_owned(),
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
