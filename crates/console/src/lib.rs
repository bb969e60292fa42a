//! The API over the control socket and over HTTPS, the web console, and the API client of the
//! command line.

mod api;
pub mod auth;
mod bounded;
pub mod client;
mod errors;
pub mod events;
mod face;
mod limits;
mod machine;
pub mod metrics;
mod pages;
pub mod probe;
mod readiness;
mod serve;
pub mod socket;
mod state;
pub mod timestamp;
pub mod types;
mod unread_body;
pub mod web;

pub use api::{description, router};
pub use client::{Client, ClientError, ClusterFilter, SessionFilter, UserFilter};
pub use face::PublicFace;
pub use machine::machine_platform;
pub use readiness::{Readiness, ReadyState};
pub use serve::ControlSocket;
pub use state::Api;
