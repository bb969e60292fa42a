//! Connections to a host by its name. The addresses of a name are tried one after the other, a
//! fraction of a second apart, and the first that answers is used ("happy eyeballs", RFC 8305): an
//! address that does not answer, as IPv6 in many networks, costs no more than that. A proxy is used
//! where the environment names one, as curl does.

use crate::limits::{ADDRESSES_MAX, ATTEMPT_DELAY};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hyper::Uri;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll};
use tidegate_model::{BoxFuture, error_chain};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::sleep;
use tower_service::Service;

/// Opens a connection for TLS to this host, through the proxy of `HTTPS_PROXY` if that is set and
/// `NO_PROXY` does not name the host. `localhost` and loopback addresses are always connected to
/// directly. An IPv6 address has no brackets.
pub async fn dial(host: &str, port: u16) -> io::Result<TcpStream> {
    dial_by(&Matcher::from_env(), host, port).await
}

async fn dial_by(proxies: &Matcher, host: &str, port: u16) -> io::Result<TcpStream> {
    let bracketed = match host.parse() {
        Ok(IpAddr::V6(_)) => format!("[{host}]"),
        _ => host.to_owned(),
    };
    let uri = Uri::try_from(format!("https://{bracketed}:{port}")).map_err(io::Error::other)?;
    let Some(proxy) = proxies.intercept(&uri).filter(|_| !is_loopback(host)) else {
        return dial_directly(host, port).await;
    };
    // Without user and password.
    let named = proxy.uri().to_string();
    if proxy.uri().scheme_str() != Some("http") {
        return Err(io::Error::other(format!(
            "HTTPS_PROXY or ALL_PROXY names {named}, and only proxies of http:// can be used; \
             hint: name one of these, or put {host} into NO_PROXY"
        )));
    }
    let mut tunnel = Tunnel::new(proxy.uri().clone(), Dialer);
    if let Some(auth) = proxy.basic_auth() {
        tunnel = tunnel.with_auth(auth.clone());
    }
    match tunnel.call(uri).await {
        Ok(stream) => Ok(stream.into_inner()),
        Err(error) => Err(io::Error::other(format!(
            "the proxy {named} of HTTPS_PROXY or ALL_PROXY: {}",
            error_chain(&error)
        ))),
    }
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.to_canonical().is_loopback())
}

/// Connector of the proxy itself.
#[derive(Clone)]
struct Dialer;

impl Service<Uri> for Dialer {
    type Response = TokioIo<TcpStream>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, proxy: Uri) -> Self::Future {
        Box::pin(async move {
            let host = proxy.host().unwrap_or_default();
            let host = host.trim_start_matches('[').trim_end_matches(']');
            let port = proxy.port_u16().unwrap_or(80);
            dial_directly(host, port).await.map(TokioIo::new)
        })
    }
}

async fn dial_directly(host: &str, port: u16) -> io::Result<TcpStream> {
    let addresses = lookup_host((host, port)).await?;
    connect_first(in_turns(addresses)).await
}

/// Returns the addresses with both families in turns, beginning with that of the first: the order
/// in which the system prefers them (RFC 8305, section 4).
fn in_turns(addresses: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let addresses: Vec<_> = addresses.take(ADDRESSES_MAX).collect();
    let Some(first) = addresses.first() else {
        return addresses;
    };
    let is_v4 = first.is_ipv4();
    let (preferred, others): (Vec<_>, Vec<_>) = addresses
        .iter()
        .copied()
        .partition(|address| address.is_ipv4() == is_v4);
    let longest = preferred.len().max(others.len());
    (0..longest)
        .flat_map(|at| [preferred.get(at), others.get(at)])
        .flatten()
        .copied()
        .collect()
}

/// Connects to the first address that answers. The next one is tried when one fails, or when it
/// gave no answer for a while. (hyper-util's connector does that for two families only, and waits
/// for each address of a family.)
async fn connect_first(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut left = addresses.into_iter();
    let mut tries = FuturesUnordered::new();
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    loop {
        match left.next() {
            Some(address) => tries.push(connect(address)),
            None if tries.is_empty() => return Err(failed),
            None => {}
        }
        let next_turn = async {
            if left.len() == 0 {
                std::future::pending::<()>().await;
            }
            sleep(ATTEMPT_DELAY).await;
        };
        tokio::select! {
            Some(ended) = tries.next() => match ended {
                Ok(stream) => return Ok(stream),
                Err(error) => failed = error,
            },
            () = next_turn => {}
        }
    }
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let connected = TcpStream::connect(address).await;
    connected.map_err(|error| io::Error::new(error.kind(), format!("{address}: {error}")))
}

#[cfg(test)]
#[path = "dial_tests.rs"]
mod tests;
