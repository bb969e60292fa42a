//! User numbers for the engines of one fixture. Removing a cluster kills every process with its
//! number, and the limit of tasks counts all of them: two tests with the same numbers would kill or
//! starve each other's engines.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use tidegate_model::ClusterId;

/// Above the numbers that servers draw from, below those that some programs read as negative.
const NUMBERS: std::ops::Range<u32> = 2_147_352_576..2_147_483_648;

/// Clusters of one fixture; their ids are less.
const BLOCK: u32 = 256;

/// Block of numbers that no other test of this machine has, for as long as this value lives.
pub struct UserNumbers {
    first: u32,
    _claim: Option<UnixListener>,
}

impl UserNumbers {
    /// Claims a block. The kernel frees it when the process ends, however it ends.
    pub fn claim() -> Self {
        let blocks = (NUMBERS.end - NUMBERS.start) / BLOCK;
        for n in 0..blocks {
            // Each process begins elsewhere.
            let block = (std::process::id().wrapping_mul(7919).wrapping_add(n)) % blocks;
            let first = NUMBERS.start + block * BLOCK;
            let name = format!("tidegate-test-users-{first}");
            let name = SocketAddr::from_abstract_name(name).unwrap();
            if let Ok(claim) = UnixListener::bind_addr(&name) {
                let _claim = Some(claim);
                return Self { first, _claim };
            }
        }
        panic!("no user numbers of {NUMBERS:?} are free");
    }

    /// Returns the block that begins here, which another process has claimed for us.
    pub fn lent(first: u32) -> Self {
        let _claim = None;
        Self { first, _claim }
    }

    pub fn first(&self) -> u32 {
        self.first
    }

    /// Returns the number of this cluster's engine, `None` if engines run as our own user.
    pub fn of(&self, id: ClusterId) -> Option<u32> {
        let id = u32::try_from(id.0).unwrap();
        assert!(id < BLOCK, "more clusters than a fixture has numbers for");
        rustix::process::geteuid()
            .is_root()
            .then_some(self.first + id)
    }
}
