//! MySQL packets as values: both halves of the connection phase, the relay core and its tracker,
//! PROXY headers.
//!
//! Bytes in, values out. Never tokio, sockets, TLS or clusters: nothing here reads or writes
//! anything, and a byte from the network can make an error but never a panic. `mysql_common` is its
//! oracle in tests.

pub mod auth;
pub mod capabilities;
pub mod client;
pub mod command;
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
