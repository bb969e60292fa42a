//! Options of commands that change or delete something.

use clap::Args;

/// Answer to the question that a command asks before it deletes or replaces something.
#[derive(Debug, Clone, Copy, Args)]
pub struct Confirmed {
    /// Do not ask for confirmation
    #[arg(long, short)]
    pub yes: bool,
}

/// Version of the cluster that a change is for.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct VersionArgs {
    /// Only if the cluster still has this version, which `cluster show` prints
    ///
    /// The version grows with each change of the cluster's name, limits or settings. If somebody
    /// else was faster, nothing is changed, and the command fails with the code `stale`.
    #[arg(long, value_name = "N", hide_short_help = true)]
    pub if_version: Option<u64>,
}
