//! The table of clients and platforms, the connection strings that people copy, and the help pages
//! of refusals. Pure functions over data files, without IO and without HTML.
//!
//! A client is one file in `clients/`. [`render`] makes its strings, [`argv`] its command line for
//! `exec`, and [`explain`] tells what a given string verifies.

mod client_hints;
mod endpoint;
mod error;
mod explain;
mod guide;
mod names;
mod quote;
mod refusal;
mod render;
mod table;
mod template;

pub use client_hints::client_hints;
pub use endpoint::{Endpoint, RenderOptions, TlsMinimum, bracketed};
pub use error::ConnectError;
pub use explain::{
    CheckAnswer, ClientChecks, EXPLAIN_MAX, ExplainError, ExplainOptions, Explanation,
    VerifyingForms, explain,
};
pub use guide::guide;
pub use names::{client, other_clients, platform, platform_of_os_release};
pub use quote::Syntax;
pub use refusal::{ClientLine, RefusalHelp, refusal_help, refusal_index, refusal_page};
pub use render::{Block, Form, PASSWORD_VARIABLE, Rendered, argv, render};
pub use table::{
    CaNeed, Client, Fails, Format, PasswordFrom, Platform, Setting, Verifies, all_platforms,
    clients, platforms,
};
