//! What a person types: the command line's grammar and its help texts. It decides nothing and reads
//! no file.

mod cluster;
mod host;
mod serve;

pub use cluster::{ClusterCommand, LimitArgs};
pub use host::{CertCommand, ServiceCommand, ServiceInstall, ServiceRemove, TrustCommand};

pub use serve::ServeArgs;

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// A TLS-only public endpoint for MySQL-compatible clusters that sleep when idle
///
/// One program is everything: `tidegate up` starts a server with a first cluster and prints the
/// line to paste; `tidegate serve` is the same server for a service manager; all other commands
/// talk to the running server through a socket in its data directory.
#[derive(Debug, Parser)]
#[command(
    name = "tidegate",
    version,
    propagate_version = false,
    max_term_width = 100
)]
#[command(after_long_help = ENVIRONMENT)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

const ENVIRONMENT: &str = "First steps:
  tidegate up                     start here: a server, a cluster, a line to paste
  tidegate cluster create shop    one more cluster, from another terminal
  tidegate sql shop               talk SQL to it

Environment:
  TIDEGATE_DATA       the data directory, where --data is not given
  TIDEGATE_LOG        the log's level: error, warn, info, debug, trace
  TIDEGATE_API_KEY    the key for `--server URL` and `tidegate profile add`
  TIDEGATE_PASSWORD   the password for `tidegate sql` and `tidegate check --user`
  NO_COLOR            no colours, whatever the terminal

Exit codes:
  0  done
  1  it failed; standard error has the cause and the mend
  2  wrong usage";

#[derive(Debug, Clone, Args)]
pub struct Global {
    /// The data directory [default: ~/.local/share/tidegate]
    ///
    /// All state lies under it: the store, the engines' files, `ca.pem`, the control socket. One
    /// server per data directory. Where it is not given, $TIDEGATE_DATA counts, then
    /// ~/.local/share/tidegate (for root /var/lib/tidegate).
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        help_heading = "Global options"
    )]
    pub data: Option<PathBuf>,

    /// The configuration file [default: DIR/tidegate.toml, if there]
    ///
    /// One TOML file with a section per part of the server. `tidegate config show` prints every key
    /// with the value that counts and where it came from.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        help_heading = "Global options"
    )]
    pub config: Option<PathBuf>,

    /// Ask a server elsewhere: a profile's name, or its URL
    ///
    /// Over HTTPS, with an API key: `tidegate profile add` keeps both. For a URL without a profile
    /// the key is $TIDEGATE_API_KEY.
    #[arg(
        long,
        global = true,
        value_name = "PROFILE",
        help_heading = "Global options"
    )]
    pub server: Option<String>,

    /// Print the answer as JSON
    #[arg(long, global = true, help_heading = "Global options")]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server, for a service manager
    ///
    /// Opens (or makes) the data directory, its certificate and its clusters, and serves until
    /// SIGTERM or Ctrl-C. Both stop in order: no new connections, the sessions are told, the
    /// engines end last. A second Ctrl-C leaves at once. With --json one line of JSON on standard
    /// output says when and where it listens.
    Serve(ServeArgs),

    /// Start here: a server, a first cluster, a line to paste
    ///
    /// The same as `serve`, and a first cluster named `demo`: it prints the endpoint, the user, the
    /// password (once) and a line to paste, after it has logged in through its own port as a
    /// verifying client. It stays in the foreground until Ctrl-C. Run again, it starts the same
    /// cluster with the same data.
    Up(ServeArgs),

    /// Show how the running server is: its addresses, its recovery, its disk
    ///
    /// Tells where it listens, whether clusters are still being recovered after an unclean end, and
    /// whether its disk has space to wake clusters. `tidegate config check` tells which walls and
    /// limits are in force.
    Status,

    /// Create, list, show and end clusters
    #[command(subcommand, arg_required_else_help = true)]
    Cluster(ClusterCommand),

    /// List and end sessions
    #[command(subcommand, arg_required_else_help = true)]
    Session(SessionCommand),

    /// Print the string that connects your client to a cluster
    ///
    /// Choose a client with --with (`connect --list` shows all) and an operating system with --os.
    /// Each string makes its client use TLS and verify the server: the certificate's chain and its
    /// name. Without --with it prints the lines of the two command-line clients.
    Connect(ConnectArgs),

    /// Talk SQL to a cluster with this machine's own client
    ///
    /// Runs `mariadb` or `mysql`, whichever is installed, with the flags that verify the server.
    /// The password is asked for, or comes from --password-file or $TIDEGATE_PASSWORD; it is handed
    /// to the client through a private file, never in its arguments.
    Sql(SqlArgs),

    /// Run the server as a service of systemd, or no longer
    #[command(subcommand, arg_required_else_help = true)]
    Service(ServiceCommand),

    /// Let this machine trust the local CA, or no longer; make a new one
    #[command(subcommand, arg_required_else_help = true)]
    Trust(TrustCommand),

    /// Show, renew, import and check the certificate
    #[command(subcommand, arg_required_else_help = true)]
    Cert(CertCommand),

    /// Print a link to sign in to the web console
    #[command(subcommand, arg_required_else_help = true)]
    Operator(OperatorCommand),

    /// Make, list and revoke keys for the API
    #[command(subcommand, arg_required_else_help = true)]
    Key(KeyCommand),

    /// Keep addresses and keys of servers elsewhere, for --server
    #[command(subcommand, arg_required_else_help = true)]
    Profile(ProfileCommand),

    /// Check and show the configuration
    #[command(subcommand, arg_required_else_help = true)]
    Config(ConfigCommand),

    /// Judge any MySQL endpoint from outside: is it safe on a public network?
    ///
    /// Tests TLS, certificate, name, old protocols, clear text and more at any server or service of
    /// the MySQL protocol, and says of each finding what was seen and what to do: docs/check.md
    /// explains them all. It opens about twenty connections, takes about 15 seconds and needs no
    /// account. Exit code 0: nothing failed; 1: something failed; 2: wrong usage.
    Check(CheckArgs),
}

#[derive(Debug, Subcommand)]
pub enum OperatorCommand {
    /// Print a link that signs a browser in to the console: once, within 15 minutes
    Link,
}

#[derive(Debug, Subcommand)]
pub enum ProfileCommand {
    /// Keep a server's address and key; the key comes from standard input or $TIDEGATE_API_KEY
    Add {
        name: String,
        /// Its console, such as https://console.example.com or https://192.0.2.7:4443
        #[arg(value_name = "URL")]
        url: String,
        /// The CA that its certificate is verified with, where it is not publicly trusted
        #[arg(long, value_name = "FILE")]
        ca: Option<PathBuf>,
    },
    /// List the profiles, without their keys
    List,
    /// Forget a profile and its key
    Remove { name: String },
}

#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a key for the API and print it (once)
    Create {
        /// What it is for
        name: String,
        /// What its holder may do: read, clusters:PATTERN or all; may be given several times
        ///
        /// read: see all clusters, their sessions and the server, without logs. clusters:PATTERN,
        /// such as clusters:shop-*: make, change, use and delete clusters of these names, with
        /// limits up to the server's defaults. all: everything but keys and sign-in links, which
        /// are made on the server or in the console only.
        #[arg(long, value_name = "SCOPE", required = true)]
        scope: Vec<String>,
        /// It expires after so many days [default: only when it is revoked]
        #[arg(long, value_name = "DAYS")]
        days: Option<u32>,
    },
    /// List the keys, without themselves
    List,
    /// Revoke a key, by its name or id
    Revoke { key: String },
}

#[derive(Debug, Subcommand)]
pub enum SessionCommand {
    /// List the sessions that have logged in
    List {
        /// Only those of this cluster
        #[arg(long, value_name = "NAME")]
        cluster: Option<String>,
    },
    /// End a session
    Kill {
        /// Its number, as `session list` shows it
        id: u32,
    },
}

#[derive(Debug, Args)]
pub struct ConnectArgs {
    /// The cluster
    #[arg(required_unless_present_any = ["list", "explain"])]
    pub name: Option<String>,
    /// Your client, such as mysql, pymysql, go, connectorj
    #[arg(long = "with", value_name = "CLIENT", alias = "client")]
    pub client: Option<String>,
    /// Where the client runs, such as debian, macos, alpine, windows [default: debian]
    #[arg(long, value_name = "OS")]
    pub os: Option<String>,
    /// The oldest TLS version that the client shall accept
    #[arg(long, value_name = "VERSION", value_parser = ["1.2", "1.3"], default_value = "1.2")]
    pub tls: String,
    /// text: all forms and notes; url: only a connection URL; env: lines for an .env file; json:
    /// everything
    #[arg(long, value_name = "FORMAT", value_parser = ["text", "json", "env", "url"], default_value = "text")]
    pub format: String,
    /// The user inside the cluster
    #[arg(long, value_name = "USER", default_value = "root")]
    pub user: String,
    /// Another name or address of this endpoint, if the client reaches it by one
    #[arg(long, value_name = "HOST")]
    pub host: Option<String>,
    /// Another port of this endpoint
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// Where the client's machine has the CA: a file, or `system` for its own store of roots
    #[arg(long, value_name = "FILE|system")]
    pub ca: Option<String>,
    /// Show which clients and operating systems there are
    #[arg(long, conflicts_with = "name")]
    pub list: bool,
    /// Say what a connection string verifies, and give one that does; - reads it
    ///
    /// Any URL, DSN, JDBC URL, keys and values, or command line. Its password is never printed. A
    /// string with a password is better given on standard input (`--explain -`): what stands in a
    /// command is kept in the shell's history and seen by other users of this machine. Ends with 0
    /// if the string makes its client verify chain and name, 1 if not, 2 if it can't be read.
    #[arg(long, value_name = "STRING", conflicts_with_all = ["name", "list"])]
    pub explain: Option<String>,
}

#[derive(Debug, Args)]
pub struct SqlArgs {
    /// The cluster
    pub name: String,
    /// Run this SQL and end; without it, the client is interactive
    #[arg(short = 'e', long = "execute", value_name = "SQL")]
    pub execute: Option<String>,
    /// The user inside the cluster
    #[arg(long, value_name = "USER", default_value = "root")]
    pub user: String,
    /// Read the password from this file (its first line)
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The endpoint; without a port, 4000
    #[arg(value_name = "HOST:PORT")]
    pub endpoint: tidegate_check::Endpoint,
    /// The name that the certificate must carry [default: HOST]
    #[arg(long, value_name = "N")]
    pub name: Option<String>,
    /// Trust these roots too, such as a local `ca.pem`
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Log in too, and try one wrong password and one unknown user
    ///
    /// The password comes from $TIDEGATE_PASSWORD, else it is asked for. It is sent only over TLS
    /// whose certificate has been verified.
    #[arg(long, value_name = "U")]
    pub user: Option<String>,
    /// Check again every so many seconds and print what changes [default: 300]
    ///
    /// Without --user the later rounds look at TLS and certificate only, by one connection each:
    /// MySQL and MariaDB block an address whose connections end before a login, and the user's
    /// login starts that count anew.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "300")]
    #[arg(value_parser = clap::value_parser!(u64).range(30..=86_400))]
    pub watch: Option<u64>,
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Read the configuration file and say whether it is right, and which walls and limits this
    /// machine has
    Check,
    /// Print every key with the value that counts and where it came from
    Show,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_grammar_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_options_stand_before_or_after_the_command() {
        for line in [
            "tidegate --data /x --json cluster list",
            "tidegate cluster list --json --data /x",
        ] {
            let cli = Cli::try_parse_from(line.split(' ')).unwrap();
            assert_eq!(
                cli.global.data.as_deref(),
                Some(std::path::Path::new("/x")),
                "{line}"
            );
            assert!(cli.global.json, "{line}");
        }
    }

    #[test]
    fn a_bare_port_is_refused_with_the_address_to_write() {
        let error = Cli::try_parse_from(["tidegate", "serve", "--listen", "4001"])
            .unwrap_err()
            .to_string();
        assert!(error.contains("127.0.0.1:4001"), "{error}");
    }

    #[test]
    fn listen_may_be_repeated() {
        let cli =
            Cli::try_parse_from("tidegate serve --listen 127.0.0.1:1 --listen [::1]:2".split(' '))
                .unwrap();
        let Command::Serve(args) = cli.command else {
            panic!()
        };
        assert_eq!(args.listen.len(), 2);
    }
}
