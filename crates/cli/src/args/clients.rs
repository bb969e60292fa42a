//! Grammar of the commands about clients: strings, SQL, checks of an endpoint.

use crate::limits::CHECK_PAUSE_TEXT;
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct ConnectArgs {
    /// Name of the cluster
    #[arg(required_unless_present_any = ["list", "explain"])]
    pub name: Option<String>,
    /// Client or language, such as mysql, pymysql, java or node
    #[arg(long = "with", value_name = "CLIENT", alias = "client")]
    pub client: Option<String>,
    /// Operating system of the client, such as ubuntu, fedora, macos or windows [default: debian]
    #[arg(long, value_name = "OS")]
    pub os: Option<String>,
    /// Oldest TLS version that the client accepts
    #[arg(long, value_name = "VERSION", value_parser = ["1.2", "1.3"], default_value = "1.2")]
    pub tls: String,
    /// text: all forms and notes; url: only a connection URL; env: lines for an .env file; json:
    /// everything
    #[arg(long, value_name = "FORMAT", value_parser = FORMATS, default_value = "text")]
    pub format: String,
    /// User inside the cluster, without its prefix
    #[arg(long, value_name = "USER", default_value = "root")]
    pub user: String,
    /// Database to use [default: test]
    #[arg(short = 'D', long, value_name = "NAME")]
    pub database: Option<String>,
    /// Host name or address that the client uses, if different
    #[arg(long, value_name = "HOST")]
    pub host: Option<String>,
    /// Port that the client uses, if different
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// CA on the client's machine: a file, or `system` for its trust store
    #[arg(long, value_name = "FILE|system")]
    pub ca: Option<String>,
    /// List the clients and operating systems
    #[arg(long)]
    pub list: bool,
    /// Explain what a connection string verifies, and print one that verifies all; - reads it
    ///
    /// Takes any URL, DSN, JDBC URL, options file, settings of a framework, compose file, list of
    /// keys and values, or command line, and answers in the same form. What it can't read is
    /// reported as "can't read"; --with names the client if the string does not. The password is
    /// never printed. Give a string with a password on standard input (`--explain -`): an argument
    /// is kept in the shell's history, and other users of this machine can see it. Exit codes: 0 if
    /// the string makes its client verify chain and name, 1 if not or if that can't be read from
    /// it, 2 if it is no string of a MySQL client.
    #[arg(long, value_name = "STRING", conflicts_with_all = ["name", "list"])]
    pub explain: Option<String>,
}

/// Formats of `connect`.
const FORMATS: [&str; 4] = ["text", "json", "env", "url"];

#[derive(Debug, Args)]
pub struct SqlArgs {
    /// Name of the cluster
    pub name: String,
    /// Run this SQL and exit; without it, the client is interactive
    #[arg(short = 'e', long = "execute", value_name = "SQL")]
    pub execute: Option<String>,
    /// Database to use [default: test, or none if the user can't use it]
    #[arg(short = 'D', long, value_name = "NAME")]
    pub database: Option<String>,
    /// User inside the cluster
    #[arg(long, value_name = "USER", default_value = "root")]
    pub user: String,
    /// Read the password from the first line of this file
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// Arguments for the client itself, such as `-- --batch --skip-column-names`
    #[arg(last = true, value_name = "CLIENT ARGUMENT")]
    pub client_arguments: Vec<String>,
}

#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Endpoint to test; the default port is 4000
    // Parsed by the command, because clap would repeat a wrong value, and so its password.
    #[arg(value_name = "HOST:PORT")]
    pub endpoint: String,
    /// Name that the certificate must contain [default: HOST]
    #[arg(long, value_name = "N")]
    pub name: Option<String>,
    /// Also trust the roots in this file, such as a local `ca.pem`
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Also log in as this user, and try one wrong password and one unknown user
    ///
    /// The password comes from $TIDEGATE_PASSWORD or from a prompt. It is sent only over TLS whose
    /// certificate has been verified.
    #[arg(long, value_name = "U")]
    pub user: Option<String>,
    /// Repeat the check at this interval and print what changes [default: 300]
    ///
    /// Without --user, the repeated checks test only TLS and the certificate, with one connection
    /// each: MySQL and MariaDB block an address after too many connections that end before a login.
    /// With --user, the login resets that count.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = CHECK_PAUSE_TEXT)]
    #[arg(value_parser = clap::value_parser!(u64).range(30..=86_400))]
    pub watch: Option<u64>,
}
