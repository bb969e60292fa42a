//! HOST:PORT as people write it. It never resolves a name.

use std::fmt;
use std::net::IpAddr;

/// Port of an endpoint that is written without one: the console prints this one for every server.
pub const PORT: u16 = 4000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub host: String,
    pub port: u16,
}

/// Error of an endpoint that can't be read. It never repeats the text, which may be a connection
/// string with a password.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EndpointError {
    #[error("it has no host, or an unclosed bracket")]
    Form,
    #[error("it is a URL or a connection string; only host and port of it are needed")]
    ConnectionString,
    #[error("its port is not a number from 1 to 65535")]
    Port,
    #[error("its host is neither a host name nor an address")]
    Host,
}

/// Characters that a host and a port never have, but URLs and connection strings do.
const STRING_MARKS: &[char] = &['@', '/', '=', '?', '&', ';', '#', '(', ')'];

impl std::str::FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        if text.contains(STRING_MARKS) {
            return Err(EndpointError::ConnectionString);
        }
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest.split_once(']').ok_or(EndpointError::Form)?;
                let port = if rest.is_empty() {
                    None
                } else {
                    Some(rest.strip_prefix(':').ok_or(EndpointError::Form)?)
                };
                (host, port)
            }
            // More than one colon without brackets is an IPv6 address without a port.
            None if text.matches(':').count() > 1 => (text, None),
            None => text
                .split_once(':')
                .map_or((text, None), |(host, port)| (host, Some(port))),
        };
        let port = match port {
            None => PORT,
            Some(port) => match port.parse() {
                Ok(number) if number != 0 && port.bytes().all(|b| b.is_ascii_digit()) => number,
                _ => return Err(EndpointError::Port),
            },
        };
        if host.parse::<IpAddr>().is_err() && rustls::pki_types::DnsName::try_from(host).is_err() {
            return Err(if host.is_empty() {
                EndpointError::Form
            } else {
                EndpointError::Host
            });
        }
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports_are_read_as_written() {
        for (text, want) in [
            ("db.example.com:4000", "db.example.com:4000"),
            ("db.example.com", "db.example.com:4000"),
            ("127.0.0.1:3306", "127.0.0.1:3306"),
            ("[::1]:4001", "[::1]:4001"),
            ("[::1]", "[::1]:4000"),
            ("::1", "[::1]:4000"),
        ] {
            assert_eq!(
                text.parse::<Endpoint>().unwrap().to_string(),
                want,
                "{text}"
            );
        }
        for text in [
            "",
            ":4000",
            "h:0",
            "h:65536",
            "h:",
            "h:+1",
            "a b:1",
            "[::1",
            "[::1]x",
            "-:1",
            "mysql://h:1",
        ] {
            assert!(text.parse::<Endpoint>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_error_never_repeats_a_connection_string() {
        for text in [
            "mysql://root:sesame@db.example.com:4000/test",
            "mysql://root:ses/sesame@db.example.com",
            "jdbc:mysql://h:1/test?user=root&password=sesame",
            "root:sesame@tcp(h:1)/test",
            "sesame@h:1",
            "root:sesame",
            "root:99999sesame",
            "h:1:sesame!",
            "[::1]:sesame",
            "[sesame",
            "Server=h;Port=1;Pwd=sesame",
            "host=h password=sesame",
            "h sesame",
        ] {
            let error = text.parse::<Endpoint>().unwrap_err().to_string();
            assert!(!error.contains("sesame"), "{text}: {error}");
        }
    }
}
