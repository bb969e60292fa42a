//! MariaDB processes of this machine: one per cluster, on a Unix socket that this room owns, behind
//! walls. Nothing outside this folder knows how such a process is made.

pub(crate) mod account_reading;
pub(crate) mod accounts;
pub(crate) mod admin;
pub(crate) mod admin_line;
pub(crate) mod cgroup;
pub(crate) mod copy;
pub(crate) mod disk;
pub(crate) mod driver;
pub(crate) mod engine_log;
pub(crate) mod error;
pub(crate) mod exec;
pub(crate) mod folder;
pub(crate) mod handover;
pub(crate) mod health;
pub(crate) mod in_force;
pub(crate) mod init_sql;
pub(crate) mod kind;
pub(crate) mod launch;
pub(crate) mod machine;
pub(crate) mod options;
pub(crate) mod process;
pub(crate) mod process_usage;
pub(crate) mod program;
pub(crate) mod repair;
pub(crate) mod repaired_start;
pub(crate) mod run;
pub(crate) mod secret;
pub(crate) mod seed;
pub(crate) mod settings;
pub(crate) mod socket;
pub(crate) mod space;
pub(crate) mod spawner;
pub(crate) mod template;
pub(crate) mod tzinfo;
pub(crate) mod uids;
pub(crate) mod walls;

pub(crate) use kind::{LocalKind, MARIADB};
pub(crate) use settings::LocalSettings;
