//! `tidegate completion SHELL`: prints a script that completes commands and options.

use crate::args::{Cli, CompletionArgs};
use crate::screen;
use anyhow::Result;
use clap::CommandFactory;

pub fn run(args: &CompletionArgs) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "tidegate", &mut script);
    screen::print_raw(&String::from_utf8(script)?)
}
