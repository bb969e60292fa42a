//! The life of a connection, a type and a file per stage. Each file holds the step that leads to
//! its stage and consumes the stage before it: accepted, greeted, secured, identified,
//! authenticated, attached, relaying.
//!
//! A stage that can't go on tells the client why and ends in an
//! [`Ending`](tidegate_model::journal::Ending).

pub(crate) mod accepted;
pub(crate) mod attached;
pub(crate) mod authenticated;
pub(crate) mod greeted;
pub(crate) mod identified;
pub(crate) mod relaying;
pub(crate) mod secured;
