//! Grammar of the commands about access: sign-in links, API keys, profiles.

use super::change_options::Confirmed;
use clap::Subcommand;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub enum OperatorCommand {
    /// Print a link that signs a browser in to the console: once, within 15 minutes
    Link,
}

#[derive(Debug, Subcommand)]
pub enum ProfileCommand {
    /// Store a server's URL and API key, which is read from standard input or $TIDEGATE_API_KEY
    Add {
        /// Name of the profile
        name: String,
        /// URL of the console, such as https://console.example.com or https://192.0.2.7:4443
        #[arg(value_name = "URL")]
        url: String,
        /// CA file that verifies the server's certificate, if that is not publicly trusted
        #[arg(long, value_name = "FILE")]
        ca: Option<PathBuf>,
    },
    /// List the profiles, without their keys
    #[command(visible_alias = "ls")]
    List,
    /// Delete a profile and its key
    #[command(visible_alias = "rm")]
    Remove {
        /// Name of the profile
        name: String,
        #[command(flatten)]
        confirmed: Confirmed,
    },
}

#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Create an API key and print it (shown only once)
    Create {
        /// Name of the key, such as its purpose
        name: String,
        /// Scope of the key: read, clusters:PATTERN or all; can be given several times
        ///
        /// read: see all clusters, their sessions and the server, but no logs. clusters:PATTERN,
        /// such as clusters:shop-*: create, change, use and delete clusters with matching names,
        /// with limits up to the server's defaults. all: everything except keys and sign-in links,
        /// which can be created only on the server or in the console.
        #[arg(long, value_name = "SCOPE", required = true)]
        scope: Vec<String>,
        /// Days until the key expires [default: it never expires]
        #[arg(long, value_name = "DAYS")]
        days: Option<u32>,
    },
    /// List the API keys, without their secrets
    #[command(visible_alias = "ls")]
    List,
    /// Revoke an API key
    #[command(visible_alias = "rm")]
    Revoke {
        /// Name or id of the key
        key: String,
        #[command(flatten)]
        confirmed: Confirmed,
    },
    /// Replace the master key and encrypt everything again that it encrypted
    ///
    /// The master key is the file `master.key` in the data directory. It encrypts the server's own
    /// secrets: session ticket keys and ACME accounts. Works with or without a running server, and
    /// interrupts nothing. If a crash interrupts it, the next start completes it. Back up the new
    /// `master.key` afterwards: the former one opens nothing any more.
    RotateMaster,
}
