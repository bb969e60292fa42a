//! Commands, one file for each group. This file only dispatches to them.

mod awake;
mod browser_warning;
mod cert;
mod check;
pub mod cluster;
mod completion;
mod config;
mod confirm;
mod connect;
mod database;
mod endpoint;
mod explain;
mod forms;
mod installed_client;
mod key;
mod logs;
mod machine;
mod master_key;
mod open;
mod operator;
mod profile;
mod serve;
mod service;
mod session;
mod shown_once;
mod single_form;
mod sql;
mod status;
mod system;
mod trust;
mod up;
mod user;
pub mod version;

use crate::args::{Cli, Command};
use crate::context::Context;
use crate::failure::Failure;
use crate::paths;
use crate::profiles::Remote;
use anyhow::Result;

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
        let hint = "leave --server out, or run the command on that machine";
        return Err(Failure::usage(
            "this command works on this machine only, not on a remote server",
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
        Command::Logs(args) => logs::run(&context, &args),
        Command::Cluster(command) => cluster::run(&context, &command),
        Command::User(command) => user::run(&context, &command),
        Command::Database(command) => database::run(&context, &command),
        Command::Session(command) => session::run(&context, &command),
        Command::Connect(args) => connect::run(&context, &args),
        Command::Sql(args) => sql::run(&context, &args),
        Command::Cert(command) => cert::run(&context, &command),
        Command::Service(command) => service::run(&context, &command),
        Command::Trust(command) => trust::run(&context, &command),
        Command::Profile(command) => profile::run(&context, &command),
        Command::Open => open::run(&context),
        Command::Version => version::run(&context),
        Command::Completion(args) => completion::run(&args),
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
        | Command::User(_)
        | Command::Database(_)
        | Command::Session(_)
        | Command::Connect(_)
        | Command::Sql(_)
        | Command::Cert(_)
        | Command::Open
        | Command::Operator(_)
        | Command::Key(_) => true,
        Command::Serve(_)
        | Command::Up(_)
        | Command::Logs(_)
        | Command::Service(_)
        | Command::Trust(_)
        | Command::Profile(_)
        | Command::Config(_)
        | Command::Version
        | Command::Completion(_)
        | Command::Check(_) => false,
    }
}
