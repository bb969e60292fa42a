//! Grammar of the command line, with its help texts.

mod change_options;
mod clients;
mod cluster;
mod host;
mod keys;
mod serve;
mod users;

pub use change_options::Confirmed;
pub use clients::{CheckArgs, ConnectArgs, SqlArgs};
pub use cluster::{ClusterCommand, ClusterListArgs, LimitArgs, SettingArgs};
pub use host::{
    CertCommand, LogsArgs, ServiceCommand, ServiceInstall, ServiceRemove, TrustCommand,
};
pub use keys::{KeyCommand, OperatorCommand, ProfileCommand};
pub use serve::ServeArgs;
pub use users::{DatabaseCommand, PasswordArgs, UserCommand};

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// A TLS-only public endpoint for MySQL-compatible clusters that sleep when idle
///
/// `tidegate up` starts a server with a first cluster and prints a command that connects to it.
/// `tidegate serve` runs the same server under a service manager. The other commands talk to the
/// running server through a socket in its data directory.
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
  tidegate up                     start a server with a first cluster
  tidegate cluster create shop    create another cluster, from another terminal
  tidegate sql shop               open a SQL session on it
  tidegate logs -f                follow the server's log

Environment:
  TIDEGATE_DATA       the data directory, if --data is not given
  TIDEGATE_LOG        the log level: error, warn, info, debug or trace
  TIDEGATE_API_KEY    the API key for `--server URL` and `tidegate profile add`
  TIDEGATE_PASSWORD   the password for `tidegate sql` and `tidegate check --user`
  HTTPS_PROXY         an http:// proxy for `--server` and for certificates by ACME; see NO_PROXY
  NO_COLOR            disables colours

Exit codes:
  0  success
  1  failure; standard error has the cause and a hint
  2  wrong usage: an unknown option, a missing or impossible value";

#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Data directory [default: ~/.local/share/tidegate]
    ///
    /// It contains all state: the store, the engines' files, `ca.pem`, the control socket. Only one
    /// server at a time can use it. The default is $TIDEGATE_DATA if it is set, else
    /// ~/.local/share/tidegate (for root /var/lib/tidegate).
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        help_heading = "Global options"
    )]
    pub data: Option<PathBuf>,

    /// Configuration file [default: DIR/tidegate.toml]
    ///
    /// A TOML file with a section for each part of the server. `tidegate config show` prints every
    /// key with its current value and where the value comes from.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        help_heading = "Global options"
    )]
    pub config: Option<PathBuf>,

    /// Use a remote server: the name of a profile, or a URL
    ///
    /// Connects over HTTPS with an API key. `tidegate profile add` stores the URL and the key. For
    /// a URL without a profile, the key is read from $TIDEGATE_API_KEY.
    #[arg(
        long,
        global = true,
        value_name = "PROFILE",
        help_heading = "Global options"
    )]
    pub server: Option<String>,

    /// Print the result as JSON
    ///
    /// An error is then one line of JSON on standard error, with `code`, `message`, `hint` and
    /// `causes`. The exit code is the same as without it.
    #[arg(long, global = true, help_heading = "Global options")]
    pub json: bool,

    /// Format of the result: text, or json, which is the same as --json
    #[arg(
        short,
        long,
        global = true,
        value_name = "FORMAT",
        value_enum,
        hide_possible_values = true,
        hide_short_help = true,
        help_heading = "Global options"
    )]
    pub output: Option<OutputFormat>,
}

/// Format of a command's result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum OutputFormat {
    #[value(alias = "table")]
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server, for a service manager
    ///
    /// Opens the data directory, which it creates if needed, and serves until SIGTERM or Ctrl-C. It
    /// then stops in order: it accepts no new connections, ends the sessions, and stops the engines
    /// last. A second Ctrl-C exits immediately. With --json, a line of JSON on standard output says
    /// when the server is ready and where it listens.
    Serve(ServeArgs),

    /// Start here: run a server with a first cluster
    ///
    /// Runs the same server as `serve`, and creates a first cluster named `demo`. After it has
    /// logged in through its own port as a client that verifies the certificate, it prints the
    /// endpoint, the user, the password (shown only once) and commands that connect. It stays in
    /// the foreground until Ctrl-C. The next `up` starts the same cluster with the same data.
    Up(ServeArgs),

    /// Show the running server: its addresses, its recovery, its disk
    ///
    /// Shows where the server listens, whether clusters are still being recovered after an unclean
    /// shutdown, and whether the disk has space to wake clusters. `tidegate config check` shows
    /// which isolation and limits this machine supports.
    Status,

    /// Show the server's log, or the log of a cluster's engine
    ///
    /// Reads the files in the data directory of this machine, also while no server runs: the log
    /// of `up` is DIR/log/tidegate.log, each engine's is DIR/engines/NUMBER/engine.log. A server
    /// that was started with `serve` logs on standard error, which `journalctl -u tidegate` shows
    /// for the systemd service. Control characters are escaped.
    Logs(LogsArgs),

    /// Create, list, show, change and delete clusters
    #[command(subcommand, arg_required_else_help = true, alias = "clusters")]
    Cluster(ClusterCommand),

    /// Create, list and delete users of a cluster, set their passwords
    #[command(subcommand, arg_required_else_help = true, alias = "users")]
    User(UserCommand),

    /// Create, list and delete databases of a cluster
    #[command(subcommand, arg_required_else_help = true, aliases = ["databases", "db"])]
    Database(DatabaseCommand),

    /// List and end sessions
    #[command(subcommand, arg_required_else_help = true, alias = "sessions")]
    Session(SessionCommand),

    /// Print how to connect a client to a cluster
    ///
    /// Choose a client with --with (`connect --list` shows all) and an operating system with --os.
    /// Each connection string makes its client use TLS and verify the server: the certificate's
    /// chain and its name. Without --with, prints the commands of the `mysql` and `mariadb`
    /// command-line clients.
    Connect(ConnectArgs),

    /// Run SQL on a cluster with this machine's own client
    ///
    /// Runs `mariadb` or `mysql`, whichever is installed, with the options that verify the server.
    /// The password comes from --password-file, from $TIDEGATE_PASSWORD or from a prompt. The
    /// client gets it in a private file, never in its arguments.
    #[command(visible_alias = "shell")]
    Sql(SqlArgs),

    /// Install or remove the systemd service
    #[command(subcommand, arg_required_else_help = true)]
    Service(ServiceCommand),

    /// Add the local CA to the machine's trust stores, remove or renew it
    #[command(subcommand, arg_required_else_help = true)]
    Trust(TrustCommand),

    /// Show, renew, import and check the certificate
    #[command(subcommand, arg_required_else_help = true)]
    Cert(CertCommand),

    /// Open the web console in a browser, signed in
    ///
    /// Uses xdg-open where there is a desktop. Elsewhere it prints a link that signs in once,
    /// within 15 minutes.
    Open,

    /// Print a link that signs in to the web console
    #[command(subcommand, arg_required_else_help = true)]
    Operator(OperatorCommand),

    /// Create, list and revoke API keys
    #[command(subcommand, arg_required_else_help = true, alias = "keys")]
    Key(KeyCommand),

    /// Store URLs and API keys of remote servers, for --server
    #[command(subcommand, arg_required_else_help = true, alias = "profiles")]
    Profile(ProfileCommand),

    /// Check and show the configuration
    #[command(subcommand, arg_required_else_help = true)]
    Config(ConfigCommand),

    /// Print the version
    #[command(hide = true)]
    Version,

    /// Print a script that completes commands and options in a shell
    ///
    /// For bash, for example: `source <(tidegate completion bash)` in ~/.bashrc.
    Completion(CompletionArgs),

    /// Test a MySQL endpoint: is it safe on a public network?
    ///
    /// Tests TLS, the certificate, its name, old protocol versions, logins without TLS and more, at
    /// any server that speaks the MySQL protocol. Each finding says what was seen and how to fix
    /// it; docs/check.md explains them all. It opens about twenty connections, takes up to
    /// about 20 seconds and needs no account. Exit codes: 0: nothing failed; 1: something failed;
    /// 2: wrong usage.
    Check(CheckArgs),
}

#[derive(Debug, Args)]
pub struct CompletionArgs {
    /// Shell that reads the script
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

#[derive(Debug, Subcommand)]
pub enum SessionCommand {
    /// List the sessions that have logged in
    #[command(visible_alias = "ls")]
    List {
        /// Only the sessions of this cluster
        #[arg(long, value_name = "NAME")]
        cluster: Option<String>,
        /// Only the sessions of this user, without the prefix
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
    },
    /// End a session
    Kill {
        /// Id of the session, as `session list` shows it
        id: u32,
    },
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Check the configuration file, and show which isolation and limits this machine supports
    Check,
    /// Print every key with its current value and where the value comes from
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
