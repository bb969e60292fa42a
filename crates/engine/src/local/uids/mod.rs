//! Users of the system that engines run as: which numbers this server may give out, whether one is
//! free, and the hand-over of a cluster's files to another. Never needed where the server is not
//! root.

mod claim;
mod ownership;
mod users;
mod walk;

pub use claim::{ClaimError, UidChoice, UidClaim};
pub use ownership::settle_ownership;
pub use users::{Candidate, free_uids, kill_processes};
