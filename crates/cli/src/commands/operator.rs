//! `tidegate operator link`: prints a link that signs a browser in to the console.

use crate::args::OperatorCommand;
use crate::context::{Context, ask};
use crate::screen;
use anyhow::Result;

pub fn run(context: &Context, command: &OperatorCommand) -> Result<()> {
    match command {
        OperatorCommand::Link => {
            let link = ask(context.client().sign_in_link())?;
            if context.global.json {
                return screen::print_json(&link);
            }
            screen::print(&format!("{}\n", link.url.reveal()))?;
            screen::say("open it in a browser within 15 minutes; it signs in once");
            Ok(())
        }
    }
}
