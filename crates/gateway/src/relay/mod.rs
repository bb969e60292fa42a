//! Relay between client and engine: `wire::relay` tells what the bytes mean, the driver here moves
//! them.
//!
//! The driver can be replaced (by a loop per core, or by io_uring) without a change to any other
//! file.

mod client_leg;
mod compressed;
mod driver;
mod engine_leg;
mod records;
mod reset_watch;
mod session_peers;

pub(crate) use driver::RelayDriver;
pub(crate) use engine_leg::EngineLeg;
pub(crate) use session_peers::{RelayEnd, SessionPeers};

use crate::limits;
use std::cell::RefCell;

/// Buffers that a driver reads into. They belong to the worker threads, so that an idle session has
/// no buffer.
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
