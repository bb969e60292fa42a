//! `tidegate connect NAME`: prints the lines that connect. The lines themselves are the room `connect`'s.

use super::Context;
use crate::args::ConnectArgs;
use crate::failure::Failure;
use crate::screen::{self, Paint};
use anyhow::Result;
use tidegate_connect::{Endpoint, clients, render};

pub fn run(context: &Context, args: &ConnectArgs) -> Result<()> {
    let known: Vec<&str> = clients().iter().map(|c| c.id.as_str()).collect();
    if let Some(client) = args.client.as_deref().filter(|c| !known.contains(c)) {
        let cause = format!("no client is known as {client:?}");
        return Err(Failure::usage(cause, format!("choose one of: {}", known.join(", "))).into());
    }
    let endpoint = super::cluster::endpoint(context, &args.name, &args.user)?;
    let lines = lines(&endpoint);
    let wanted = |id: &str| args.client.as_deref().is_none_or(|c| c == id);
    let lines: Vec<_> = lines.into_iter().filter(|(id, _)| wanted(id)).collect();
    if context.global.json {
        let object: serde_json::Map<_, _> = lines.into_iter().map(|(id, line)| (id, line.into())).collect();
        return screen::print_json(&object);
    }
    let paint = Paint::stdout();
    let text: Vec<_> = lines.iter().map(|(id, line)| format!("{}\n{line}\n", paint.dim(&format!("# {id}")))).collect();
    screen::print(&text.join("\n"))
}

/// One line per client, by its id. A client that can't reach this endpoint is left out.
pub fn lines(endpoint: &Endpoint) -> Vec<(String, String)> {
    clients().iter().filter_map(|c| Some((c.id.clone(), render(&c.id, endpoint, None).ok()?.text))).collect()
}
