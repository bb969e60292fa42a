//! Who holds a port: read from /proc, so that "address in use" can name the program. It never ends
//! or signals it.

use crate::failure::Failure;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::Path;

/// /proc/net/tcp's state of a listening socket.
const LISTENING: &str = "0A";

/// The process that listens on this port, as far as this user may see it.
fn holder(address: SocketAddr) -> Option<(u32, String)> {
    let inodes: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .into_iter()
        .filter_map(|file| std::fs::read_to_string(file).ok())
        .flat_map(|table| listening_inodes(&table, address.port()))
        .collect();
    let wanted: Vec<String> = inodes
        .iter()
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    std::fs::read_dir("/proc")
        .ok()?
        .flatten()
        .find_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            let holds = std::fs::read_dir(entry.path().join("fd"))
                .ok()?
                .flatten()
                .any(|fd| {
                    std::fs::read_link(fd.path())
                        .is_ok_and(|to| wanted.iter().any(|w| to.as_os_str() == w.as_str()))
                });
            holds.then(|| (pid, command(&entry.path())))
        })
}

fn command(process: &Path) -> String {
    let name = std::fs::read_to_string(process.join("comm")).unwrap_or_default();
    let line = std::fs::read(process.join("cmdline")).unwrap_or_default();
    let line = String::from_utf8_lossy(&line).replace('\0', " ");
    // Another program's arguments are its own business and may be long: its first words are enough.
    let line: String = line
        .trim()
        .chars()
        .filter(|c| !c.is_control())
        .take(60)
        .collect();
    if line.is_empty() {
        name.trim().to_owned()
    } else {
        line
    }
}

/// The inodes of sockets that listen on this port, whatever their address: a wildcard takes the
/// port for all.
fn listening_inodes(table: &str, port: u16) -> Vec<String> {
    let port = format!(":{port:04X}");
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let columns: Vec<&str> = line.split_whitespace().collect();
            let local = columns.get(1)?;
            let state = columns.get(3)?;
            let inode = columns.get(9)?;
            (local.ends_with(&port) && *state == LISTENING).then(|| (*inode).to_owned())
        })
        .collect()
}

/// A free port near the wanted one, to suggest. Tried by binding, so that the suggestion works.
fn free_port(address: SocketAddr) -> Option<u16> {
    (1..=20)
        .filter_map(|step| address.port().checked_add(step))
        .find(|port| TcpListener::bind(SocketAddr::new(address.ip(), *port)).is_ok())
}

/// What to tell whose listener can't be opened; `setting` is the flag or the key that chooses
/// another.
pub fn explain(address: SocketAddr, error: &std::io::Error, setting: &str) -> Failure {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            let by = holder(address).map_or(
                "by a program this user can't see".to_owned(),
                |(pid, command)| format!("by process {pid} ({command})"),
            );
            let other = free_port(address).map_or_else(
                || format!("choose another with {setting} ADDRESS:PORT"),
                |port| {
                    let other = SocketAddr::new(address.ip(), port);
                    format!("end that program, or choose another port: {setting} {other}")
                },
            );
            Failure::new(
                format!("port {} on {} is taken {by}", address.port(), address.ip()),
                other,
            )
        }
        std::io::ErrorKind::PermissionDenied => Failure::new(
            format!("this user may not listen on {address}"),
            format!("choose a port from 1024 up: {setting} ADDRESS:PORT"),
        ),
        std::io::ErrorKind::AddrNotAvailable => Failure::new(
            format!("this machine has no address {}", address.ip()),
            "`ip address` lists those it has; 0.0.0.0 stands for all of IPv4, [::] for all",
        ),
        _ => Failure::new(format!("can't listen on {address}: {error}"), ""),
    }
}

/// Whether only this machine can reach the address.
pub fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_of_a_port_is_found_and_another_is_suggested() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(
            holder(address).map(|(pid, _)| pid),
            Some(std::process::id())
        );
        let error = TcpListener::bind(address).unwrap_err();
        let failure = explain(address, &error, "--listen");
        assert!(
            failure
                .cause
                .contains(&format!("process {}", std::process::id())),
            "{}",
            failure.cause
        );
        assert!(
            failure.hint.contains("--listen 127.0.0.1:"),
            "{}",
            failure.hint
        );
        assert!(!failure.hint.contains(&address.to_string()));
    }

    #[test]
    fn a_connection_from_that_port_is_no_listener() {
        let table = "  sl  local_address rem_address   st tx rx tr tm retrnsmt uid timeout inode\n\
                     0: 0100007F:0FA0 00000000:0000 0A 0:0 0:0 0 0 0 111 1\n\
                     1: 0100007F:0FA0 0100007F:D431 01 0:0 0:0 0 0 0 222 1\n\
                     2: 0100007F:10FA 00000000:0000 0A 0:0 0:0 0 0 0 333 1\n";
        assert_eq!(listening_inodes(table, 4000), ["111"]);
    }
}
