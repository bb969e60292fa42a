//! Question before something is deleted or replaced.

use crate::args::Confirmed;
use crate::failure::Failure;
use crate::terminal;
use anyhow::Result;

/// Asks at the terminal, unless `--yes` was given. `what`: the work in words, such as `deleting
/// shop`. Fails without a terminal, or if the answer is not yes.
pub fn confirm(
    given: Confirmed,
    what: &str,
    question: impl FnOnce() -> Result<String>,
) -> Result<()> {
    if given.yes {
        return Ok(());
    }
    if !terminal::is_there() {
        let cause = format!("{what} was not confirmed, and there is no terminal to ask");
        return Err(Failure::usage(cause, "add --yes").into());
    }
    match terminal::yes(&question()?)? {
        true => Ok(()),
        false => Err(Failure::new("nothing was changed", "").into()),
    }
}
