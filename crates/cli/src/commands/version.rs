//! `tidegate version`: prints the version of this program.

use crate::context::Context;
use crate::screen;
use anyhow::Result;

const VERSION: &str = env!("CARGO_PKG_VERSION");

pub fn run(context: &Context) -> Result<()> {
    print(context.global.json)
}

/// Prints the version, as text or as JSON.
pub fn print(json: bool) -> Result<()> {
    if json {
        return screen::print_json(&serde_json::json!({ "version": VERSION }));
    }
    screen::print(&format!("tidegate {VERSION}\n"))
}
