//! Where log lines go: standard error for `serve`, a file for `up`. It decides format and level, and never what is
//! worth a line.

use crate::config::Config;
use anyhow::{Context, Result};
use std::fs::{File, OpenOptions};
use std::io::IsTerminal;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Mutex;
use tracing_subscriber::filter::LevelFilter;
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

/// What is worth a line can be changed while the server runs.
#[derive(Debug)]
pub struct Level(reload::Handle<EnvFilter, Registry>);

impl Level {
    pub fn set(&self, config: &Config) -> Result<()> {
        self.0.reload(filter(config)?).context("setting the log's level")
    }
}

/// All of the log on standard error.
pub fn to_stderr(config: &Config) -> Result<Level> {
    let terminal = std::io::stderr().is_terminal();
    let layer = if is_json(config, terminal)? {
        fmt::layer().json().with_writer(std::io::stderr).boxed()
    } else {
        fmt::layer().with_ansi(terminal && crate::screen::colours()).with_writer(std::io::stderr).boxed()
    };
    let (filter, level) = reload::Layer::new(filter(config)?);
    tracing_subscriber::registry().with(layer.with_filter(filter)).try_init().context("the log")?;
    Ok(Level(level))
}

/// All of it in a file; on the screen only what needs a person.
pub fn to_file(config: &Config, data: &Path) -> Result<Level> {
    let file = open(&data.join("log"), "tidegate.log")?;
    let layer = if is_json(config, false)? {
        fmt::layer().json().with_writer(Mutex::new(file)).boxed()
    } else {
        fmt::layer().with_ansi(false).with_writer(Mutex::new(file)).boxed()
    };
    let terminal = std::io::stderr().is_terminal();
    let screen = fmt::layer()
        .with_ansi(terminal && crate::screen::colours())
        .without_time()
        .with_target(false)
        .with_writer(|| crate::screen::BesideSpinner)
        .with_filter(LevelFilter::WARN);
    let (filter, level) = reload::Layer::new(filter(config)?);
    tracing_subscriber::registry().with(layer.with_filter(filter)).with(screen).try_init().context("the log")?;
    Ok(Level(level))
}

fn open(dir: &Path, name: &str) -> Result<File> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .with_context(|| format!("making {}", dir.display()))?;
    let path = dir.join(name);
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(&path)
        .with_context(|| format!("opening the log {}", path.display()))
}
