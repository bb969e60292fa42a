//! The `tidegate` binary: config, commands, composition. What joins two rooms stands here; what one
//! room can do alone never does.

mod args;
mod card;
mod commands;
mod compose;
mod config;
mod context;
mod failure;
#[cfg(test)]
mod help_pages;
mod limits;
mod logging;
mod paths;
mod profiles;
mod screen;
#[cfg(test)]
mod second_kind;
mod service;
mod signals;
mod terminal;
mod trust;

use clap::Parser;
use std::process::ExitCode;

/// Gives memory back to the system after a flood, which the system's own allocator does not
/// (docs/decisions/0018-allocator.md).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // Before any thread exists: this process is about to wall itself in and become an engine.
    if std::env::args_os()
        .nth(1)
        .is_some_and(|word| word == tidegate_engine::EXEC_COMMAND)
    {
        // A session of its own: Ctrl-C at the server's terminal reaches the server alone, which
        // stops engines in order.
        let _ = rustix::process::setsid();
        tidegate_engine::engine_exec_main();
    }
    let cli = args::Cli::parse();
    match commands::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let (text, code) = failure::report(&error);
            screen::say(text.trim_end());
            screen::flush();
            code
        }
    }
}
