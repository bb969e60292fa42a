//! Compares the rooms with ARCHITECTURE.md: which room imports which, and how long a file may be.
//! Reads the sources and `cargo metadata`, and never runs the product.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Limits of a source file's lines. Above the first one, the file is only named.
const FILE_LINES_WISHED: usize = 400;
const FILE_LINES_MAX: usize = 600;

/// Room outside the picture: the binary may import every room. The end-to-end tests import none.
const BINARY: &str = "cli";

type Arrows = BTreeMap<String, BTreeSet<String>>;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ is in the repository")
        .to_owned()
}

/// Returns the arrows of the picture: the first ```text block with `──►` lines, such as `console
/// ──► control, tls`, and `wire, model ──► none`.
fn drawn() -> Arrows {
    let file = root().join("ARCHITECTURE.md");
    let text = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let picture = text
        .split("```")
        .skip(1)
        .step_by(2)
        .find(|block| block.starts_with("text") && block.contains("──►"))
        .expect("ARCHITECTURE.md has a ```text block with the arrows between rooms");
    let mut arrows = Arrows::new();
    for line in picture.lines().filter(|l| l.contains('►')) {
        let (from, to) = line.split_once('►').expect("filtered");
        let to: BTreeSet<String> = names(to).filter(|n| n != "none").collect();
        for room in names(from.trim_end_matches('─')) {
            assert!(
                arrows.insert(room.clone(), to.clone()).is_none(),
                "{room} is drawn twice"
            );
        }
    }
    arrows.remove(BINARY);
    arrows
}

/// Returns the words between commas, without text in brackets or after the first word ("none of
/// ours").
fn names(list: &str) -> impl Iterator<Item = String> {
    list.split('(')
        .next()
        .unwrap_or_default()
        .split(',')
        .filter_map(|part| {
            let word = part.split_whitespace().next()?.trim_matches('─');
            (!word.is_empty()).then(|| word.to_owned())
        })
}

fn metadata() -> Value {
    let out = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    serde_json::from_slice(&out.stdout).expect("cargo metadata is JSON")
}

/// Returns the room of a manifest in the folder of crates.
fn room_of(manifest: &str, crates: &Path) -> Option<String> {
    let folder = Path::new(manifest).parent()?;
    (folder.parent()? == crates).then(|| folder.file_name()?.to_str().map(str::to_owned))?
}

/// Returns the arrows of the manifests: normal, build and dev dependencies, by the room's folder.
fn built() -> (Arrows, BTreeSet<String>) {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().expect("packages");
    let crates = root().join("crates");
    let rooms: BTreeMap<&str, String> = packages
        .iter()
        .filter_map(|p| {
            Some((
                p["name"].as_str()?,
                room_of(p["manifest_path"].as_str()?, &crates)?,
            ))
        })
        .collect();
    let mut arrows = Arrows::new();
    let mut tests_import = BTreeSet::new();
    for package in packages {
        let name = package["name"].as_str().expect("a name");
        let imports: BTreeSet<String> = package["dependencies"]
            .as_array()
            .expect("dependencies")
            .iter()
            .filter_map(|d| rooms.get(d["name"].as_str()?).cloned())
            .collect();
        match rooms.get(name).map(String::as_str) {
            Some(BINARY) => {}
            Some(room) => drop(arrows.insert(room.to_owned(), imports)),
            None => tests_import.extend(imports),
        }
    }
    (arrows, tests_import)
}

#[test]
fn rooms_import_what_the_picture_allows() {
    let (built, tests_import) = built();
    let drawn = drawn();
    assert!(
        built.len() >= 8,
        "cargo metadata shows too few rooms: {built:?}"
    );
    for (room, imports) in &built {
        let allowed = drawn
            .get(room)
            .unwrap_or_else(|| panic!("the room {room} is not in the picture"));
        let beyond: Vec<_> = imports.difference(allowed).collect();
        assert!(
            beyond.is_empty(),
            "{room} imports {beyond:?}, which ARCHITECTURE.md does not draw"
        );
    }
    assert!(
        tests_import.is_empty(),
        "the end-to-end tests import {tests_import:?}; they know the product from outside"
    );
}

#[test]
fn every_arrow_and_room_of_the_picture_is_built() {
    let (built, _) = built();
    let drawn = drawn();
    assert!(drawn.len() >= 8, "too few rooms are drawn: {drawn:?}");
    for (room, arrows) in drawn {
        let built = built
            .get(&room)
            .unwrap_or_else(|| panic!("{room} is drawn and not built"));
        // An arrow is a permission; an unused one must be removed.
        let unused: Vec<_> = arrows.difference(built).collect();
        assert!(unused.is_empty(), "drawn, not used: {room} -> {unused:?}");
    }
}

#[test]
fn the_picture_has_no_circle() {
    let arrows = drawn();
    let mut left: BTreeSet<&String> = arrows.keys().collect();
    while !left.is_empty() {
        let free: Vec<_> = left
            .iter()
            .copied()
            .filter(|r| arrows[*r].iter().all(|to| !left.contains(to)))
            .collect();
        assert!(!free.is_empty(), "a circle among {left:?}");
        for room in free {
            left.remove(room);
        }
    }
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            if path.file_name().is_some_and(|n| n != "target") {
                sources(&path, found);
            }
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

fn all_sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in ["crates", "tests", "bench", "fuzz"] {
        sources(&root().join(folder), &mut found);
    }
    assert!(found.len() > 20, "too few sources were found: {found:?}");
    found
}

#[test]
fn no_file_is_too_long() {
    let mut too_long = Vec::new();
    for path in all_sources() {
        let lines = std::fs::read_to_string(&path)
            .expect("a source")
            .lines()
            .count();
        if lines > FILE_LINES_MAX {
            too_long.push((path, lines));
        } else if lines > FILE_LINES_WISHED {
            println!("warning: {} has {lines} lines", path.display());
        }
    }
    assert!(too_long.is_empty(), "split these: {too_long:?}");
}

#[test]
fn every_file_says_what_it_is() {
    let silent: Vec<_> = all_sources()
        .into_iter()
        .filter(|path| !std::fs::read_to_string(path).is_ok_and(|text| text.starts_with("//!")))
        .collect();
    assert!(
        silent.is_empty(),
        "these files do not begin with a paragraph about themselves: {silent:?}"
    );
}

#[test]
fn the_parser_of_the_picture_reads_its_forms() {
    assert_eq!(
        names(" wire, model ──").collect::<Vec<_>>(),
        ["wire", "model"]
    );
    assert_eq!(names(" none of ours").collect::<Vec<_>>(), ["none"]);
    assert_eq!(
        names(" every room (what joins two)").collect::<Vec<_>>(),
        ["every"]
    );
}

/// Returns the test files that `tests/Cargo.toml` lists.
fn listed_tests() -> BTreeSet<String> {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().expect("packages");
    let package = packages
        .iter()
        .find(|package| package["name"] == env!("CARGO_PKG_NAME"))
        .expect("cargo metadata has the package of these tests");
    let targets = package["targets"].as_array().expect("targets");
    targets
        .iter()
        .filter(|target| target["kind"][0] == "test")
        .filter_map(|target| {
            Path::new(target["src_path"].as_str()?)
                .file_name()?
                .to_str()
        })
        .map(str::to_owned)
        .collect()
}

#[test]
fn cargo_runs_every_file_of_tests() {
    let folder = root().join("tests");
    let files: BTreeSet<String> = std::fs::read_dir(&folder)
        .expect("the folder of these tests")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".rs"))
        .collect();
    assert!(files.contains("rooms.rs"), "too few files: {files:?}");
    // `autotests` is off, so a file that is not listed would never run.
    let listed = listed_tests();
    let forgotten: Vec<_> = files.difference(&listed).collect();
    assert!(
        forgotten.is_empty(),
        "hint: add a [[test]] to tests/Cargo.toml for {forgotten:?}"
    );
}
