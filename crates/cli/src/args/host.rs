//! What a person types about the host itself: its certificate, its service, its stores of roots. It
//! decides nothing and reads no file.

use super::serve::ServeArgs;
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub enum CertCommand {
    /// Show what is served, until when, how the next one stands, and every alarm
    Status,
    /// Get a new certificate from the CA now, and wait for what comes of it
    ///
    /// Renewal happens by itself; this is for after something was mended. The week's limit on
    /// orders holds.
    Renew(CertOf),
    /// Take a certificate that was got elsewhere for the same names; it is renewed by ACME in time
    Import {
        /// Its chain, PEM, leaf first
        #[arg(value_name = "CHAIN")]
        chain: PathBuf,
        /// Its private key, PEM
        #[arg(value_name = "KEY")]
        key: PathBuf,
        #[command(flatten)]
        of: CertOf,
    },
    /// Look whether the next order could succeed, without ordering anything
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
    /// Write a hardened unit, a user for it, and start it
    ///
    /// What is given here of --listen, --name, --domain, --acme-email, --console and
    /// --console-domain becomes part of the unit; all else comes from the configuration file in the
    /// data directory, /var/lib/tidegate if --data names no other folder of /var/lib. Run again, it
    /// writes the unit anew and restarts the service. Needs root.
    Install(ServiceInstall),
    /// Stop the service and take out its unit
    ///
    /// The data directory and the user that it belongs to stay; the commands that delete them are
    /// printed. Needs root.
    Remove(ServiceRemove),
}

#[derive(Debug, Args)]
pub struct ServiceInstall {
    #[command(flatten)]
    pub serve: ServeArgs,
    /// Only print the unit
    #[arg(long)]
    pub print: bool,
    /// The user to run as; root gives each cluster a user of its own [default: the installed
    /// service's, else root]
    ///
    /// Root keeps six capabilities and sees the system read-only. As any other user, such as
    /// `tidegate`, which is made then, the engines of all clusters run as that user too, and only
    /// Landlock and seccomp keep them apart.
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
    /// The program's path in the unit [default: where this program lies]
    #[arg(long, value_name = "FILE")]
    pub program: Option<PathBuf>,
    /// Install into this system's root folder instead of the running system, and start nothing
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct ServiceRemove {
    /// Only print what would be removed
    #[arg(long)]
    pub print: bool,
    /// Remove from this system's root folder instead of the running system
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum TrustCommand {
    /// Put the local CA into this machine's own stores
    ///
    /// The system's store of roots and that of every Java found here. Programs that read them then
    /// verify this server without being given a file. An older CA of the same data directory is
    /// taken out. Needs root.
    Install,
    /// Take the local CA out of this machine's stores again
    ///
    /// The one of now and older ones of the same data directory, with everything that `trust
    /// install` made. Needs root.
    Remove {
        /// The local CAs of all data directories, those that no longer exist as well
        #[arg(long)]
        all: bool,
    },
    /// Make a whole new local CA, for the names that the server has now
    ///
    /// The server swaps to it at once; one that doesn't run, at its next start. Open sessions go
    /// on, and every client needs the new ca.pem. Where this machine's stores have the old CA, the
    /// new one takes its place.
    Renew {
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// Show which of this machine's stores trust the local CA
    Status,
}
