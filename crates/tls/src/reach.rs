//! Finds out whether a name leads to a listener. It uses the system's resolver, so it may block; it
//! never connects.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs, UdpSocket};

/// Whether `name` leads to one of the listeners' addresses.
pub fn reaches(name: &str, listen: &[SocketAddr]) -> bool {
    listen.iter().any(|listener| {
        // Port 0: only the addresses matter.
        (name, 0)
            .to_socket_addrs()
            .is_ok_and(|mut found| found.any(|at| leads_to(at.ip(), listener.ip())))
    })
}

fn leads_to(target: IpAddr, listener: IpAddr) -> bool {
    if !listener.is_unspecified() {
        return target == listener;
    }
    // `[::]` accepts IPv4 too unless the listener disables that; `0.0.0.0` never accepts IPv6.
    (target.is_ipv4() || listener.is_ipv6()) && is_ours(target)
}

/// Whether this machine has the address: the kernel only binds to its own.
fn is_ours(address: IpAddr) -> bool {
    UdpSocket::bind((address, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_leads_to_itself_and_to_a_wildcard_of_its_family() {
        assert!(reaches("127.0.0.1", &[at("127.0.0.1:4000")]));
        assert!(reaches("127.0.0.1", &[at("0.0.0.0:4000")]));
        assert!(!reaches("127.0.0.1", &[at("127.0.0.2:4000")]));
        assert!(!reaches("::1", &[at("0.0.0.0:4000")]));
        // TEST-NET-1 is never assigned (RFC 5737).
        assert!(!reaches("192.0.2.1", &[at("0.0.0.0:4000")]));
    }
}
