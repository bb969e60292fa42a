//! Stages of a connection: accepted, greeted, secured, identified, authenticated, attached,
//! relaying.
//!
//! Each file has the type of a stage and the step that leads to it, which consumes the stage
//! before. A step that fails tells the client why, where an error packet fits, and returns an
//! [`Ending`](tidegate_model::journal::Ending).

pub(crate) mod accepted;
pub(crate) mod attached;
pub(crate) mod authenticated;
pub(crate) mod changing;
pub(crate) mod greeted;
pub(crate) mod identified;
pub(crate) mod relaying;
pub(crate) mod secured;
