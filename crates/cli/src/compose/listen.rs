//! Binds the server's ports, and refuses public ones where nothing isolates the engines.

use super::port_holder;
use crate::failure::Failure;
use crate::limits;
use anyhow::Result;
use rustix::net::sockopt::set_ipv6_v6only;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use tidegate_engine::Walls;
use tokio::net::{TcpListener, TcpSocket};

/// Address that this server listens on.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    pub address: SocketAddr,
    /// Flag or key that chooses another one, for the hints of errors.
    pub setting: &'static str,
}

/// Bound port that accepts no connections until [`Port::listen`].
pub struct Port {
    socket: TcpSocket,
    wanted: Wanted,
}

impl Port {
    /// Binds an address. `all`: every address that this server listens on. Fails if another program
    /// listens there.
    pub fn bind(wanted: Wanted, all: &[Wanted]) -> Result<Self, Failure> {
        let Wanted { address, setting } = wanted;
        let socket = bind_socket(address, is_ipv6_only(address, all))
            .map_err(|error| port_holder::explain(address, error, setting))?;
        Ok(Self { socket, wanted })
    }

    pub fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Accepts connections from now on.
    pub fn listen(self) -> Result<TcpListener, Failure> {
        let Wanted { address, setting } = self.wanted;
        self.socket
            .listen(limits::BACKLOG)
            .map_err(|error| port_holder::explain(address, error, setting))
    }
}

fn bind_socket(address: SocketAddr, ipv6_only: bool) -> std::io::Result<TcpSocket> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    if ipv6_only {
        set_ipv6_v6only(&socket, true)?;
    }
    // SO_REUSEADDR, so that a restart does not wait for closed connections in TIME_WAIT. On Linux
    // it does not allow two listeners on one port.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Whether a listener on `[::]` leaves IPv4 alone: another listener has that port on IPv4. By
/// itself, `[::]` accepts both.
fn is_ipv6_only(address: SocketAddr, all: &[Wanted]) -> bool {
    address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED)
        && all
            .iter()
            .map(|wanted| wanted.address)
            .any(|other| other.ip().to_canonical().is_ipv4() && is_same_port(other, address))
}

/// Whether both name the same port. Port 0 is a different port each time.
fn is_same_port(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() == other.port() && one.port() != 0
}

/// Refuses two listeners of this server on one port: the system's error would blame this process.
pub fn check_overlaps(all: &[Wanted]) -> Result<(), Failure> {
    for (index, one) in all.iter().enumerate() {
        let later = all.get(index + 1..).unwrap_or_default();
        if let Some(other) = later
            .iter()
            .find(|other| overlap(one.address, other.address))
        {
            return Err(Failure::usage(
                format!(
                    "{} {} and {} {} are the same port",
                    one.setting, one.address, other.setting, other.address
                ),
                "leave one of them out, or give it another port; 0.0.0.0 includes all IPv4 \
                 addresses, [::] all IPv6 ones",
            ));
        }
    }
    Ok(())
}

fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let a = one.ip().to_canonical();
    let b = other.ip().to_canonical();
    is_same_port(one, other)
        && a.is_ipv4() == b.is_ipv4()
        && (a == b || a.is_unspecified() || b.is_unspecified())
}

/// Whether only this machine can reach the address.
pub fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// Refuses public addresses if engines are not isolated: a tenant is an administrator inside its
/// engine, so without isolation only people of this machine may connect.
pub fn check_walls(walls: Walls, listen: &[SocketAddr]) -> Result<()> {
    if walls.keep_tenants_in() {
        return Ok(());
    }
    match listen.iter().find(|a| !is_loopback(a.ip())) {
        Some(open) => Err(Failure::new(
            format!(
                "listening on {open} is refused, because nothing on this machine isolates an \
                 engine's user from the rest ({})",
                walls.missing().join("; ")
            ),
            "run as root (each cluster then gets its own user), or on a kernel with Landlock (5.13 \
             or later);\n\
             listening on 127.0.0.1 works without either",
        )
        .into()),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_walls_only_loopback_may_be_listened_on() {
        let none = Walls {
            own_uids: false,
            landlock: false,
            seccomp: true,
        };
        for open in ["0.0.0.0:4000", "192.0.2.1:4000", "[::]:4000"] {
            let error = check_walls(none, &[open.parse().unwrap()]).unwrap_err();
            let failure = error.downcast::<Failure>().unwrap();
            assert!(
                failure.cause.contains("Landlock") && failure.cause.contains(open),
                "{}",
                failure.cause
            );
            assert!(!failure.hint.is_empty());
            assert!(
                check_walls(
                    Walls {
                        landlock: true,
                        ..none
                    },
                    &[open.parse().unwrap()]
                )
                .is_ok()
            );
            assert!(
                check_walls(
                    Walls {
                        own_uids: true,
                        ..none
                    },
                    &[open.parse().unwrap()]
                )
                .is_ok()
            );
        }
        for closed in [
            "127.0.0.1:4000",
            "127.8.0.1:1",
            "[::1]:4000",
            "[::ffff:127.0.0.1]:4000",
        ] {
            assert!(
                check_walls(none, &[closed.parse().unwrap()]).is_ok(),
                "{closed}"
            );
        }
    }

    fn wanted(address: &str) -> Wanted {
        Wanted {
            address: address.parse().unwrap(),
            setting: "--listen",
        }
    }

    #[tokio::test]
    async fn a_port_in_use_is_never_shared() {
        let first = Port::bind(wanted("127.0.0.1:0"), &[]).unwrap();
        let address = first.local_addr().unwrap().to_string();
        let first = first.listen().unwrap();
        assert!(Port::bind(wanted(&address), &[]).is_err());
        drop(first);
    }

    #[tokio::test]
    async fn both_families_listen_on_all_addresses_of_one_port() {
        let any4 = Port::bind(wanted("0.0.0.0:0"), &[]).unwrap();
        let port = any4.local_addr().unwrap().port();
        let all = [
            wanted(&format!("0.0.0.0:{port}")),
            wanted(&format!("[::]:{port}")),
        ];
        check_overlaps(&all).unwrap();
        let any6 = Port::bind(all[1], &all).unwrap();
        any4.listen().unwrap();
        any6.listen().unwrap();
    }

    #[test]
    fn a_port_that_two_settings_name_is_refused_before_it_is_bound() {
        for (one, other, same) in [
            ("127.0.0.1:1", "127.0.0.1:1", true),
            ("0.0.0.0:1", "127.0.0.1:1", true),
            ("[::1]:1", "[::]:1", true),
            ("[::ffff:127.0.0.1]:1", "127.0.0.1:1", true),
            ("[::]:1", "0.0.0.0:1", false),
            ("[::]:1", "127.0.0.1:1", false),
            ("127.0.0.1:1", "127.0.0.2:1", false),
            ("127.0.0.1:1", "127.0.0.1:2", false),
            ("127.0.0.1:0", "127.0.0.1:0", false),
        ] {
            let all = [wanted(one), wanted(other)];
            assert_eq!(check_overlaps(&all).is_err(), same, "{one} {other}");
        }
    }
}
