//! One client connection from accept to goodbye: admission, the stages of a login, the relay.
//!
//! Never the store, processes or HTTP: who exists is asked of a `Directory`, who runs of a `Waker`.

mod arrival;
mod attempt;
mod connection;
mod decoy;
mod endings;
mod engine_login;
mod error_packet;
mod failures;
mod gateway;
mod held;
pub mod limits;
mod login_read;
mod reading_turns;
mod relay;
mod settings;
mod shared;
mod stages;
mod tls_stream;
mod verdict;

pub use gateway::Gateway;
pub use settings::{GatewaySettings, Network, NetworkError};
pub use shared::{Deps, RandomError};
