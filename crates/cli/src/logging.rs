//! Where log lines go: standard error for `serve`, a file for `up`, through a queue that never
//! makes anybody wait. It decides format and level, and never what is worth a line.

use crate::config::Config;
use crate::log_file::LogFile;
use crate::log_queue::LogQueue;
use anyhow::{Context, Result};
use std::io::IsTerminal;
use std::path::Path;
use tidegate_model::printable;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::debug_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

fn is_json(config: &Config, terminal: bool) -> Result<bool> {
    Ok(match config.text("log.format")? {
        "json" => true,
        "human" => false,
        _ => !terminal,
    })
}

fn filter(config: &Config) -> Result<EnvFilter> {
    Ok(config.text("log.level")?.parse()?)
}

/// Returns the format of a line's message and fields for people, in which text of others can
/// neither begin a line of its own nor move the cursor. JSON escapes what it must by itself.
fn human_fields() -> impl for<'w> FormatFields<'w> + 'static {
    debug_fn(|out, field, value| {
        let text = format!("{value:?}");
        match field.name() {
            "message" => write!(out, "{}", printable(&text)),
            name => write!(out, "{name}={}", printable(&text)),
        }
    })
    .delimited(" ")
}

/// What is worth a line can be changed while the server runs.
#[derive(Debug)]
pub struct Level(reload::Handle<EnvFilter, Registry>);

impl Level {
    pub fn set(&self, config: &Config) -> Result<()> {
        self.0
            .reload(filter(config)?)
            .context("setting the log's level")
    }
}

/// All of the log on standard error.
pub fn to_stderr(config: &Config) -> Result<Level> {
    let terminal = std::io::stderr().is_terminal();
    let (writer, _) = crate::screen::queue()?;
    let layer = if is_json(config, terminal)? {
        fmt::layer().json().with_writer(writer.clone()).boxed()
    } else {
        let colours = terminal && crate::screen::colours();
        fmt::layer()
            .fmt_fields(human_fields())
            .with_ansi(colours)
            .with_writer(writer.clone())
            .boxed()
    };
    let (filter, level) = reload::Layer::new(filter(config)?);
    tracing_subscriber::registry()
        .with(layer.with_filter(filter))
        .try_init()
        .context("the log")?;
    Ok(Level(level))
}

/// All of it in a file; on the screen only what needs a person.
pub fn to_file(config: &Config, data: &Path) -> Result<(Level, LogQueue)> {
    let dir = data.join("log");
    let file = LogFile::open(&dir, "tidegate.log")
        .with_context(|| format!("opening the log in {}", dir.display()))?;
    let writer = LogQueue::start("log-file", file).context("starting the log's thread")?;
    let layer = if is_json(config, false)? {
        fmt::layer().json().with_writer(writer.clone()).boxed()
    } else {
        fmt::layer()
            .fmt_fields(human_fields())
            .with_ansi(false)
            .with_writer(writer.clone())
            .boxed()
    };
    let terminal = std::io::stderr().is_terminal();
    let (screen, _) = crate::screen::queue()?;
    let screen = fmt::layer()
        .fmt_fields(human_fields())
        .with_ansi(terminal && crate::screen::colours())
        .without_time()
        .with_target(false)
        .with_writer(screen.clone())
        .with_filter(LevelFilter::WARN);
    let (filter, level) = reload::Layer::new(filter(config)?);
    tracing_subscriber::registry()
        .with(layer.with_filter(filter))
        .with(screen)
        .try_init()
        .context("the log")?;
    Ok((Level(level), writer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log_sink::Sink;

    #[test]
    fn a_line_for_people_stays_one_line_whatever_its_fields_hold() {
        let sink = Sink::default();
        let writer = sink.clone();
        let layer = fmt::layer()
            .fmt_fields(human_fields())
            .with_ansi(false)
            .with_writer(move || writer.clone());
        let hostile = "a\x1b]0;x\x07\n2026-11-30 ERROR forged \u{202e}\u{9b}31m";
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            tracing::info!(user = hostile, shown = %hostile, debug = ?hostile, "message {hostile}");
        });
        let text = String::from_utf8(sink.bytes()).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(
            text.chars()
                .all(|c| c == '\n' || c.is_ascii_graphic() || c == ' '),
            "{text:?}"
        );
        assert!(
            text.contains("message a\\x1b]0;x") && text.contains("shown=a\\x1b]0;x"),
            "{text}"
        );
    }
}
