//! The log: on standard error for `serve`, in a file for `up`, and always through a queue, so that
//! no thread that logs waits for the writer.

mod file;
mod filter;
mod format;
pub mod queue;
#[cfg(test)]
pub mod sink;

use crate::config::Config;
use anyhow::{Context, Result};
use file::LogFile;
use filter::{LineFilter, is_ours};
use format::{JsonLine, human_fields};
use queue::LogQueue;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use tracing_subscriber::filter::{FilterExt, LevelFilter, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt, reload};

/// Folder of the log of `up`, in the data directory.
const LOG_DIR: &str = "log";
const LOG_NAME: &str = "tidegate.log";

/// Returns the path of the log that `up` writes.
pub fn server_log(data: &Path) -> PathBuf {
    data.join(LOG_DIR).join(LOG_NAME)
}

fn is_json(config: &Config, terminal: bool) -> Result<bool> {
    Ok(match config.text("log.format")? {
        "json" => true,
        "human" => false,
        _ => !terminal,
    })
}

fn filter(config: &Config) -> Result<LineFilter> {
    Ok(LineFilter::new(config.text("log.level")?.parse()?))
}

/// Handle of the log level, which can be changed while the server runs.
#[derive(Debug)]
pub struct Level(reload::Handle<LineFilter, Registry>);

impl Level {
    pub fn set(&self, config: &Config) -> Result<()> {
        self.0
            .reload(filter(config)?)
            .context("setting the log's level")
    }
}

/// Returns the layer that writes all lines of the level, and the level's handle.
fn layer(
    config: &Config,
    json: bool,
    colours: bool,
    writer: &LogQueue,
) -> Result<(impl Layer<Registry> + use<>, Level)> {
    let layer = fmt::layer()
        .fmt_fields(human_fields())
        .with_ansi(colours)
        .with_writer(writer.clone());
    let layer = if json {
        layer.event_format(JsonLine).boxed()
    } else {
        layer.boxed()
    };
    let (filter, level) = reload::Layer::new(filter(config)?);
    Ok((layer.with_filter(filter), Level(level)))
}

/// Writes the whole log to standard error.
pub fn to_stderr(config: &Config) -> Result<Level> {
    let terminal = std::io::stderr().is_terminal();
    let (writer, _) = crate::screen::queue()?;
    let json = is_json(config, terminal)?;
    let colours = !json && terminal && crate::screen::colours();
    let (layer, level) = layer(config, json, colours, writer)?;
    tracing_subscriber::registry()
        .with(layer)
        .try_init()
        .context("the log")?;
    Ok(level)
}

/// Writes the whole log to a file, and warnings and errors also to the screen.
pub fn to_file(config: &Config, data: &Path) -> Result<(Level, LogQueue)> {
    let dir = data.join(LOG_DIR);
    let file = LogFile::open(&dir, LOG_NAME)
        .with_context(|| format!("opening the log in {}", dir.display()))?;
    let writer = LogQueue::start("log-file", file).context("starting the log's thread")?;
    let (layer, level) = layer(config, is_json(config, false)?, false, &writer)?;
    let terminal = std::io::stderr().is_terminal();
    let (screen, _) = crate::screen::queue()?;
    let screen = fmt::layer()
        .fmt_fields(human_fields())
        .with_ansi(terminal && crate::screen::colours())
        .without_time()
        .with_target(false)
        .with_writer(screen.clone())
        // Warnings of libraries need nobody's attention.
        .with_filter(LevelFilter::WARN.and(filter_fn(is_ours)));
    tracing_subscriber::registry()
        .with(layer)
        .with(screen)
        .try_init()
        .context("the log")?;
    Ok((level, writer))
}
