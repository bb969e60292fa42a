//! Listeners of the console and of the metrics.

use super::listen::{Port, Wanted, check_overlaps};
use crate::config::Config;
use crate::failure::Failure;
use anyhow::Result;
use std::net::{IpAddr, SocketAddr};
use tidegate_tls::Identity;
use tokio::net::TcpListener;

/// Flag that chooses the console's address.
const CONSOLE: &str = "--console";
/// Key that chooses the address of the metrics.
const METRICS: &str = "metrics.listen";

/// Returns the addresses that somebody has chosen for the console and the metrics.
pub fn chosen_addresses(config: &Config) -> Result<Vec<Wanted>> {
    let mut all = Vec::new();
    if config.text("console.enabled")? == "yes" && config.is_chosen("console.listen") {
        let console = config.addresses("console.listen")?;
        all.extend(console.into_iter().map(console_at));
    }
    match config.text(METRICS)? {
        "" => {}
        text => all.push(metrics_at(text)?),
    }
    Ok(all)
}

fn console_at(address: SocketAddr) -> Wanted {
    Wanted {
        address,
        setting: CONSOLE,
    }
}

fn metrics_at(text: &str) -> Result<Wanted, Failure> {
    Ok(Wanted {
        address: metrics_address(text)?,
        setting: METRICS,
    })
}

/// Listeners that are bound and not yet served.
pub struct HttpListeners {
    pub console: Vec<TcpListener>,
    pub metrics: Option<TcpListener>,
    /// Why there is no console, if one was wanted.
    pub no_console: Option<Failure>,
    /// Sign-ins and wrong API keys that one source may try.
    pub attempts_per_minute: u32,
}

impl HttpListeners {
    /// Binds the configured addresses. If the console's address is the default and in use, the
    /// server runs without a console; if somebody chose the address, that is an error.
    pub fn bind(config: &Config, all: &[Wanted]) -> Result<Self> {
        let mut console = Vec::new();
        let mut no_console = None;
        if config.text("console.enabled")? == "yes" {
            for address in config.addresses("console.listen")? {
                let wanted = console_at(address);
                // A chosen address was compared with all others already. The default one is
                // compared here, so that a conflict costs the console only and not the start.
                let is_free = if config.is_chosen("console.listen") {
                    Ok(())
                } else {
                    check_overlaps(&[all, &[wanted]].concat())
                };
                match is_free.and_then(|()| Port::bind(wanted, all)?.listen()) {
                    Ok(listener) => console.push(listener),
                    Err(failure) if !config.is_chosen("console.listen") => {
                        tracing::warn!(error = failure.cause, hint = failure.hint, "no console");
                        no_console = Some(failure);
                    }
                    Err(failure) => return Err(failure.into()),
                }
            }
        }
        let metrics = match config.text("metrics.listen")? {
            "" => None,
            text => Some(Port::bind(metrics_at(text)?, all)?.listen()?),
        };
        let attempts_per_minute = u32::try_from(config.count("console.attempts_per_minute")?)?;
        Ok(Self {
            console,
            metrics,
            no_console,
            attempts_per_minute,
        })
    }

    /// Returns the URL of the console.
    pub fn base_url(&self, config: &Config, identity: &Identity) -> Result<Option<String>> {
        let Some(listener) = self.console.first() else {
            return Ok(None);
        };
        let listening = listener.local_addr()?;
        let host = match config.text("console.domain")? {
            "" if listening.ip().is_unspecified() => identity.primary_host(&[listening]),
            "" => listening.ip().to_string(),
            domain => domain.to_owned(),
        };
        let host = tidegate_connect::bracketed(&host);
        let port = if listening.port() == 443 {
            String::new()
        } else {
            format!(":{}", listening.port())
        };
        Ok(Some(format!("https://{host}{port}")))
    }
}

/// Reads the address of the metrics. They are served without a password, so it must not be one that
/// strangers can reach.
fn metrics_address(text: &str) -> Result<SocketAddr, Failure> {
    let hint = "use an address such as \"127.0.0.1:9104\" or one of a private network, or \"\" for \
                no metrics";
    let address: SocketAddr = text.parse().map_err(|error: std::net::AddrParseError| {
        Failure::usage(
            format!("metrics.listen is {text:?}, which is not ADDRESS:PORT"),
            hint,
        )
        .caused_by(error)
    })?;
    let why = match address.ip().to_canonical() {
        ip if ip.is_unspecified() => "means every address of this machine, public ones too",
        ip if is_private(ip) => return Ok(address),
        _ => "is a public address",
    };
    let cause = format!(
        "metrics are served without a password, but {} in metrics.listen {why}",
        address.ip()
    );
    Err(Failure::usage(cause, hint))
}

/// Whether an address is not public: loopback, link-local, private (RFC 1918, RFC 4193), or shared
/// by a carrier (RFC 6598).
fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let shared = matches!(ip.octets(), [100, 64..=127, ..]);
            ip.is_loopback() || ip.is_private() || ip.is_link_local() || shared
        }
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_served_on_private_addresses_only() {
        for good in [
            "127.0.0.1:9104",
            "10.1.2.3:1",
            "192.168.0.9:1",
            "172.31.0.1:1",
            "100.100.1.1:1",
            "[::1]:1",
            "[fd00::1]:1",
        ] {
            assert_eq!(metrics_address(good).unwrap(), good.parse().unwrap());
        }
        for (bad, why) in [
            ("0.0.0.0:9104", "every address"),
            ("[::]:9104", "every address"),
            ("[::ffff:0.0.0.0]:1", "every address"),
            ("203.0.113.9:1", "public"),
            ("172.32.0.1:1", "public"),
            ("[2001:db8::1]:1", "public"),
            ("9104", "not ADDRESS:PORT"),
        ] {
            let failure = metrics_address(bad).unwrap_err();
            assert!(
                failure.is_usage() && failure.cause.contains(why),
                "{bad}: {}",
                failure.cause
            );
        }
    }
}
