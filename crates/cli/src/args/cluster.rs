//! Grammar of `tidegate cluster`.

use super::change_options::{Confirmed, VersionArgs};
use crate::config::value::{duration, sleep_time};
use clap::{Args, Subcommand};
use std::time::Duration;
use tidegate_model::{ClusterState, Size};

#[derive(Debug, Args)]
pub struct ClusterListArgs {
    /// Only clusters whose name or login contains this text
    #[arg(long, value_name = "TEXT")]
    pub find: Option<String>,
    /// Only clusters in this state
    #[arg(long, value_name = "STATE", value_parser = cluster_state)]
    pub state: Option<ClusterState>,
}

/// Reads a state by its word.
fn cluster_state(text: &str) -> Result<ClusterState, String> {
    let mut all = ClusterState::ALL.into_iter();
    let found = all.find(|state| state.as_str() == text);
    found.ok_or_else(|| "a state is asleep, waking, awake, draining or failed".to_owned())
}

#[derive(Debug, Subcommand)]
pub enum ClusterCommand {
    /// Create a cluster and print its login, with the password (shown only once)
    Create {
        /// Name of the cluster: a-z, 0-9 and '-', starting with a letter
        name: String,
        /// Kind of engine; `cluster engines` lists them [default: mariadb]
        #[arg(long, value_name = "KIND")]
        engine: Option<String>,
        /// Parameter of the kind of engine; can be given several times
        ///
        /// `cluster engines` lists the parameters of each kind. For a parameter that is a list,
        /// repeat the option for each value.
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
    #[command(visible_alias = "ls")]
    List(ClusterListArgs),
    /// Show a cluster: its login, endpoint, state, limits and measured use
    Show {
        /// Name of the cluster
        name: String,
    },
    /// Give a cluster another name; its logins and open sessions stay
    Rename {
        /// Name of the cluster
        name: String,
        /// The new name
        new: String,
        #[command(flatten)]
        at: VersionArgs,
    },
    /// Change a cluster's limits and settings, asleep or awake; open sessions continue
    Set {
        /// Name of the cluster
        name: String,
        #[command(flatten)]
        limits: LimitArgs,
        #[command(flatten)]
        settings: SettingArgs,
        /// Allow DELETE, DROP and TRUNCATE above the disk limit for this long, such as 10m
        ///
        /// At most 1h. Above its disk limit a cluster is read-only, and rejects even statements
        /// that would free space.
        #[arg(long, value_name = "TIME", value_parser = duration, hide_short_help = true)]
        allow_shrink: Option<Duration>,
        #[command(flatten)]
        at: VersionArgs,
    },
    /// Delete a cluster and all its data
    #[command(visible_alias = "rm")]
    Delete {
        /// Name of the cluster
        name: String,
        #[command(flatten)]
        confirmed: Confirmed,
        #[command(flatten)]
        at: VersionArgs,
    },
    /// Put a cluster to sleep now, if no session is busy
    Sleep {
        /// Name of the cluster
        name: String,
        #[command(flatten)]
        at: VersionArgs,
    },
    /// Wake a cluster now
    Wake {
        /// Name of the cluster
        name: String,
        #[command(flatten)]
        at: VersionArgs,
    },
    /// Set a new password for a cluster's root and print it (shown only once)
    Password {
        /// Name of the cluster
        name: String,
        /// End the engine and all its sessions first, and repair its accounts
        ///
        /// Use this if the engine can't change its accounts because a session has locked them. If
        /// the engine refuses the new password, the accounts are repaired in any case.
        #[arg(long)]
        repair: bool,
        #[command(flatten)]
        at: VersionArgs,
    },
}

#[derive(Debug, Clone, Copy, Default, Args)]
pub struct LimitArgs {
    /// Maximum number of sessions, from 1 to 10000
    #[arg(long, value_name = "N")]
    pub connections_max: Option<u32>,
    /// Sleep after this long without work, such as 90s, 5m or 1h; `never` keeps it awake
    ///
    /// A busy session or an open transaction is work. A sleep ends what lives in the engine's
    /// memory only: rows of MEMORY tables, temporary tables, user locks.
    #[arg(long, value_name = "TIME", value_parser = sleep_time)]
    pub sleep_after: Option<Duration>,
    /// Transactions that are idle for longer do not keep the cluster awake
    #[arg(long, value_name = "TIME", value_parser = duration, hide_short_help = true)]
    pub transaction_idle_max: Option<Duration>,
    /// Memory limit of the engine, such as 512M; at least 128M
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub memory_max: Option<Size>,
    /// Disk limit of the cluster's files, such as 10G; at least 256M
    ///
    /// Above it, the cluster is read-only.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub disk_max: Option<Size>,
    /// Share of a busy processor, from 1 to 10000
    ///
    /// A cluster with 200 gets twice as much as one with 100.
    #[arg(long, value_name = "N", hide_short_help = true)]
    pub cpu_weight: Option<u32>,
    /// Maximum number of the engine's processes and threads, from 64 to 65536
    #[arg(long, value_name = "N", hide_short_help = true)]
    pub tasks_max: Option<u32>,
}

#[derive(Debug, Clone, Default, Args)]
pub struct SettingArgs {
    /// Refuse to delete the cluster, until this is turned off
    #[arg(long, value_name = "on|off", value_parser = on_or_off)]
    pub deletion_protection: Option<bool>,
    /// Let a ping (COM_PING) keep the cluster awake, as a query does
    ///
    /// Off by default: pools ping their idle connections, often more frequently than a cluster
    /// would sleep.
    #[arg(long, value_name = "on|off", value_parser = on_or_off, hide_short_help = true)]
    pub ping_holds: Option<bool>,
    /// Accept logins from these networks only; `any` accepts all
    ///
    /// Up to 200 addresses and networks, such as 203.0.113.9,2001:db8::/32, which replace the list;
    /// separate them with commas or spaces, or repeat the option.
    /// Open sessions stay. Behind a load balancer, the address in its PROXY header counts.
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    pub ip_allow: Option<Vec<String>>,
    /// Run events; only in a cluster that never sleeps
    #[arg(long, value_name = "on|off", value_parser = on_or_off, hide_short_help = true)]
    pub events: Option<bool>,
    /// Set a server variable, such as sql_mode; can be repeated
    ///
    /// It applies to all new sessions; an empty value sets the default. The engine is woken, and
    /// must accept the value. Variables: character_set_server, collation_server,
    /// default_storage_engine, group_concat_max_len, innodb_lock_wait_timeout,
    /// interactive_timeout, lock_wait_timeout, max_allowed_packet, max_statement_time, sql_mode,
    /// time_zone, transaction_isolation, wait_timeout.
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub variables: Vec<(String, String)>,
    /// Set a server variable to its default; can be repeated
    #[arg(long = "unset-param", value_name = "NAME", hide_short_help = true)]
    pub unset: Vec<String>,
}

fn on_or_off(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("must be on or off".to_owned()),
    }
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
