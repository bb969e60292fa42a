//! Context of a command: the global options, the data directory, and the server to talk to; and
//! what every command does with that server's answers.

use crate::args::{Global, ServeArgs};
use crate::config::Config;
use crate::failure::Failure;
use crate::profiles::Remote;
use anyhow::{Context as _, Result};
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

/// Reads the configuration that a server with these flags would have.
pub fn load_config(context: &Context, flags: &ServeArgs) -> Result<Config> {
    Config::load(&context.global, &context.data, flags, |name| {
        std::env::var(name).ok().filter(|v| !v.is_empty())
    })
}

/// Runs one conversation with the server, on this thread.
pub fn ask<T>(conversation: impl Future<Output = Result<T, ClientError>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the runtime")?;
    Ok(runtime.block_on(conversation).map_err(refused)?)
}

/// What the server or the way to it said.
pub fn refused(error: ClientError) -> Failure {
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
pub fn warning_lines(warning: &Warning) -> String {
    format!(
        "{}\n{}\nhint: {}",
        warning.message, warning.meaning, warning.hint
    )
}

/// As one word of a shell line.
pub fn shell_word(text: &str) -> String {
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
