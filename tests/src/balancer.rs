//! A load balancer in front of the gateway: a loopback address from which a PROXY header is
//! required. It sends none itself.

use crate::limits::READ_WAIT;
use crate::probe::{Probe, Verdict};
use crate::wire::{self, Response};
use crate::{Cluster, Options, Server, tls};
use std::io::Write;
use std::net::{SocketAddr, TcpStream};

/// Loopback address whose connections must begin with a PROXY header. No others may.
const BALANCER: &str = "127.0.0.3";

/// Starts a server that lists the balancer; `more` is added to its section `[gateway]`.
pub fn behind_a_balancer(more: &str) -> Server {
    let config = format!("[gateway]\nproxy_networks = [\"{BALANCER}\"]\n{more}");
    Server::with(Options {
        config,
        ..Options::default()
    })
}

/// Connects like the balancer.
pub fn from_the_balancer(server: &Server) -> TcpStream {
    dial_from(BALANCER, server.addr())
}

/// Connects as a client of this address through the balancer, with a PROXY header.
pub fn from_source(server: &Server, source: &str) -> TcpStream {
    let mut tcp = from_the_balancer(server);
    let (family, here) = if source.contains(':') {
        ("TCP6", "::1")
    } else {
        ("TCP4", "127.0.0.1")
    };
    tcp.write_all(format!("PROXY {family} {source} {here} 4711 4000\r\n").as_bytes())
        .expect("written");
    tcp
}

/// Connects as a client of this address and finishes the TLS handshake.
pub fn secured_from(server: &Server, source: &str, cluster: &Cluster) -> Probe {
    let mut probe = Probe::over(from_source(server, source));
    probe.write(1, &wire::ssl_request(wire::ORDINARY));
    probe
        .upgrade(tls::verified(&cluster.ca, tls::BOTH), "127.0.0.1")
        .expect("the TLS handshake");
    probe
}

/// Logs in as a client of this address.
pub fn login_from(
    server: &Server,
    source: &str,
    cluster: &Cluster,
    user: &str,
    password: &str,
) -> Verdict {
    secured_from(server, source, cluster).login(&Response::new(user), password)
}

/// Connects from this loopback address. Any address of 127.0.0.0/8 represents a remote client.
pub fn dial_from(source: &str, to: SocketAddr) -> TcpStream {
    let connect = async {
        let socket = tokio::net::TcpSocket::new_v4()?;
        socket.bind(format!("{source}:0").parse().expect("an address"))?;
        socket.connect(to).await?.into_std()
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let tcp = runtime.block_on(connect).expect("connected");
    tcp.set_nonblocking(false).expect("blocking");
    tcp.set_nodelay(true).expect("nodelay");
    tcp.set_read_timeout(Some(READ_WAIT)).expect("a bound");
    tcp
}
