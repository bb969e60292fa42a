//! The grammar of `tidegate cluster`. It decides nothing.

use crate::config::value::duration;
use clap::{Args, Subcommand};
use std::time::Duration;

#[derive(Debug, Subcommand)]
pub enum ClusterCommand {
    /// Make a cluster and print its login, with the password (once)
    Create {
        /// Its name: a-z, 0-9 and '-', starting with a letter
        name: String,
        #[command(flatten)]
        limits: LimitArgs,
    },
    /// List all clusters
    List,
    /// Show one cluster: login, endpoint, state, limits
    Show { name: String },
    /// Change what a cluster may use, asleep or awake; open sessions go on
    Set {
        name: String,
        #[command(flatten)]
        limits: LimitArgs,
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
    Password { name: String },
}

#[derive(Debug, Clone, Copy, Default, Args)]
pub struct LimitArgs {
    /// Sessions at once, from 1 to 10000
    #[arg(long, value_name = "N")]
    pub connections_max: Option<u32>,
    /// Asleep after this long without a busy session or an open transaction, such as 90s, 5m or 1h
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub sleep_after: Option<Duration>,
    /// A transaction idle for longer no longer holds the cluster awake
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub transaction_idle_max: Option<Duration>,
}
