//! `tidegate serve` and the life that `up` shares with it: start, say so, wait for a signal, stop
//! in order. It holds no state of its own.

use super::up;
use crate::args::ServeArgs;
use crate::compose::Server;
use crate::compose::reload::Reload;
use crate::context::{Context, load_config};
use crate::signals::{Asked, Hangup, Signals};
use crate::{limits, logging, screen};
use anyhow::{Context as _, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sd_notify::NotifyState;
use tidegate_model::escape::printable_json;

/// Which of the two commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Serve,
    Up,
}

pub fn run(context: &Context, args: &ServeArgs, mode: Mode) -> Result<()> {
    let config = load_config(context, args)?;
    // The lock first: whoever is refused leaves no trace, not even a line in the other's log.
    let dir = crate::compose::lock(&context.data)?;
    let (level, file) = match mode {
        Mode::Serve => (logging::to_stderr(&config)?, None),
        Mode::Up => {
            logging::to_file(&config, dir.root()).map(|(level, file)| (level, Some(file)))?
        }
    };
    raise_descriptor_limit();
    give_memory_back();
    panics_to_the_log();
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    // tokio's own variable counts first.
    if std::env::var_os("TOKIO_WORKER_THREADS").is_none() {
        builder.worker_threads(workers());
    }
    let runtime = builder
        .enable_all()
        .on_thread_start(tidegate_tls::warm_thread)
        .build()
        .context("starting threads")?;
    let reload = Reload {
        context,
        flags: args,
        started: &config,
        level,
    };
    let ended = runtime.block_on(life(&reload, dir, mode));
    runtime.shutdown_timeout(limits::RUNTIME_STOP_MAX);
    file.iter()
        .for_each(|file| file.flush(limits::LOG_FLUSH_MAX));
    screen::flush();
    ended
}

/// Half the cores: the engines need the other half, and fewer workers wake one another less often.
/// What that gives and costs was measured (docs/decisions/0013-workers.md).
fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1))
}

async fn life(reload: &Reload<'_>, dir: tidegate_control::DataDir, mode: Mode) -> Result<()> {
    let context = reload.context;
    let mut signals = Signals::listen(if mode == Mode::Up {
        Hangup::Stops
    } else {
        Hangup::Reloads
    })?;
    let _ = sd_notify::notify(&[NotifyState::Status("starting")]);
    let starting = Server::start(dir, reload.started, mode == Mode::Up);
    let server = tokio::select! {
        started = starting => started?,
        why = signals.stop() => {
            screen::say(&format!("{why} while starting: stopped"));
            return Ok(());
        }
    };
    let greeted = tokio::select! {
        greeted = greet(context, &server, mode) => greeted,
        _ = signals.stop() => Ok(Greeted::Interrupted),
    };
    let ended = match greeted {
        Ok(Greeted::Done) => {
            let why = serving(&mut signals, reload, &server).await;
            tracing::info!(signal = why, "stopping");
            Ok(())
        }
        Ok(Greeted::Interrupted) => Ok(()),
        Err(error) => Err(error),
    };
    let _ = sd_notify::notify(&[
        NotifyState::Stopping,
        NotifyState::Status("stopping: sessions first, engines last"),
    ]);
    if mode == Mode::Up && ended.is_ok() {
        screen::say("\nstopping: sessions first, engines last (Ctrl-C again leaves at once)");
    }
    signals.leave_at_the_next();
    server.stop().await;
    if mode == Mode::Up && ended.is_ok() {
        screen::say(&format!(
            "stopped; `{}` starts it again with the same data",
            context.next("up")
        ));
    }
    ended
}

/// Until a stop is asked for.
async fn serving(signals: &mut Signals, reload: &Reload<'_>, server: &Server) -> &'static str {
    let listen: Vec<String> = server.listening().iter().map(ToString::to_string).collect();
    let status = format!("listening on {}", listen.join(", "));
    let _ = sd_notify::notify(&[NotifyState::Ready, NotifyState::Status(&status)]);
    loop {
        match signals.next().await {
            Asked::Stop(why) => return why,
            Asked::Reload => reload.run(server).await,
        }
    }
}

enum Greeted {
    Done,
    Interrupted,
}

async fn greet(context: &Context, server: &Server, mode: Mode) -> Result<Greeted> {
    match mode {
        Mode::Up => up::greet(context, server).await?,
        Mode::Serve => announce(context, server)?,
    }
    Ok(Greeted::Done)
}

fn announce(context: &Context, server: &Server) -> Result<()> {
    let listen: Vec<String> = server.listening().iter().map(ToString::to_string).collect();
    tracing::info!(listen = listen.join(", "), data = %context.data.display(), pid = std::process::id(), "ready");
    let console = server.face().console;
    if context.global.json {
        let line = serde_json::json!({ "ready": true, "listen": listen, "console": console, "pid": std::process::id() });
        screen::print_raw(&format!("{}\n", printable_json(&line.to_string())))?;
    }
    Ok(())
}

/// A session takes two descriptors; the usual soft limit of 1024 would end at 500 of them.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the limit on open files stays as it is");
    }
}

/// Memory that a flood took goes back to the system some ten seconds after it, from a thread of the
/// allocator's own: an idle server allocates too little to do it in passing. Not set at build time,
/// since that thread would be in every process of this program, and the helper that becomes an
/// engine must have one thread.
fn give_memory_back() {
    if let Err(error) = tikv_jemalloc_ctl::background_thread::write(true) {
        tracing::warn!(%error, "memory is given back to the system late");
    }
}

/// A panic ends one connection; its trace belongs into the log like everything else.
fn panics_to_the_log() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string);
        let what = info.payload_as_str().unwrap_or("no message");
        tracing::error!(place, what, "panic");
    }));
}
