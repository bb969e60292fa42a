//! Choice of the host name in connection strings.

use crate::names::covers;
use crate::reach::reaches;
use std::net::SocketAddr;

/// The host if no other is known.
const LOOPBACK: &str = "127.0.0.1";

/// Returns the host name for connection strings, out of those that the certificate carries. Names
/// that lead to one of the listeners come first: a configured one, then the loopback address, then
/// any other. Where none does, because something in front forwards to the listener, the first
/// configured or carried name is returned. May block on the system's resolver.
pub fn primary_host(configured: &[String], carried: &[String], listen: &[SocketAddr]) -> String {
    let configured: Vec<&str> = configured
        .iter()
        .map(String::as_str)
        .filter(|name| is_concrete(name) && is_carried(name, carried))
        .collect();
    let others: Vec<&str> = carried
        .iter()
        .map(String::as_str)
        .filter(|name| is_concrete(name))
        .collect();
    let loopback = Some(LOOPBACK).filter(|name| is_carried(name, carried));
    let reachable = configured
        .iter()
        .copied()
        .chain(loopback)
        .chain(others.iter().copied())
        .find(|name| reaches(name, listen));
    reachable
        .or(configured.first().copied())
        .or(others.first().copied())
        .unwrap_or(LOOPBACK)
        .to_owned()
}

/// Whether this is one name and no wildcard.
fn is_concrete(name: &str) -> bool {
    !name.contains('*')
}

fn is_carried(name: &str, carried: &[String]) -> bool {
    carried.iter().any(|there| covers(there, name))
}
