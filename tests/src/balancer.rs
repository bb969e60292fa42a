//! A load balancer in front of the gateway: a loopback address from which a PROXY header is
//! required. It sends none itself.

use crate::limits::READ_WAIT;
use crate::{Options, Server};
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
