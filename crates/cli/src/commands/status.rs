//! `tidegate status`: shows the running server.

use crate::context::{Context, ask, warning_lines};
use crate::screen;
use anyhow::Result;
use tidegate_connect::bracketed;
use tidegate_console::types::Server;

pub fn run(context: &Context) -> Result<()> {
    let server = ask(context.client().server())?;
    if context.global.json {
        return screen::print_json(&server);
    }
    screen::print(&screen::labelled(&rows(context, &server)))
}

fn rows(context: &Context, server: &Server) -> Vec<(&'static str, String)> {
    let recovery = if server.ready {
        "done"
    } else {
        "in progress: clusters that did not stop cleanly are being recovered"
    };
    let disk = match &server.disk_full {
        Some(warning) => warning_lines(context, warning),
        None => "has free space".to_owned(),
    };
    vec![
        ("version", server.version.clone()),
        ("process", server.pid.to_string()),
        (
            "endpoint",
            format!("{}:{}", bracketed(&server.host), server.port),
        ),
        ("listens", server.listeners.join(", ")),
        ("trust", server.trust.clone()),
        (
            "ca",
            server
                .ca
                .clone()
                .unwrap_or_else(|| "none needed".to_owned()),
        ),
        (
            "console",
            server.console.clone().unwrap_or_else(|| "none".to_owned()),
        ),
        ("recovery", recovery.to_owned()),
        ("disk", disk),
    ]
}
