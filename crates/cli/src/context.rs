//! Context of a command: the global options, the data directory and the server to talk to, with the
//! helpers that every command uses for that server's answers.

use crate::args::{Global, ServeArgs};
use crate::config::Config;
use crate::failure::Failure;
use crate::other_server::OtherServer;
use crate::paths;
use crate::profiles::Remote;
use crate::server_options::ServerOptions;
pub use crate::server_options::shell_word;
use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};
use tidegate_console::types::Warning;
use tidegate_console::{Client, ClientError};

/// Global options, data directory and remote server of a command.
#[derive(Debug)]
pub struct Context {
    pub global: Global,
    pub data: PathBuf,
    /// Server that --server names.
    pub remote: Option<Remote>,
}

impl Context {
    /// Returns the client of the server that --server names, else of the one that uses this data
    /// directory.
    pub fn client(&self) -> Client {
        match &self.remote {
            Some(remote) => remote.client.clone(),
            None => Client::new(&self.data),
        }
    }

    /// Returns a command line for the same server, for a text that is not the hint of a failure:
    /// those get their options when they are printed.
    pub fn next(&self, command: &str) -> String {
        ServerOptions::of(&self.global).add_to_command(&format!("tidegate {command}"))
    }
}

/// Reads the configuration that a server with these flags would have.
pub fn load_config(context: &Context, flags: &ServeArgs) -> Result<Config> {
    Config::load(&context.global, &context.data, flags, |name| {
        std::env::var(name).ok().filter(|v| !v.is_empty())
    })
}

/// Runs a conversation with the server on this thread.
pub fn ask<T>(conversation: impl Future<Output = Result<T, ClientError>>) -> Result<T> {
    Ok(block_on(conversation)?.map_err(refused)?)
}

/// Runs a future to its end on this thread.
pub fn block_on<F: Future>(future: F) -> Result<F::Output> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the runtime")?;
    Ok(runtime.block_on(future))
}

/// Returns the failure for an error of the server or of the connection to it.
pub fn refused(error: ClientError) -> Failure {
    let hint = match &error {
        ClientError::NoServer { data } => other_server_hint(data),
        _ => None,
    };
    let hint = hint.unwrap_or_else(|| error.hint());
    let code = error.program_code().to_owned();
    Failure::of(error, hint).with_code(code)
}

/// Returns a hint about the server of another user, for a command that looked for one in this
/// user's default data directory only.
fn other_server_hint(data: &Path) -> Option<String> {
    let root = rustix::process::geteuid().is_root();
    let default = paths::data_dir(None, root, |name| std::env::var_os(name)).ok()?;
    if data != default {
        return None;
    }
    Some(OtherServer::find()?.hint())
}

/// Returns a warning as the lines of a labelled row.
pub fn warning_lines(context: &Context, warning: &Warning) -> String {
    let hint = ServerOptions::of(&context.global).add_to(&warning.hint);
    format!("{}\n{}\nhint: {hint}", warning.message, warning.meaning)
}
