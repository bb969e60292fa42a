//! `tidegate status`: shows the running server, its clusters, and what this machine gives them.

use super::machine::{limit_lines, wall_lines};
use crate::context::{Context, ask, warning_lines};
use crate::screen;
use anyhow::Result;
use tidegate_connect::bracketed;
use tidegate_console::types::{Certificate, Server};
use tidegate_model::Size;

pub fn run(context: &Context) -> Result<()> {
    let client = context.client();
    let (server, certificate) = ask(async {
        let server = client.server().await?;
        Ok((server, client.certificate().await?))
    })?;
    if context.global.json {
        let mut all = serde_json::to_value(&server)?;
        if let Some(all) = all.as_object_mut() {
            let certificate = serde_json::to_value(&certificate)?;
            all.insert("certificate".to_owned(), certificate);
        }
        return screen::print_json(&all);
    }
    let mut rows = server_rows(&server);
    rows.push(("cert", certificate_text(&certificate)));
    rows.extend(machine_rows(context, &server));
    screen::print(&screen::labelled(&rows))
}

fn server_rows(server: &Server) -> Vec<(&'static str, String)> {
    vec![
        ("version", server.version.clone()),
        ("process", server.pid.to_string()),
        (
            "endpoint",
            format!("{}:{}", bracketed(&server.host), server.port),
        ),
        ("listens", server.listeners.join(", ")),
        ("console", text_or(server.console.as_deref(), "none")),
        ("trust", server.trust.clone()),
        ("ca", text_or(server.ca.as_deref(), "none needed")),
    ]
}

fn text_or(text: Option<&str>, none: &str) -> String {
    text.unwrap_or(none).to_owned()
}

fn certificate_text(certificate: &Certificate) -> String {
    let mut text = format!(
        "from {}, valid until {}",
        certificate.source, certificate.served.not_after
    );
    for alarm in &certificate.alarms {
        text.push_str(&format!("\nALARM: {alarm}"));
    }
    text
}

fn machine_rows(context: &Context, server: &Server) -> Vec<(&'static str, String)> {
    let clusters = &server.clusters;
    let states = [
        ("awake", clusters.awake),
        ("asleep", clusters.asleep),
        ("waking", clusters.waking),
        ("falling asleep", clusters.draining),
        ("failed", clusters.failed),
    ];
    let states: Vec<String> = states
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(state, count)| format!("{count} {state}"))
        .collect();
    let mut counts = clusters.total.to_string();
    if !states.is_empty() {
        counts.push_str(&format!(": {}", states.join(", ")));
    }
    let recovery = if server.ready {
        "done"
    } else {
        "in progress: clusters that did not stop cleanly are being recovered"
    };
    let mut disk = server.disk.as_ref().map_or("unknown".to_owned(), |disk| {
        format!(
            "{} free of {}",
            Size(disk.free_bytes).rounded(),
            Size(disk.size_bytes).rounded()
        )
    });
    if let Some(warning) = &server.disk_full {
        disk.push_str(&format!("\n{}", warning_lines(context, warning)));
    }
    vec![
        ("clusters", counts),
        ("sessions", clusters.sessions.to_string()),
        ("recovery", recovery.to_owned()),
        (
            "memory",
            format!(
                "awake clusters use {} of {}",
                Size(server.memory.used_bytes).rounded(),
                Size(server.memory.max_bytes).rounded()
            ),
        ),
        ("disk", disk),
        ("walls", wall_lines(&server.walls).join("\n")),
        ("limits", limit_lines(&server.limits).join("\n")),
        ("backups", "none: this version makes no backups".to_owned()),
    ]
}
