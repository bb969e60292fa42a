//! Grammar of `tidegate user` and `tidegate database`.

use super::change_options::{Confirmed, VersionArgs};
use clap::{Args, Subcommand, ValueEnum};
use tidegate_console::types::Role;

#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Create a user and print its login; a generated password is shown only once
    ///
    /// admin: everything that root may do. read-write: read and write rows, and create, change and
    /// drop tables, views, routines, triggers and events. read-only: read rows. The last two are
    /// grants for each database, never for the engine's own. A sleeping cluster is woken.
    Create {
        /// Name of the cluster
        cluster: String,
        /// Name of the user, without the prefix of the cluster
        name: String,
        /// Rights of the user
        #[arg(long, value_enum)]
        role: RoleArg,
        /// Database that the role is for; can be given several times [default: all, and later ones]
        ///
        /// Without it, the user gets all databases, and those that `tidegate database create`
        /// creates later. Databases that SQL creates later need a GRANT.
        #[arg(long, short = 'D', value_name = "NAME")]
        database: Vec<String>,
        #[command(flatten)]
        password: PasswordArgs,
        #[command(flatten)]
        at: VersionArgs,
    },
    /// List the users that can log in to a cluster, with their roles
    #[command(visible_alias = "ls")]
    ///
    /// Users with a role come first, then users that SQL made, each by name. At most 1000 are shown
    /// at once. Accounts without a name are shown as ''.
    List {
        /// Name of the cluster
        cluster: String,
        /// Only users whose name contains this text
        #[arg(long, value_name = "TEXT")]
        find: Option<String>,
        /// Only users after this one in the list, to continue a long list
        #[arg(long, value_name = "NAME")]
        after: Option<String>,
    },
    /// Set a new password for a user; a generated one is shown only once
    ///
    /// Sessions that are open continue. `tidegate cluster password` does the same for root.
    Password {
        /// Name of the cluster
        cluster: String,
        #[command(flatten)]
        user: ExistingUser,
        #[command(flatten)]
        password: PasswordArgs,
        #[command(flatten)]
        at: VersionArgs,
    },
    /// Delete a user and end its sessions
    #[command(visible_alias = "rm")]
    Delete {
        /// Name of the cluster
        cluster: String,
        #[command(flatten)]
        user: ExistingUser,
        #[command(flatten)]
        confirmed: Confirmed,
        #[command(flatten)]
        at: VersionArgs,
    },
}

#[derive(Debug, Clone, Args)]
pub struct ExistingUser {
    /// Name of the user, without the prefix of the cluster
    #[arg(required_unless_present = "anonymous")]
    name: Option<String>,
    /// The accounts without a name (''@HOST), which let in users that have no account
    #[arg(long, conflicts_with = "name", hide_short_help = true)]
    anonymous: bool,
}

impl ExistingUser {
    /// Returns the name, which is empty for the accounts without one.
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }

    /// Returns words for the user.
    pub fn words(&self) -> String {
        match self.anonymous {
            true => "the accounts without a name".to_owned(),
            false => format!("user {}", self.name()),
        }
    }
}

#[derive(Debug, Clone, Copy, Args)]
pub struct PasswordArgs {
    /// Read the password from standard input, or ask for it on a terminal [default: generate one]
    #[arg(long)]
    pub password_stdin: bool,
}

/// Role as an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RoleArg {
    Admin,
    ReadWrite,
    ReadOnly,
}

impl From<RoleArg> for Role {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::Admin => Self::Admin,
            RoleArg::ReadWrite => Self::ReadWrite,
            RoleArg::ReadOnly => Self::ReadOnly,
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum DatabaseCommand {
    /// Create a database; users whose role is for all databases get it too
    ///
    /// A sleeping cluster is woken.
    Create {
        /// Name of the cluster
        cluster: String,
        /// Name of the database
        name: String,
        #[command(flatten)]
        at: VersionArgs,
    },
    /// List the databases of a cluster, without the engine's own
    #[command(visible_alias = "ls")]
    List {
        /// Name of the cluster
        cluster: String,
    },
    /// Delete a database and all its data
    #[command(visible_alias = "rm")]
    Delete {
        /// Name of the cluster
        cluster: String,
        /// Name of the database
        name: String,
        #[command(flatten)]
        confirmed: Confirmed,
        #[command(flatten)]
        at: VersionArgs,
    },
}
