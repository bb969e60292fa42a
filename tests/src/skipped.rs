//! Tests that this machine can't run. Said past the test's captured output, so that `script/test`
//! counts them as skipped and not as passed.

use std::io::Write;

/// Says why a test does not run here.
pub fn not_run(why: &str) {
    // On a line of its own, also where libtest has begun one.
    let _ = writeln!(std::io::stderr(), "\nnot run: {why}");
}
