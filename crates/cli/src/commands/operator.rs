//! `tidegate operator link`: prints a link that signs a browser in to the console.

use super::browser_warning;
use crate::args::OperatorCommand;
use crate::context::{Context, ask};
use crate::screen;
use anyhow::Result;
use tidegate_console::types::Secret;

pub fn run(context: &Context, command: &OperatorCommand) -> Result<()> {
    match command {
        OperatorCommand::Link => {
            let link = ask(context.client().sign_in_link())?;
            if context.global.json {
                return screen::print_json(&link);
            }
            print_link(context, &link.url)
        }
    }
}

/// Prints a link and how long it is valid.
pub fn print_link(context: &Context, link: &Secret) -> Result<()> {
    screen::print(&format!("{}\n", link.reveal()))?;
    screen::say("open it in a browser within 15 minutes; it signs in once");
    say_browser_warning(context)
}

/// Says what the browser shows first, if it warns of the console's certificate.
pub fn say_browser_warning(context: &Context) -> Result<()> {
    let certificate = ask(context.client().certificate())?;
    for line in browser_warning::lines(&context.data, &certificate) {
        screen::say(&line);
    }
    Ok(())
}
