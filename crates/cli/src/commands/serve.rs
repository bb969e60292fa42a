//! `tidegate serve`, and what `up` shares with it: start the server, announce it, wait for a
//! signal, stop in order.

use super::up;
use crate::args::ServeArgs;
use crate::compose::Server;
use crate::compose::host::check_host;
use crate::compose::reload::Reload;
use crate::config::Config;
use crate::context::{Context, load_config};
use crate::signals::{Asked, Hangup, SIGTERM, Signals};
use crate::{limits, logging, screen};
use anyhow::{Context as _, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sd_notify::NotifyState;
use std::time::Duration;
use tidegate_model::escape::printable_json;

/// Whether `serve` or `up` was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Serve,
    Up,
}

pub fn run(context: &Context, args: &ServeArgs, mode: Mode) -> Result<()> {
    let config = load_config(context, args)?;
    check_host()?;
    // Before the log is opened, so that a second server writes no line into the log of the first.
    let dir = crate::compose::lock(&context.data)?;
    let (level, file) = match mode {
        Mode::Serve => (logging::to_stderr(&config)?, None),
        Mode::Up => {
            logging::to_file(&config, dir.root()).map(|(level, file)| (level, Some(file)))?
        }
    };
    raise_descriptor_limit();
    return_memory_in_background();
    log_panics();
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    // tokio's environment variable takes precedence.
    if std::env::var_os("TOKIO_WORKER_THREADS").is_none() {
        builder.worker_threads(workers());
    }
    let runtime = builder
        .enable_all()
        // So that no handshake waits for the seed of its thread's random generator.
        .on_thread_start(tidegate_tls::warm_thread)
        .build()
        .context("starting threads")?;
    let reload = Reload {
        context,
        flags: args,
        started: &config,
        level,
    };
    let ended = runtime.block_on(run_server(&reload, dir, mode));
    runtime.shutdown_timeout(limits::RUNTIME_STOP_MAX);
    // After the runtime, whose last tasks still log.
    if let Some(file) = file {
        file.flush(limits::LOG_FLUSH_MAX);
    }
    screen::flush();
    ended
}

/// Returns the number of worker threads: half the cores. The engines need the other half, and fewer
/// workers wake each other less often. docs/decisions/0013-workers.md has the measurements.
fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1))
}

/// Starts the server, runs it until a signal asks for a stop, and stops it.
async fn run_server(reload: &Reload<'_>, dir: tidegate_control::DataDir, mode: Mode) -> Result<()> {
    let context = reload.context;
    // Before the start, which a signal must be able to interrupt in order.
    let mut signals = Signals::listen(if mode == Mode::Up {
        Hangup::Stops
    } else {
        Hangup::Reloads
    })?;
    let times = StopTimes::of(reload.started)?;
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
        _ = signals.stop() => Ok(GreetingEnd::Interrupted),
    };
    let ended = match greeted {
        Ok(GreetingEnd::Done) => {
            let why = serve_until_stopped(&mut signals, reload, &server).await;
            // A person at a terminal (Ctrl-C, SIGHUP) does not wait.
            if why == SIGTERM && !times.drain.is_zero() {
                drain(&mut signals, &server, &times).await;
            }
            tracing::info!(signal = why, "stopping");
            Ok(())
        }
        Ok(GreetingEnd::Interrupted) => Ok(()),
        Err(error) => Err(error),
    };
    let _ = sd_notify::notify(&[
        NotifyState::Stopping,
        NotifyState::Status("stopping: sessions first, engines last"),
        extended_by(times.stop),
    ]);
    if mode == Mode::Up && ended.is_ok() {
        screen::say("\nstopping: sessions first, engines last (Ctrl-C again exits immediately)");
    }
    // Before the stop, which may take long.
    signals.exit_at_the_next();
    server.stop().await;
    if mode == Mode::Up && ended.is_ok() {
        screen::say(&format!(
            "stopped; `{}` starts it again with the same data",
            context.next("up")
        ));
    }
    ended
}

/// Waits for signals, and returns the name of the one that asks for a stop. Reloads when asked to.
async fn serve_until_stopped(
    signals: &mut Signals,
    reload: &Reload<'_>,
    server: &Server,
) -> &'static str {
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

/// Times of a stop.
struct StopTimes {
    /// Connections are still accepted for this time.
    drain: Duration,
    /// Time for sessions and engines to end.
    stop: Duration,
}

impl StopTimes {
    fn of(config: &Config) -> Result<Self> {
        Ok(Self {
            drain: config.duration("gateway.drain_delay")?,
            stop: config.duration("gateway.stop_grace")? + limits::ENGINES_STOP,
        })
    }
}

/// Asks the service manager for this much time, whatever `TimeoutStopSec` is: it kills a server
/// that takes longer, and the engines are recovered at the next start.
fn extended_by(time: Duration) -> NotifyState<'static> {
    NotifyState::ExtendTimeoutUsec(u32::try_from(time.as_micros()).unwrap_or(u32::MAX))
}

/// Lets a load balancer take this server out of use before it stops: `/readyz` answers 503, and
/// connections are still accepted. Only after SIGTERM, which service managers send. The next signal
/// ends the wait.
async fn drain(signals: &mut Signals, server: &Server, times: &StopTimes) {
    server.set_draining();
    tracing::info!(
        delay_s = times.drain.as_secs_f64(),
        "draining: not ready, but accepting connections"
    );
    let _ = sd_notify::notify(&[
        NotifyState::Stopping,
        NotifyState::Status("draining: not ready, but accepting connections"),
        extended_by(times.drain + times.stop),
    ]);
    tokio::select! {
        () = tokio::time::sleep(times.drain) => {}
        _ = signals.stop() => {}
    }
}

enum GreetingEnd {
    Done,
    Interrupted,
}

async fn greet(context: &Context, server: &Server, mode: Mode) -> Result<GreetingEnd> {
    match mode {
        Mode::Up => {
            up::greet(context, server).await?;
            screen::say(&format!(
                "log: {} (`{}` follows it)",
                logging::server_log(&context.data).display(),
                context.next("logs -f")
            ));
        }
        Mode::Serve => {
            server.open_database_ports()?;
            announce(context, server)?;
        }
    }
    Ok(GreetingEnd::Done)
}

fn announce(context: &Context, server: &Server) -> Result<()> {
    let listen: Vec<String> = server.listening().iter().map(ToString::to_string).collect();
    let pid = std::process::id();
    tracing::info!(
        listen = listen.join(", "),
        data = %context.data.display(),
        pid,
        "ready"
    );
    if context.global.json {
        let line = serde_json::json!({
            "ready": true,
            "listen": listen,
            "console": server.face().console,
            "pid": pid,
        });
        screen::print_raw(&format!("{}\n", printable_json(&line.to_string())))?;
    }
    Ok(())
}

/// Raises the soft limit on open files to the hard one. A session takes two descriptors, so the
/// usual soft limit of 1024 would allow about 500 sessions.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the limit on open files could not be raised");
    }
}

/// Starts the allocator's background thread, which returns unused memory to the system about ten
/// seconds after a flood: an idle server allocates too little to do it on the way. It is not set at
/// build time, because then every process of this program would have that thread, and the helper
/// that becomes an engine must have only one.
fn return_memory_in_background() {
    if let Err(error) = tikv_jemalloc_ctl::background_thread::write(true) {
        tracing::warn!(%error, "unused memory is returned to the system late");
    }
}

/// Writes panics to the log instead of standard error. A panic ends only one connection.
fn log_panics() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string);
        let what = info.payload_as_str().unwrap_or("no message");
        tracing::error!(place, what, "panic");
    }));
}
