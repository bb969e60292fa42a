//! What to connect to, and what is asked of a string. Values only.

use crate::ConnectError;
use std::fmt;
use tidegate_model::Trust;

/// What to connect to, and as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub host: String,
    pub port: u16,
    /// The full login, `<prefix>.<user>`.
    pub user: String,
    pub database: String,
    pub trust: Trust,
}

/// How a string shall be made.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wish<'a> {
    /// A platform's id; it decides where the roots lie if the server is publicly trusted.
    pub os: Option<&'a str>,
    pub tls: TlsMinimum,
    /// For the literal forms; where it is not known, they say `<your_password>`.
    pub password: Option<&'a str>,
}

/// The oldest TLS version that the client shall accept.
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

/// A host as it stands before a port and in URLs: an IPv6 address needs brackets there.
pub fn bracketed(host: &str) -> String {
    if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    }
}

impl Endpoint {
    /// The path of the CA file that clients have to be given, if the trust needs one.
    pub fn ca_file(&self) -> Result<Option<&str>, ConnectError> {
        match &self.trust {
            Trust::Local(path) | Trust::Private(Some(path)) => path
                .to_str()
                .map(Some)
                .ok_or_else(|| ConnectError::PathNotText(path.display().to_string())),
            // A company's CA whose file nobody named is taken to be in the machine's own store.
            Trust::Public | Trust::Private(None) => Ok(None),
        }
    }

    /// No language's literal and no line of a file holds a line break; nothing real has one.
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
