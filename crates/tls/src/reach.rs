//! Which name leads to a listener. Resolves names with the system's resolver, so it may block;
//! never connects.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs, UdpSocket};

/// Whether `name` leads to one of the addresses listened on.
pub fn reaches(name: &str, listen: &[SocketAddr]) -> bool {
    listen.iter().any(|listener| {
        // With port 0, for the answer is about addresses only.
        (name, 0)
            .to_socket_addrs()
            .is_ok_and(|mut found| found.any(|at| leads_to(at.ip(), listener.ip())))
    })
}

fn leads_to(target: IpAddr, listener: IpAddr) -> bool {
    if !listener.is_unspecified() {
        return target == listener;
    }
    // `[::]` also takes IPv4 unless the listener says otherwise; `0.0.0.0` never takes IPv6.
    (target.is_ipv4() || listener.is_ipv6()) && is_ours(target)
}

/// Whether the machine has this address: the kernel binds no other.
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
        // TEST-NET-1 is nobody's.
        assert!(!reaches("192.0.2.1", &[at("0.0.0.0:4000")]));
    }
}
