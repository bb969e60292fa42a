//! Lists `clients/*.toml` for the program, so that a new client needs only a new file.

use std::fmt::Write;
use std::path::PathBuf;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let folder =
        PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("clients");
    println!("cargo::rerun-if-changed=clients");
    let mut files = fs::read_dir(&folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<Vec<_>>>()?;
    files.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "toml")
    });
    files.sort();
    let mut list = String::from("[\n");
    for file in files {
        // {:?} of a path is a Rust string literal.
        let _ = writeln!(list, "    (file_stem({file:?}), include_str!({file:?})),");
    }
    list.push(']');
    fs::write(
        PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("clients.rs"),
        list,
    )
}
