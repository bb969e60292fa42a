//! Binds the server's ports, and refuses public ones where nothing isolates the engines.

use super::port_holder;
use crate::failure::Failure;
use crate::limits;
use anyhow::Result;
use std::net::{IpAddr, SocketAddr};
use tidegate_engine::Walls;
use tokio::net::{TcpListener, TcpSocket};

/// Binds an address. `setting` is the flag or key that chooses another one, for the error's hint.
pub fn bind(address: SocketAddr, setting: &str) -> Result<TcpListener, Failure> {
    bind_port(address).map_err(|error| port_holder::explain(address, error, setting))
}

fn bind_port(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // SO_REUSEADDR, so that a restart does not wait for closed connections in TIME_WAIT. On Linux
    // it does not allow two listeners on one port.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(limits::BACKLOG)
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

    #[tokio::test]
    async fn a_port_in_use_is_never_shared() {
        let first = bind("127.0.0.1:0".parse().unwrap(), "--listen").unwrap();
        assert!(bind(first.local_addr().unwrap(), "--listen").is_err());
    }
}
