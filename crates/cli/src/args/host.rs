//! Grammar of the commands about the host itself: its certificate, its service, its trust stores.

use super::change_options::Confirmed;
use super::serve::ServeArgs;
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub enum CertCommand {
    /// Show the certificate in use, its expiry, its next renewal, and every alarm
    Status,
    /// Order a new certificate from the CA now, and wait for the result
    ///
    /// Certificates are renewed automatically. Use this after a problem has been fixed. The limit
    /// on orders per week still applies.
    Renew(CertOf),
    /// Import a certificate for the same names; ACME renews it in time
    Import {
        /// Certificate chain (PEM), leaf first
        #[arg(value_name = "CHAIN")]
        chain: PathBuf,
        /// Private key (PEM)
        #[arg(value_name = "KEY")]
        key: PathBuf,
        #[command(flatten)]
        of: CertOf,
    },
    /// Check whether the next order would succeed, without ordering anything
    Check(CertOf),
}

#[derive(Debug, Clone, Copy, Args)]
pub struct CertOf {
    /// The console's own certificate instead of the database's
    #[arg(long)]
    pub console: bool,
}

#[derive(Debug, Subcommand)]
pub enum ServiceCommand {
    /// Write a hardened unit, create its user, and start it
    ///
    /// The values of --listen, --name, --domain, --acme-email, --console and --console-domain
    /// become part of the unit. All other settings come from the configuration file in the data
    /// directory, which is /var/lib/tidegate unless --data names another folder in /var/lib. If the
    /// service is already installed, this rewrites its unit and restarts it. Needs root.
    Install(ServiceInstall),
    /// Stop the service and remove its unit
    ///
    /// The data directory and its user are kept; the commands that delete them are printed. Needs
    /// root.
    Remove(ServiceRemove),
}

#[derive(Debug, Args)]
pub struct ServiceInstall {
    #[command(flatten)]
    pub serve: ServeArgs,
    /// Only print the unit
    #[arg(long)]
    pub print: bool,
    /// User to run as; with root, each cluster gets its own user [default: the installed service's,
    /// else root]
    ///
    /// Root keeps six capabilities and sees the system read-only. With any other user, such as
    /// `tidegate`, which is created if needed, the engines of all clusters run as that user too,
    /// and only Landlock and seccomp isolate them from each other.
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
    /// Path of the program in the unit [default: the path of this program]
    #[arg(long, value_name = "FILE")]
    pub program: Option<PathBuf>,
    /// Install into the system in this folder instead of the running one, and start nothing
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct ServiceRemove {
    /// Only print what would be removed
    #[arg(long)]
    pub print: bool,
    /// Remove from the system in this folder instead of the running one
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum TrustCommand {
    /// Add the local CA to this machine's trust stores
    ///
    /// These are the system's trust store and that of every Java installation found. Programs that
    /// read them then verify this server without a CA file. An older CA of the same data directory
    /// is removed. Needs root.
    Install,
    /// Remove the local CA from this machine's trust stores
    ///
    /// Removes the current CA, older ones of the same data directory, and everything else that
    /// `trust install` made. Needs root.
    Remove {
        /// Remove the local CAs of all data directories, even of deleted ones
        #[arg(long)]
        all: bool,
    },
    /// Create a new local CA, and a certificate for the server's current names
    ///
    /// A running server uses them immediately, a stopped one from its next start. Open sessions
    /// continue. Every client needs the new ca.pem. Where this machine's trust stores contain the
    /// old CA, the new one replaces it.
    Renew {
        #[command(flatten)]
        confirmed: Confirmed,
    },
    /// Show which of this machine's trust stores contain the local CA
    Status,
}

#[derive(Debug, Args)]
pub struct LogsArgs {
    /// Name of a cluster, for the log of its engine [default: the server's log]
    pub cluster: Option<String>,
    /// Go on with new lines as they are written, until Ctrl-C
    #[arg(short, long)]
    pub follow: bool,
    /// Number of lines from the end
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100)]
    pub lines: usize,
}
