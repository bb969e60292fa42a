//! The commands, one file per group. Here only the way to them.

mod cert;
mod check;
pub mod cluster;
mod config;
mod connect;
mod explain;
mod key;
mod operator;
mod profile;
mod serve;
mod service;
mod session;
mod sql;
mod status;
mod trust;
mod up;

use crate::args::{Cli, Command, Global};
use crate::failure::Failure;
use crate::paths;
use crate::profiles::Remote;
use anyhow::{Context as _, Result};
pub use config::load as load_config;
use std::path::PathBuf;
use tidegate_console::types::Warning;
use tidegate_console::{Client, ClientError};

/// What every command has: the global options and where the data lies.
#[derive(Debug)]
pub struct Context {
    pub global: Global,
    pub data: PathBuf,
    /// The server that --server names.
    pub remote: Option<Remote>,
}

impl Context {
    /// The running server: the one that --server names, else the one on this data directory.
    pub fn client(&self) -> Client {
        match &self.remote {
            Some(remote) => remote.client.clone(),
            None => Client::new(&self.data),
        }
    }

    /// A command for the person to type next, which finds the same server.
    pub fn next(&self, command: &str) -> String {
        match (&self.global.data, &self.global.server) {
            (_, Some(server)) => format!("tidegate {command} --server {}", shell_word(server)),
            (Some(_), None) => format!(
                "tidegate {command} --data {}",
                shell_word(&self.data.display().to_string())
            ),
            (None, None) => format!("tidegate {command}"),
        }
    }
}

pub fn run(cli: Cli) -> Result<()> {
    let root = rustix::process::geteuid().is_root();
    let data = paths::data_dir(cli.global.data.clone(), root, |name| std::env::var_os(name))?;
    let remote = match cli
        .global
        .server
        .as_deref()
        .filter(|_| !matches!(cli.command, Command::Profile(_)))
    {
        Some(server) => Some(Remote::open(server, |name| std::env::var_os(name))?),
        None => None,
    };
    if remote.is_some() && !asks_a_server(&cli.command) {
        let hint = "leave --server out, or run it on that machine";
        return Err(Failure::usage(
            "this command is about this machine, not about a server elsewhere",
            hint,
        )
        .into());
    }
    let context = Context {
        global: cli.global,
        data,
        remote,
    };
    match cli.command {
        Command::Serve(args) => serve::run(&context, &args, serve::Mode::Serve),
        Command::Up(args) => serve::run(&context, &args, serve::Mode::Up),
        Command::Status => status::run(&context),
        Command::Cluster(command) => cluster::run(&context, &command),
        Command::Session(command) => session::run(&context, &command),
        Command::Connect(args) => connect::run(&context, &args),
        Command::Sql(args) => sql::run(&context, &args),
        Command::Cert(command) => cert::run(&context, &command),
        Command::Service(command) => service::run(&context, &command),
        Command::Trust(command) => trust::run(&context, &command),
        Command::Profile(command) => profile::run(&context, &command),
        Command::Operator(command) => operator::run(&context, &command),
        Command::Key(command) => key::run(&context, &command),
        Command::Config(command) => config::run(&context, &command),
        Command::Check(args) => check::run(&context, &args),
    }
}

fn asks_a_server(command: &Command) -> bool {
    match command {
        Command::Status
        | Command::Cluster(_)
        | Command::Session(_)
        | Command::Connect(_)
        | Command::Sql(_)
        | Command::Cert(_)
        | Command::Operator(_)
        | Command::Key(_) => true,
        Command::Serve(_)
        | Command::Up(_)
        | Command::Service(_)
        | Command::Trust(_)
        | Command::Profile(_)
        | Command::Config(_)
        | Command::Check(_) => false,
    }
}

/// Runs one conversation with the server, on this thread.
fn ask<T>(conversation: impl Future<Output = Result<T, ClientError>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the runtime")?;
    Ok(runtime.block_on(conversation).map_err(refused)?)
}

/// What the server or the way to it said.
fn refused(error: ClientError) -> Failure {
    let failure = Failure::new(error.to_string(), error.hint());
    Failure {
        usage: matches!(
            error.code(),
            Some("bad_name" | "bad_limits" | "bad_parameters")
        ),
        ..failure
    }
}

/// Warning in the lines that a labelled row takes.
fn warning_lines(warning: &Warning) -> String {
    format!(
        "{}\n{}\nhint: {}",
        warning.message, warning.meaning, warning.hint
    )
}

/// As one word of a shell line.
fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_survives_the_shell() {
        for (text, want) in [
            ("/a/b-c", "/a/b-c"),
            ("/a b", "'/a b'"),
            ("it's", "'it'\\''s'"),
            ("", "''"),
        ] {
            assert_eq!(shell_word(text), want);
        }
    }
}
