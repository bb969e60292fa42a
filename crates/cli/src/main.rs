//! The `tidegate` binary: configuration, commands, and the composition of the rooms into a server.
//! Code that needs only one room belongs in that room.

mod args;
mod card;
mod commands;
mod compose;
mod config;
mod context;
mod failure;
mod failure_code;
#[cfg(test)]
mod help_pages;
mod limits;
mod logging;
mod option_words;
mod other_server;
mod paths;
mod profiles;
mod screen;
#[cfg(test)]
mod second_kind;
mod server_options;
mod signals;
mod standard_output;
mod systemd_unit;
mod terminal;
mod trust;
mod wrong_option;
mod wrong_usage;
mod wrong_verb;

use std::process::ExitCode;

/// Gives memory back to the system after a flood, which the system's own allocator does not
/// (docs/decisions/0018-allocator.md).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // Before any thread exists, since this process isolates itself and becomes an engine.
    if std::env::args_os()
        .nth(1)
        .is_some_and(|word| word == tidegate_engine::EXEC_COMMAND)
    {
        // Its own session, so that Ctrl-C at the server's terminal reaches only the server, which
        // stops the engines in order.
        let _ = rustix::process::setsid();
        tidegate_engine::engine_exec_main();
    }
    let cli = match wrong_usage::read_arguments() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let wanted = failure::ReportForm::of(&cli);
    match commands::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let (text, code) = failure::report(&error, &wanted);
            screen::say(text.trim_end());
            screen::flush();
            code
        }
    }
}
