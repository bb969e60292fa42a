//! Compares the help pages in `docs/refusals/` with those that the table of refusals generates.
//! `script/docs` writes them.

#![allow(clippy::unwrap_used, reason = "a test may panic; that is how it fails")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use tidegate_connect::{refusal_index, refusal_page};
use tidegate_model::RefusalKind;

#[test]
fn the_pages_are_those_of_the_table() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/refusals");
    let mut wanted: BTreeMap<String, String> =
        BTreeMap::from([("README.md".to_owned(), refusal_index())]);
    for kind in RefusalKind::ALL {
        let entry = kind.entry();
        wanted.insert(format!("{}.md", entry.slug), refusal_page(&entry));
    }
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(&folder).unwrap();
        for (name, text) in &wanted {
            std::fs::write(folder.join(name), text).unwrap();
        }
        // A renamed or removed refusal leaves its old page.
        for entry in std::fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            if !wanted.contains_key(&entry.file_name().into_string().unwrap()) {
                std::fs::remove_file(entry.path()).unwrap();
            }
        }
    }
    let there = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap());
    let there: BTreeMap<String, String> = there
        .map(|entry| {
            (
                entry.file_name().into_string().unwrap(),
                std::fs::read_to_string(entry.path()).unwrap(),
            )
        })
        .collect();
    assert_eq!(
        there.keys().collect::<Vec<_>>(),
        wanted.keys().collect::<Vec<_>>(),
        "run script/docs, which writes it (this test with UPDATE=1)"
    );
    for (name, text) in &wanted {
        assert_eq!(
            there.get(name),
            Some(text),
            "{name}: run script/docs, which writes it (this test with UPDATE=1)"
        );
    }
}
