//! The API over the control socket and over HTTPS, the web console, and the client of the command
//! line. Never packets or processes.

mod access;
mod activity;
pub mod auth;
mod bounded;
pub mod certificate;
pub mod client;
mod dialog;
pub mod engine_kinds;
mod errors;
pub mod events;
mod face;
mod limits;
pub mod metrics;
mod object;
mod pages;
pub mod probe;
mod routes;
mod secret;
mod serve;
pub mod socket;
pub mod types;
mod warning;
pub mod web;

pub use client::{Client, ClientError};
pub use face::PublicFace;
pub use routes::{Api, description, router};
pub use serve::ControlSocket;
