//! Tools that the end-to-end tests share: a running `tidegate` in a temporary folder, and a client
//! that sends bytes. Imports no room: the protocol is implemented a second time, so that both can't
//! have the same bug.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on panics with what it saw"
)]

pub mod acme;
pub mod balancer;
pub mod certificates;
pub mod clients;
pub mod console;
pub mod free_port;
pub mod host;
pub mod knot;
pub mod limits;
pub mod machine;
pub mod pebble;
pub mod ports;
pub mod probe;
pub mod processes;
pub mod server;
pub mod session;
pub mod skipped;
pub mod slow_ca;
pub mod small_disk;
pub mod templates;
pub mod tls;
pub mod users;
pub mod wire;

pub use server::{Cluster, Options, Server};
pub use skipped::not_run;
