//! The endpoint of a connection string, and the options of its rendering.

use crate::ConnectError;
use std::fmt;
use tidegate_model::Trust;

/// Endpoint and login of a connection string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub host: String,
    pub port: u16,
    /// The full login, `<prefix>.<user>`.
    pub user: String,
    pub database: String,
    pub trust: Trust,
}

/// Options of rendering a string.
#[derive(Debug, Clone, Copy, Default)]
pub struct RenderOptions<'a> {
    /// A platform's id, which decides the path of the roots if the server is publicly trusted.
    pub os: Option<&'a str>,
    pub tls: TlsMinimum,
    /// Password of the literal forms. Without it they contain `<your_password>`.
    pub password: Option<&'a str>,
    /// Platform of the machine that has the endpoint's CA file. If `os` is another one, the strings
    /// name the place of a copy. None if the file's path is the client's own.
    pub ca_machine: Option<&'a str>,
    /// Names and addresses in the server's certificate; empty if they are not known.
    pub names: &'a [String],
}

/// Oldest TLS version that the client accepts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TlsMinimum {
    #[default]
    Tls12,
    Tls13,
}

impl fmt::Display for TlsMinimum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls12 => "1.2",
            Self::Tls13 => "1.3",
        })
    }
}

/// Returns the host as it is written before a port and in URLs, with brackets around an IPv6
/// address.
pub fn bracketed(host: &str) -> String {
    if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    }
}

/// Whether a certificate with these names is for this host: an equal name, or a wildcard for its
/// first label (RFC 6125, section 6.4.3).
fn is_named(names: &[String], host: &str) -> bool {
    let behind_label = host.split_once('.').map(|(_, rest)| rest);
    names.iter().any(|name| {
        name.eq_ignore_ascii_case(host)
            || name
                .strip_prefix("*.")
                .is_some_and(|rest| behind_label.is_some_and(|b| b.eq_ignore_ascii_case(rest)))
    })
}

impl Endpoint {
    /// Returns a warning if the server's certificate is not for the host, so that every client that
    /// verifies refuses to connect.
    pub fn unnamed_host(&self, wish: RenderOptions<'_>) -> Option<String> {
        let names = wish.names;
        if names.is_empty() || is_named(names, &self.host) {
            return None;
        }
        Some(format!(
            "The server's certificate does not contain `{}`: a client that verifies refuses to \
             connect to it. Connect to one of its names ({}), or start the server with `--name {}` \
             too.",
            self.host,
            names.join(", "),
            self.host
        ))
    }

    /// Returns the CA file that clients need, if the trust requires one.
    pub fn ca_file(&self) -> Result<Option<&str>, ConnectError> {
        // A private CA without a file is assumed to be in the machine's trust store.
        let Some(path) = self.trust.ca_path() else {
            return Ok(None);
        };
        let text = path.to_str();
        text.map(Some)
            .ok_or_else(|| ConnectError::PathNotText(path.display().to_string()))
    }

    /// Refuses values with control characters: literals and lines of files can't contain a line
    /// break, and no real value has one.
    pub fn refuse_control_characters(&self) -> Result<(), ConnectError> {
        let ca = self.ca_file()?.unwrap_or_default();
        let odd = [&self.host, &self.user, &self.database, ca]
            .into_iter()
            .find(|v| v.contains(char::is_control));
        odd.map_or(Ok(()), |value| {
            Err(ConnectError::ControlCharacter(
                value.escape_debug().to_string(),
            ))
        })
    }
}
