//! Does HOST:PORT keep the contract? Opens a few bounded connections to any MySQL-protocol endpoint
//! and judges what it sees, finding by finding. It shares no code with what it judges, and never
//! sends a password over TLS that it has not verified.

mod chain;
#[cfg(test)]
mod chain_tests;
mod changes;
#[cfg(feature = "fuzzing")]
pub mod doors;
mod endpoint;
mod finding;
mod hello;
mod judge;
pub mod limits;
mod link;
mod login;
mod packet;
mod page;
#[cfg(test)]
mod parser_tests;
mod probes;
mod report;
mod settings;
mod text;
mod tls;

pub use changes::{Change, History};
pub use endpoint::{Endpoint, EndpointError};
pub use finding::{Entry, Kind, Verdict};
pub use judge::check;
pub use page::page;
pub use report::{Counts, Finding, Report};
pub use settings::{Account, Roots, RootsError, Settings};
pub use text::{Style, change_line, text};
