//! Checks the TLS and login security of an endpoint of the MySQL protocol, from outside. It opens a
//! few bounded connections and returns a list of findings. It shares no code with the product that
//! it judges, and sends a password only over TLS whose certificate it verified.

mod chain;
#[cfg(test)]
mod chain_tests;
mod changes;
mod clean;
mod endpoint;
mod finding;
#[cfg(feature = "fuzzing")]
pub mod fuzz_entry_points;
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
mod self_signed;
mod settings;
mod text;
mod tls;

pub use changes::{CheckHistory, FindingChange};
pub use endpoint::{Endpoint, EndpointError};
pub use finding::{FindingEntry, FindingKind, FindingVerdict};
pub use judge::check;
pub use page::page;
pub use report::{CheckFinding, CheckReport, Counts};
pub use settings::{Account, Roots, RootsError, Settings};
pub use text::{TextStyle, change_line, text};
