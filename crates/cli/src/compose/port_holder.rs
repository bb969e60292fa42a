//! Process that listens on a port, found in /proc, so that the error "address in use" can name it.

use crate::failure::Failure;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

/// State of a listening socket in /proc/net/tcp.
const LISTENING: &str = "0A";

/// Returns the process that listens on this port, if this user is allowed to see it.
fn find_holder(address: SocketAddr) -> Option<(u32, String)> {
    // Both families: a listener on [::] has the port on IPv4 too.
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

/// Returns the first words of a process's command line.
fn command(process: &Path) -> String {
    let name = std::fs::read_to_string(process.join("comm")).unwrap_or_default();
    let line = std::fs::read(process.join("cmdline")).unwrap_or_default();
    let line = String::from_utf8_lossy(&line).replace('\0', " ");
    // Cut, because another program's arguments may be long and may be private.
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

/// Returns the inodes of sockets that listen on this port, on any address: a listener on 0.0.0.0
/// takes the port on all addresses.
fn listening_inodes(table: &str, port: u16) -> Vec<String> {
    let port = format!(":{port:04X}");
    table
        .lines()
        // The first line contains the headings.
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

/// Returns the failure for an address that can't be bound. `setting` is the flag or key that
/// chooses another one.
pub fn explain(address: SocketAddr, error: std::io::Error, setting: &str) -> Failure {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            let holder = find_holder(address);
            if holder
                .as_ref()
                .is_some_and(|(pid, _)| *pid == std::process::id())
            {
                return Failure::new(
                    format!(
                        "another listener of this server has port {}",
                        address.port()
                    ),
                    format!("choose another with {setting} ADDRESS:PORT"),
                );
            }
            let by = holder.map_or(
                "by a program this user can't see".to_owned(),
                |(pid, command)| format!("by process {pid} ({command})"),
            );
            let other = free_port(address).map_or_else(
                || format!("choose another with {setting} ADDRESS:PORT"),
                |port| {
                    let other = SocketAddr::new(address.ip(), port);
                    format!("stop that program, or choose another port: {setting} {other}")
                },
            );
            Failure::new(
                format!("port {} on {} is in use {by}", address.port(), address.ip()),
                other,
            )
        }
        std::io::ErrorKind::PermissionDenied => Failure::new(
            format!("this user may not listen on {address}"),
            format!("choose a port of 1024 or above: {setting} ADDRESS:PORT"),
        ),
        std::io::ErrorKind::AddrNotAvailable => Failure::new(
            format!("this machine has no address {}", address.ip()),
            "`ip address` lists its addresses; 0.0.0.0 means all IPv4 addresses, [::] all of them",
        ),
        _ => Failure::new(format!("can't listen on {address}"), "").caused_by(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_of_this_server_is_not_blamed_on_a_program_to_stop() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(
            find_holder(address).map(|(pid, _)| pid),
            Some(std::process::id())
        );
        let error = TcpListener::bind(address).unwrap_err();
        let failure = explain(address, error, "--listen");
        assert!(
            failure.cause.contains("another listener of this server"),
            "{}",
            failure.cause
        );
        assert!(!failure.hint.contains("stop"), "{}", failure.hint);
    }

    #[test]
    fn another_port_is_suggested() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let free = free_port(address).unwrap();
        assert_ne!(free, address.port());
        TcpListener::bind(("127.0.0.1", free)).unwrap();
    }

    #[test]
    fn a_connection_from_that_port_is_not_a_listener() {
        let table = "  sl  local_address rem_address   st tx rx tr tm retrnsmt uid timeout inode\n\
                     0: 0100007F:0FA0 00000000:0000 0A 0:0 0:0 0 0 0 111 1\n\
                     1: 0100007F:0FA0 0100007F:D431 01 0:0 0:0 0 0 0 222 1\n\
                     2: 0100007F:10FA 00000000:0000 0A 0:0 0:0 0 0 0 333 1\n";
        assert_eq!(listening_inodes(table, 4000), ["111"]);
    }
}
