//! The grammar of `tidegate cluster`. It decides nothing.

use crate::config::value::duration;
use clap::{Args, Subcommand};
use std::time::Duration;
use tidegate_model::Size;

#[derive(Debug, Subcommand)]
pub enum ClusterCommand {
    /// Make a cluster and print its login, with the password (once)
    Create {
        /// Its name: a-z, 0-9 and '-', starting with a letter
        name: String,
        /// Kind of its engine; `cluster engines` lists them [default: mariadb]
        #[arg(long, value_name = "KIND")]
        engine: Option<String>,
        /// Parameter of the kind of engine; may be given several times
        ///
        /// `cluster engines` lists the parameters of each kind. A parameter that is a list takes
        /// several values: repeat it for each.
        #[arg(
            long = "set",
            value_name = "NAME=VALUE",
            value_parser = name_and_value,
            hide_short_help = true
        )]
        parameters: Vec<(String, String)>,
        #[command(flatten)]
        limits: LimitArgs,
    },
    /// List the kinds of engines that a cluster can have, with their parameters
    Engines,
    /// List all clusters
    List,
    /// Show one cluster: login, endpoint, state, limits and measured use
    Show { name: String },
    /// Change what a cluster may use, asleep or awake; open sessions go on
    Set {
        name: String,
        #[command(flatten)]
        limits: LimitArgs,
        /// Allow DELETE, DROP and TRUNCATE at the disk limit, such as 10m
        ///
        /// For this long, at most 1h. Above its disk limit a cluster is read-only, which refuses
        /// DROP too.
        #[arg(long, value_name = "TIME", value_parser = duration)]
        allow_shrink: Option<Duration>,
    },
    /// Delete a cluster and all its data
    Delete {
        name: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// Put a cluster to sleep now, if no session is busy
    Sleep { name: String },
    /// Wake a cluster now
    Wake { name: String },
    /// Make a new password for a cluster's root and print it (once)
    Password {
        name: String,
        /// End the engine and all its sessions first, and repair its accounts
        ///
        /// For an engine that can't change its accounts now, because a session has locked them. If
        /// the engine refuses the new password, this happens without being asked for.
        #[arg(long)]
        repair: bool,
    },
}

#[derive(Debug, Clone, Copy, Default, Args)]
pub struct LimitArgs {
    /// Sessions at once, from 1 to 10000
    #[arg(long, value_name = "N")]
    pub connections_max: Option<u32>,
    /// Asleep after this long without work, such as 90s, 5m or 1h
    ///
    /// Work is a busy session or an open transaction.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub sleep_after: Option<Duration>,
    /// A transaction idle for longer no longer keeps the cluster awake
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub transaction_idle_max: Option<Duration>,
    /// Memory of its engine, such as 512M; at least 128M
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub memory_max: Option<Size>,
    /// Disk of its files, such as 10G; at least 256M
    ///
    /// Above it the cluster is read-only.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub disk_max: Option<Size>,
    /// Share of a busy processor, from 1 to 10000
    ///
    /// A cluster with 200 gets twice as much as one with 100.
    #[arg(long, value_name = "N")]
    pub cpu_weight: Option<u32>,
    /// Processes and threads of its engine, from 64 to 65536
    #[arg(long, value_name = "N")]
    pub tasks_max: Option<u32>,
}

/// Reads `NAME=VALUE`; the value may contain `=`.
fn name_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.to_owned()))
        }
        _ => Err("must be NAME=VALUE".to_owned()),
    }
}

fn size(text: &str) -> Result<Size, String> {
    Size::parse(text).map_err(|wrong| wrong.to_string())
}
