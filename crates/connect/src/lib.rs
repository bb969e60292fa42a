//! The table of clients and platforms, the strings a person copies, and the help page of each
//! refusal: pure functions over data files. Never any IO, never HTML.
//!
//! A client is one file in `clients/`; [`render`] makes everything that is shown of it, [`argv`]
//! its command line for `exec`.

mod endpoint;
mod error;
mod explain;
mod guide;
mod mends;
mod quote;
mod refusal;
mod render;
mod table;
mod template;

pub use endpoint::{Endpoint, TlsMinimum, Wish, bracketed};
pub use error::ConnectError;
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
