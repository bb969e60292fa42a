//! Reports tests that this machine can't run, around libtest's capture of output, so that
//! `script/test` counts them as skipped and not as passed.

use std::io::Write;

/// Prints why a test does not run here.
pub fn not_run(why: &str) {
    // On a new line, even if libtest has begun one.
    let _ = writeln!(std::io::stderr(), "\nnot run: {why}");
}
