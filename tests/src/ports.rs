//! Ports and addresses for servers that tests start.

pub use crate::free_port::free_port;
use rustix::net::{AddressFamily, SocketType};
use std::os::fd::OwnedFd;

/// Makes an address that gives no answer, as of a host that is down: a listener whose queue is
/// full. It is dead for as long as the returned descriptors are open.
pub fn dead_address(address: std::net::SocketAddr) -> [OwnedFd; 2] {
    let family = if address.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    let [listener, filling] =
        [(); 2].map(|()| rustix::net::socket(family, SocketType::STREAM, None).expect("a socket"));
    rustix::net::bind(&listener, &address).expect("the port is free");
    rustix::net::listen(&listener, 0).expect("bound");
    rustix::net::connect(&filling, &address).expect("it listens");
    [listener, filling]
}

#[cfg(test)]
mod tests {
    use crate::free_port::{PORTS, claimed, free_port};

    #[test]
    fn a_port_is_given_once() {
        let mut ports: Vec<u16> = (0..200).map(|_| free_port()).collect();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 200);
        assert!(!claimed(ports[0]), "another process could claim it too");
        assert!(ports.iter().all(|port| PORTS.contains(port)));
    }
}
