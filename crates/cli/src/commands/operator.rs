//! `tidegate operator link`: prints a link that signs a browser in to the console.

use super::browser_warning;
use super::shown_once::ShownOnce;
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
                return shown_once().check(context, screen::print_json(&link));
            }
            print_link(context, &link.url)
        }
    }
}

/// Words for a link that could not be printed.
fn shown_once() -> ShownOnce {
    ShownOnce {
        made: "a link was made".to_owned(),
        secret: "link",
        hint: "`tidegate operator link` prints another one".to_owned(),
    }
}

/// Prints a link and how long it is valid.
pub fn print_link(context: &Context, link: &Secret) -> Result<()> {
    let printed = screen::print(&format!("{}\n", link.reveal()));
    shown_once().check(context, printed)?;
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
