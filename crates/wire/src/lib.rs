//! MySQL packets as values: both sides of the connection phase, the core of the relay, PROXY
//! headers.
//!
//! Bytes go in and values come out. The crate knows no tokio, sockets, TLS or clusters, and does no
//! I/O. Bytes from the network can cause an error but no panic. Tests compare it with
//! `mysql_common`.

pub mod auth;
pub mod capabilities;
pub mod change_user;
pub mod client;
pub mod command;
pub mod compression;
pub mod first_packet;
pub mod greeting;
pub mod handshake_response;
pub mod kill;
pub mod limits;
pub mod packet;
pub mod proxy;
pub mod query;
pub mod reader;
pub mod relay;
pub mod response;
pub mod server;
pub mod slices;
mod status_condition;
pub mod tls_status;
