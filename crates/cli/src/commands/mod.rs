//! The commands, one file per group. Here only the way to them.

mod config;

use crate::args::{Cli, Command, Global};
use crate::paths;
use anyhow::Result;
use std::path::PathBuf;

/// What every command has: the global options and where the data lies.
#[derive(Debug)]
pub struct Context {
    pub global: Global,
    pub data: PathBuf,
}

pub fn run(cli: Cli) -> Result<()> {
    let root = rustix::process::geteuid().is_root();
    let data = paths::data_dir(cli.global.data.clone(), root, |name| std::env::var_os(name))?;
    let context = Context { global: cli.global, data };
    match cli.command {
        Command::Config(command) => config::run(&context, &command),
        _ => anyhow::bail!("not built yet"),
    }
}
