//! Certificates by ACME: orders, their schedule, and the challenges that prove control of a name.
//! Nothing here runs inside a handshake.

mod account;
pub(crate) mod alpn01;
mod answers;
mod attempt;
mod control;
mod dns01;
mod dns_query;
mod dns_update;
mod failure;
mod host;
mod http;
mod http01;
mod judge;
mod key;
pub mod limits;
mod listen;
mod manager;
mod name_servers;
mod order;
mod record;
mod rehearse;
mod restore;
mod schedule;
mod settings;
mod shared;
mod solve;
mod source;
mod store;
mod times;
mod watch;
mod window;

pub use control::{AcmeStatus, KeptStatus, OrderCheck};
pub use host::Host;
pub use manager::Manager;
pub use record::LastError;
pub use settings::{
    AcmeSettings, CaSettings, ChallengeKind, DnsSettings, DnsUpdate, ExternalAccount, LETS_ENCRYPT,
};
pub use shared::AcmeShared;
pub use source::Acme;

/// Returns a random number between 0 and 1, for jitter. Nothing secret depends on it.
fn random() -> f64 {
    let mut bytes = [0; 4];
    // On failure the number is 0, so there is just no jitter.
    let _ = crate::profile::provider().secure_random.fill(&mut bytes);
    f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
}
