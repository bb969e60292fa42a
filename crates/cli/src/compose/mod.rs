//! Composition of a server from the rooms: opens them in order, joins them, and stops them in the
//! opposite order. It decides nothing about packets, clusters or certificates.

mod acme_settings;
mod certificates;
pub mod descriptors;
pub mod host;
mod http_listeners;
mod journal;
mod listen;
mod master_key;
mod own_certificate_check;
pub mod own_login;
mod port_holder;
mod probe;
pub mod reload;
mod server;
pub mod settings;

pub use server::{FirstOrder, Server, lock};
