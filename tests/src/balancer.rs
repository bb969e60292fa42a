//! A balancer in front of the gateway: a loopback address from which a PROXY header is required. It
//! sends none itself.

use crate::limits::READ_WAIT;
use crate::{Options, Server};
use std::net::{SocketAddr, TcpStream};

/// Only connections from this loopback address must, and may, begin with a PROXY header.
const BALANCER: &str = "127.0.0.3";

/// A server that knows the balancer; `more` goes on in its section `[gateway]`.
pub fn behind_a_balancer(more: &str) -> Server {
    let config = format!("[gateway]\nproxy_networks = [\"{BALANCER}\"]\n{more}");
    Server::with(Options {
        config,
        ..Options::default()
    })
}

/// A connection as the balancer makes it.
pub fn from_the_balancer(server: &Server) -> TcpStream {
    dial_from(BALANCER, server.addr())
}

/// A connection from this loopback address: any of 127.0.0.0/8 stands for a client elsewhere.
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
