//! The stage `Relaying`: `wire::relay` says what the bytes mean, the driver here moves them.
//!
//! Exchanging the driver (for a loop per core, or io_uring) touches no other file.

mod client_leg;
mod driver;
mod engine_leg;

pub(crate) use client_leg::ClientLeg;
pub(crate) use driver::{Driver, Peers};
pub(crate) use engine_leg::EngineLeg;

use crate::limits;
use std::cell::RefCell;

/// What a driver reads into. One per worker thread: no session holds a buffer while nothing flows.
pub(crate) struct Scratch {
    pub cipher: Box<[u8]>,
    pub plain: Box<[u8]>,
    pub engine: Box<[u8]>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch {
        cipher: vec![0; limits::SCRATCH].into_boxed_slice(),
        plain: vec![0; limits::SCRATCH].into_boxed_slice(),
        engine: vec![0; limits::SCRATCH].into_boxed_slice(),
    });
}
