//! The server's TLS identity: certificate sources (files, local CA, ACME) behind one resolver,
//! whose certificate changes without a restart; the public server profile and the verifying client
//! profile; TLS to an engine. This room knows no packets and no clusters, and never asks for client
//! certificates.
//!
//! [`Identity::open`] loads or makes the certificate; [`Identity::watch`] keeps it fresh while the
//! server runs. Another source is one more file that implements `source::Source`.

mod acme;
mod alarm;
mod chain;
mod dial;
mod door;
mod engine_leg;
mod error;
mod event;
mod files;
mod handshakes;
mod history;
mod identity;
mod issue;
#[cfg(test)]
mod killed_child;
mod leaf;
pub mod limits;
mod local_ca;
mod lock;
mod master;
mod names;
mod primary_host;
mod profile;
mod reach;
mod resolver;
mod root;
mod seal;
mod settings;
mod source;
mod state;
mod state_files;
mod state_folder;
mod status;
#[cfg(test)]
#[path = "../tests/support/mod.rs"]
mod support;
mod tickets;

pub use acme::{
    AcmeSettings, AcmeShared, CaSettings, ChallengeKind, DnsSettings, DnsUpdate, ExternalAccount,
    LETS_ENCRYPT,
};
pub use acme::{AcmeStatus, KeptStatus, LastError, OrderCheck};
pub use alarm::{Alarm, AlarmKind};
pub use dial::dial;
pub use door::WebDoor;
pub use engine_leg::connect_engine;
pub use error::TlsError;
pub use event::TlsEvent;
pub use handshakes::{Handshakes, RunningSession, Turn, Turns};
pub use history::{HistoryEntry, HistoryEvent};
pub use identity::Identity;
pub use leaf::LeafStatus;
pub use local_ca::renew_at_next_start;
pub use master::{ForeignValue, MasterKey, MasterKeyId, Rotation, SubKey};
pub use profile::{Roots, Versions, client_config, warm_thread};
pub use root::LocalRoot;
pub use settings::TlsSettings;
pub use state_folder::StateFolder;
pub use status::{CertificateStatus, LinkStatus};
