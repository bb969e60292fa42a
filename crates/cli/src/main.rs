//! The `tidegate` binary: config, commands, composition. What joins two rooms stands here; what one room can do
//! alone never does.

mod args;
mod commands;
mod config;
mod failure;
#[cfg(test)]
mod help_pages;
mod holder;
mod journal;
mod logging;
mod paths;
mod screen;
mod signals;
mod terminal;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = args::Cli::parse();
    match commands::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let (text, code) = failure::report(&error);
            screen::say(text.trim_end());
            code
        }
    }
}
