//! The table of clients and platforms, the strings a person copies, and the help page of each
//! refusal: pure functions over data files. Never any IO, never HTML.
//!
//! A client is one file in `clients/`; [`render`] makes everything that is shown of it, [`argv`]
//! its command line for `exec`.

mod endpoint;
mod explain;
mod guide;
mod mends;
mod quote;
mod refusal;
mod render;
mod table;
mod template;

pub use endpoint::{Endpoint, TlsMinimum, Wish, bracketed};
pub use explain::{Answer, Ask, Checks, EXPLAIN_MAX, ExplainError, Explanation, Mend, explain};
pub use guide::guide;
pub use mends::mends;
pub use quote::Syntax;
pub use refusal::{ClientLine, RefusalHelp, refusal_help, refusal_index, refusal_page};
pub use render::{Block, Form, PASSWORD_VARIABLE, Rendered, argv, render};
pub use table::{
    CaNeed, Client, Fails, Format, PasswordFrom, Platform, Setting, Verifies, client, clients,
    platform, platforms,
};

/// Why there is no string.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    #[error("no client `{given}` is known; there are: {known}")]
    UnknownClient { given: String, known: String },
    #[error("no platform `{given}` is known; there are: {known}")]
    UnknownPlatform { given: String, known: String },
    #[error(
        "the string of {client} can't insist on TLS 1.3; it agrees on 1.3 by itself where both sides can"
    )]
    NoTlsMinimum { client: String },
    #[error("{client} has no command line")]
    NoCommandLine { client: String },
    #[error("the path of the CA file is not UTF-8 text and cannot stand in a string: {0}")]
    PathNotText(String),
    #[error("a control character can't stand in a string: {0}")]
    ControlCharacter(String),
    #[error("the template of client `{client}` is wrong: {reason}")]
    BadTemplate { client: String, reason: String },
}
