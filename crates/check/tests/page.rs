//! Compares the help page `docs/check.md` with the one that the table of findings generates.
//! `script/docs` writes it.

#![allow(clippy::unwrap_used, reason = "a test may panic; that is how it fails")]

use std::path::Path;

#[test]
fn the_page_is_that_of_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/check.md");
    let page = tidegate_check::page();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        page,
        "run script/docs, which writes it (this test with UPDATE=1)"
    );
}
