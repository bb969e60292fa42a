//! Users of the system that engines run as: the numbers that this server may assign, whether one is
//! free, and the hand-over of a cluster's files to another user. Used only if the server is root.

mod claim;
mod number_map;
mod own_users;
mod ownership;
mod users;

pub use claim::{ClaimError, UidChoice, UidClaim};
pub use own_users::{NoOwnUsers, can_use_files_of, own_users};
pub use ownership::settle_ownership;
pub use users::{Candidate, free_uids, kill_processes};
