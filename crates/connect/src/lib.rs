//! The table of clients and platforms, the lines a person pastes, and the help page of each refusal: pure
//! functions over data files. Never any IO, never HTML, never a password.
//!
//! A client is one file in `clients/`; [`render`] makes its line for people, [`argv`] the same for `exec`.

mod refusal;
mod render;
mod shell;
mod table;

pub use refusal::{refusal_index, refusal_page};
pub use render::{Endpoint, Snippet, argv, render};
pub use table::{CaNeed, Client, Part, Platform, Verifies, When, clients, platforms};

/// Why there is no line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    #[error("no client `{given}` is known; there are: {known}")]
    UnknownClient { given: String, known: String },
    #[error("no platform `{given}` is known; there are: {known}")]
    UnknownPlatform { given: String, known: String },
    #[error("the path of the CA file is not UTF-8 text and cannot stand in a line: {0}")]
    PathNotText(String),
}
