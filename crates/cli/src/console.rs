//! What opens the console and the private listener: addresses, and the adapters that join it to the other rooms. It shows nothing and answers no request.

use crate::config::Config;
use crate::failure::Failure;
use crate::proof::{self, Door};
use anyhow::Result;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use tidegate_console::PublicFace;
use tidegate_console::probe::{ProbeLogin, ProbeStep, Prober, Step};
use tidegate_control::WebSessionLife;
use tidegate_model::{BoxFuture, Event, Journal};
use tidegate_tls::{Identity, Roots, client_config};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Listeners that are bound and not yet served.
pub struct Doors {
    pub console: Vec<TcpListener>,
    pub metrics: Option<TcpListener>,
    /// Sign-ins, and wrong keys, of one source.
    pub attempts_per_minute: u32,
}

impl Doors {
    /// A default address that is taken leaves the console out; one that somebody chose is an error.
    pub fn bind(config: &Config, bind: impl Fn(SocketAddr) -> Result<TcpListener>) -> Result<Self> {
        let mut console = Vec::new();
        if config.text("console.enabled")? == "yes" {
            for address in config.addresses("console.listen")? {
                match bind(address) {
                    Ok(listener) => console.push(listener),
                    Err(error) if !config.is_chosen("console.listen") => {
                        tracing::warn!(%address, error = format!("{error:#}"), "no console: set console.listen, or --console");
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        let metrics = match config.text("metrics.listen")? {
            "" => None,
            text => Some(bind(text.parse().map_err(|_| {
                let cause = format!("metrics.listen is {text:?}, which is no ADDRESS:PORT");
                Failure::usage(cause, "write such as \"127.0.0.1:9104\", or \"\" for none")
            })?)?),
        };
        let attempts_per_minute = u32::try_from(config.count("console.attempts_per_minute")?)?;
        Ok(Self { console, metrics, attempts_per_minute })
    }

    /// The address that people open.
    pub fn base(&self, config: &Config, identity: &Identity) -> Result<Option<String>> {
        let Some(listener) = self.console.first() else { return Ok(None) };
        let listening = listener.local_addr()?;
        let host = match config.text("console.domain")? {
            "" if listening.ip().is_unspecified() => identity.primary_host(&[listening]),
            "" => listening.ip().to_string(),
            domain => domain.to_owned(),
        };
        let host = tidegate_connect::bracketed(&host);
        let port = if listening.port() == 443 { String::new() } else { format!(":{}", listening.port()) };
        Ok(Some(format!("https://{host}{port}")))
    }
}

/// When a signed-in browser must sign in again.
pub fn session_life(config: &Config) -> Result<WebSessionLife> {
    let (idle, most) = (config.duration("console.session_idle")?, config.duration("console.session_life")?);
    Ok(WebSessionLife { idle, most })
}

/// Hands each event to all.
pub struct FanOut(pub Vec<Arc<dyn Journal>>);

impl Journal for FanOut {
    fn record(&self, event: &Event) {
        for journal in &self.0 {
            journal.record(event);
        }
    }
}

/// Goes in by our own door, by the name that is printed for people.
pub struct OwnDoor {
    pub face: watch::Receiver<PublicFace>,
}

impl Prober for OwnDoor {
    fn probe(&self, login: ProbeLogin) -> BoxFuture<'_, Vec<ProbeStep>> {
        Box::pin(async move {
            let face = self.face.borrow().clone();
            let failed = |why: String| {
                vec![ProbeStep {
                    step: Step::Tcp,
                    took: std::time::Duration::ZERO,
                    detail: String::new(),
                    failure: Some(why),
                }]
            };
            let Some(first) = face.listeners.first() else { return failed("there is no listener".to_owned()) };
            let tls = match client_config(Roots::for_trust(&face.trust)) {
                Ok(tls) => tls,
                Err(error) => return failed(error.to_string()),
            };
            let door = Door { host: &face.host, address: reachable(*first), tls };
            let password = login.password.as_ref().map(|password| password.reveal());
            proof::steps(&door, &login.user, password, &login.database).await
        })
    }
}

/// A listener on all addresses is reached by loopback.
pub fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}
