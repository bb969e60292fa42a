//! The API over the control socket: routes, their description, and the client of the command line. Never packets or
//! processes.

pub mod certificate;
pub mod client;
mod errors;
mod face;
mod limits;
mod routes;
mod serve;
pub mod socket;
pub mod types;

pub use client::{Client, ClientError};
pub use face::PublicFace;
pub use routes::{Api, description, router};
pub use serve::ControlSocket;
