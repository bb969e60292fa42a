//! Circles of modules inside each room: a module that imports one that imports it back, directly or
//! through others. A reader can't begin such a circle at the bottom, so it may only be small. The
//! sources are read as tokens, whatever their format; what only tests import is left out.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

#[path = "circles/source.rs"]
mod source;

use source::{Import, ModulePath, Modules, read_module, tokens};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The largest circle of modules that a room may have.
const CIRCLE_MAX: usize = 4;

/// Rooms that still have a larger circle, with its size today. A ceiling only goes down, and a line
/// is deleted when its room's largest circle is at most [`CIRCLE_MAX`].
const CEILINGS: &[(&str, usize)] = &[];

/// The module that a path leads to, seen from `from`: through its children and its imports. None
/// where the path begins outside the room.
fn resolve(
    modules: &Modules,
    from: &[String],
    path: &[String],
    depth: usize,
) -> Option<ModulePath> {
    let mut at = from.to_vec();
    for (i, name) in path.iter().enumerate() {
        let module = modules.get(&at)?;
        match name.as_str() {
            "crate" => at.clear(),
            "self" => {}
            "super" => drop(at.pop()),
            _ if module.children.contains(name) => at.push(name.clone()),
            _ => {
                let import = module.imports.iter().find(|import| import.name == *name);
                if let Some(import) = import.filter(|_| depth < 16) {
                    let target = resolve(modules, &at, &import.path, depth + 1)?;
                    // Behind an item only its own members follow, behind a module its items.
                    let rest = &path[i + 1..];
                    return if rest.is_empty() || !import_is_module(modules, &at, import) {
                        Some(target)
                    } else {
                        resolve(modules, &target, rest, depth + 1)
                    };
                }
                // A first name that is neither declared here nor imported is another crate's.
                return (i > 0).then_some(at);
            }
        }
    }
    Some(at)
}

fn import_is_module(modules: &Modules, at: &[String], import: &Import) -> bool {
    let Some((last, before)) = import.path.split_last() else {
        return false;
    };
    match resolve(modules, at, before, 0) {
        Some(parent) if !before.is_empty() => modules
            .get(&parent)
            .is_some_and(|m| m.children.contains(last)),
        _ => modules.get(at).is_some_and(|m| m.children.contains(last)),
    }
}

/// Which module imports which. A re-export alone is no import: nothing in the module needs it.
fn edges(modules: &Modules) -> BTreeMap<ModulePath, BTreeSet<ModulePath>> {
    let mut found: BTreeMap<ModulePath, BTreeSet<ModulePath>> = BTreeMap::new();
    for (path, module) in modules {
        let imports = module
            .imports
            .iter()
            .filter(|import| !import.public || module.names.contains(&import.name))
            .map(|import| &import.path);
        let from = file_of(modules, path);
        for named in imports.chain(&module.paths) {
            let target = resolve(modules, path, named, 0).map(|to| file_of(modules, &to));
            if let Some(target) = target.filter(|to| *to != from) {
                found.entry(from.clone()).or_default().insert(target);
            }
        }
    }
    found
}

/// The module whose file this one is written in.
fn file_of(modules: &Modules, path: &[String]) -> ModulePath {
    let mut path = path.to_vec();
    while modules.get(&path).is_some_and(|module| module.inline) {
        path.pop();
    }
    path
}

/// The circles, largest first: sets of modules that each lead to every other one.
fn circles(edges: &BTreeMap<ModulePath, BTreeSet<ModulePath>>) -> Vec<BTreeSet<ModulePath>> {
    let reached: BTreeMap<_, _> = edges
        .keys()
        .map(|from| {
            let mut seen: BTreeSet<&ModulePath> = BTreeSet::new();
            let mut next: Vec<_> = edges[from].iter().collect();
            while let Some(to) = next.pop() {
                if seen.insert(to) {
                    next.extend(edges.get(to).into_iter().flatten());
                }
            }
            (from, seen)
        })
        .collect();
    let mut found: Vec<BTreeSet<ModulePath>> = Vec::new();
    for (from, seen) in &reached {
        if !seen.contains(from) || found.iter().any(|circle| circle.contains(*from)) {
            continue;
        }
        let back = seen
            .iter()
            .filter(|to| reached.get(**to).is_some_and(|s| s.contains(from)));
        found.push(back.map(|to| (*to).clone()).collect());
    }
    found.sort_by_key(|circle| std::cmp::Reverse(circle.len()));
    found
}

fn shown(path: &[String]) -> String {
    if path.is_empty() {
        "(root)".to_owned()
    } else {
        path.join("::")
    }
}

fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests
        .parent()
        .expect("tests/ is in the repository")
        .to_owned()
}

/// Every room with its modules.
fn rooms() -> BTreeMap<String, Modules> {
    let folder = root().join("crates");
    let mut rooms = BTreeMap::new();
    for entry in std::fs::read_dir(&folder).expect("crates/").flatten() {
        let source = entry.path().join("src");
        let mut modules = Modules::new();
        for file in ["lib.rs", "main.rs"] {
            if let Ok(text) = std::fs::read_to_string(source.join(file)) {
                read_module(&tokens(&text), &[], &source, &mut modules);
            }
        }
        rooms.insert(entry.file_name().to_string_lossy().into_owned(), modules);
    }
    rooms
}

#[test]
fn no_room_has_a_large_circle_of_modules() {
    let rooms = rooms();
    assert!(rooms.len() >= 10, "too few rooms: {:?}", rooms.keys());
    let mut wrong = Vec::new();
    for (room, modules) in &rooms {
        assert!(
            modules.len() > 2,
            "{room}: too few modules were read: {:?}",
            modules.keys()
        );
        let edges = edges(modules);
        let circles = circles(&edges);
        let largest = circles.first().map_or(0, BTreeSet::len);
        println!(
            "{room}: {} modules, largest circle {largest}",
            modules.len()
        );
        for circle in &circles {
            println!("  a circle of {}:", circle.len());
            for from in circle {
                let to: Vec<_> = edges[from]
                    .intersection(circle)
                    .map(|to| shown(to))
                    .collect();
                println!("    {} -> {}", shown(from), to.join(", "));
            }
        }
        let ceiling = CEILINGS.iter().find(|(name, _)| name == room);
        let ceiling = ceiling.map_or(CIRCLE_MAX, |(_, ceiling)| *ceiling);
        if largest > ceiling {
            wrong.push(format!(
                "{room}: a circle of {largest} modules, above {ceiling}"
            ));
        } else if largest < ceiling && ceiling > CIRCLE_MAX {
            println!("  hint: lower this room's line in CEILINGS to {largest}, or delete it");
        }
    }
    assert!(
        wrong.is_empty(),
        "{wrong:?}; hint: move what both sides need into a module below them \
         (`cargo test -p tidegate-e2e --test circles -- --nocapture` prints every circle)"
    );
}

/// Reads a room of two levels from sources in memory: `a`, `b` and `b::c`.
fn small_room(root: &str, a: &str, b: &str, c: &str) -> Modules {
    let mut modules = Modules::new();
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("b")).expect("a folder");
    for (file, text) in [("a.rs", a), ("b/mod.rs", b), ("b/c.rs", c)] {
        std::fs::write(folder.path().join(file), text).expect("a source");
    }
    read_module(&tokens(root), &[], folder.path(), &mut modules);
    modules
}

/// Returns the number of modules in the largest circle of a room from sources in memory.
fn largest_circle(root: &str, a: &str, b: &str, c: &str) -> usize {
    let circles = circles(&edges(&small_room(root, a, b, c)));
    circles.first().map_or(0, BTreeSet::len)
}

#[test]
fn a_circle_is_found_through_imports_paths_and_re_exports() {
    let root = "mod a; mod b; pub use a::A; pub use b::{self, C};";
    let b = "mod c; pub use c::C;";
    // `crate::C` leads through the root and `b` to `c`, and `c` names a path of `a` in its code.
    let a = "use crate::{C as Other}; pub struct A;";
    assert_eq!(
        largest_circle(root, a, b, "fn f() { crate::a::g() } pub struct C;"),
        2
    );
    assert_eq!(
        largest_circle(root, a, b, "use super::super::a::{self}; pub struct C;"),
        2
    );
    assert_eq!(largest_circle(root, a, b, "use crate::A; pub struct C;"), 2);
    // The child imports its parent, which uses what it re-exports.
    let user = "mod c; pub use c::C; pub fn f(_: C) {}";
    assert_eq!(
        largest_circle(root, a, user, "use super::f; pub struct C;"),
        2
    );
    // None of these is an import.
    let quiet = r##"
        // use crate::a::A;
        /* crate::a /* crate::a */ */
        pub(in crate::a) struct C;
        const TEXT: &str = "crate::a::A"; const RAW: &str = r#"" crate::a::A "#;
        const QUOTE: char = '"'; fn f<'a>(s: &'a str, other: other::a::A) { s.a::<A>(); }
        #[cfg(test)] mod tests { use crate::a::A; }
        #[cfg(test)] use crate::a::{A};
    "##;
    assert_eq!(largest_circle(root, a, b, quiet), 0);
    assert_eq!(
        largest_circle(root, a, b, &format!("{quiet} fn g() {{ crate::a::g() }}")),
        2
    );
}
