//! Tests that no link between the repository's pages is dead.

#![allow(clippy::unwrap_used, reason = "a test may panic; that is how it fails")]

use std::path::{Path, PathBuf};

fn pages(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            pages(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

/// Returns the targets of `[text](target)` outside code.
fn links(page: &str) -> Vec<String> {
    let mut fenced = false;
    let mut found = Vec::new();
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        // Every second part between backticks is code.
        let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
        let targets = prose
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split_once(')'));
        found.extend(targets.map(|(target, _)| target.to_owned()));
    }
    found
}

#[test]
fn links_are_found_in_prose_and_not_in_code() {
    let page = "[a](b.md) and [`c`](d.md#e)\n```\n[f](g)\n```\n`[h](i)` ![j](k.png)";
    assert_eq!(links(page), ["b.md", "d.md#e", "k.png"]);
}

#[test]
fn every_link_to_a_page_of_ours_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap();
    let mut found = Vec::new();
    pages(&root.join("docs"), &mut found);
    for name in [
        "README.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
    ] {
        found.extend(Some(root.join(name)).filter(|path| path.is_file()));
    }
    let mut checked = 0;
    for page in &found {
        for link in links(&std::fs::read_to_string(page).unwrap()) {
            let file = link.split('#').next().unwrap_or_default();
            if link.contains("://") || link.starts_with("mailto:") || file.is_empty() {
                continue;
            }
            checked += 1;
            let target = page.parent().unwrap().join(file);
            assert!(target.exists(), "{}: dead link {link}", page.display());
        }
    }
    assert!(
        checked > 20,
        "only {checked} links were found: does this test still read them?"
    );
}
