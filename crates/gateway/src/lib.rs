//! Connections of clients from accept to close: admission, the stages of a login, the relay.
//!
//! The room knows no store, no processes and no HTTP. It asks a `Directory` which clusters and
//! accounts exist, and a `Waker` for a running engine.

mod arrival;
mod attempt;
mod compression;
mod connection;
mod decoy;
mod endings;
mod engine_login;
mod error_packet;
mod failures;
mod gateway;
mod held;
mod leg_stream;
pub mod limits;
mod login_check;
mod login_read;
mod openssl_names;
mod previous_session;
mod reading_turns;
mod relay;
mod settings;
mod shared;
mod stages;
mod tls_stream;

pub use failures::FailedLogins;
pub use gateway::Gateway;
pub use settings::GatewaySettings;
pub use shared::{Deps, RandomError};
