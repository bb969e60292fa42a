//! State that all connections share.

use crate::decoy::Decoy;
use crate::held::HeldBudgets;
use crate::limits;
use crate::reading_turns::ReadingTurns;
use crate::settings::GatewaySettings;
use std::sync::Arc;
use tidegate_model::{
    Admission, AdmissionLimits, Directory, Journal, SessionId, Sessions, Throttle, Waker,
};
use tidegate_tls::Handshakes;
use tidegate_wire::auth;
use tidegate_wire::greeting::{Greeting, salt_from_random};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

/// Collation of the greeting, `utf8mb4_general_ci`: a default that every client overrides.
const COLLATION: u8 = 45;
/// Status flags of the greeting: SERVER_STATUS_AUTOCOMMIT.
const STATUS: u16 = 2;

/// Parts of other rooms that the gateway works with.
pub struct Deps {
    pub directory: Arc<dyn Directory>,
    pub waker: Arc<dyn Waker>,
    pub journal: Arc<dyn Journal>,
    pub sessions: Sessions,
    pub tls: Arc<rustls::ServerConfig>,
    /// Key from which the behaviour of unknown prefixes is derived. Must survive restarts: a name
    /// whose answers change with a restart would show that it does not exist.
    pub decoy_key: Zeroizing<[u8; 32]>,
    pub throttle: Arc<dyn Throttle>,
}

/// State of the gateway, one value for all connections.
pub(crate) struct GatewayShared {
    pub settings: GatewaySettings,
    pub directory: Arc<dyn Directory>,
    pub waker: Arc<dyn Waker>,
    pub journal: Arc<dyn Journal>,
    pub sessions: Sessions,
    pub tls: Arc<rustls::ServerConfig>,
    pub admission: Admission,
    pub handshakes: Handshakes,
    pub held: HeldBudgets,
    /// For connections that wait for a PROXY header, by the balancer's address.
    pub headers: Admission,
    /// For connections that have not asked for a place yet.
    pub arriving: Arc<Semaphore>,
    /// For refusals that are sent to connections without a place.
    pub refusing: Semaphore,
    /// For sessions of all clusters.
    pub places: Arc<Semaphore>,
    pub throttle: Arc<dyn Throttle>,
    pub decoy: Decoy,
    pub reading_turns: ReadingTurns,
    /// Cancelled when the server stops: logins in progress end. The registry tells the sessions
    /// that relay.
    pub stop: CancellationToken,
}

#[derive(Debug, thiserror::Error)]
#[error("the system's random number generator failed")]
pub struct RandomError;

impl GatewayShared {
    pub fn new(settings: GatewaySettings, deps: Deps) -> Result<Self, RandomError> {
        let admission = Admission::new(AdmissionLimits {
            per_source: settings.unproven_per_source,
            total: settings.unproven_total,
            memory: settings.unproven_memory,
            late_max: (settings.unproven_per_source / limits::LATE_SHARE).max(1),
        });
        let held =
            HeldBudgets::new(usize::try_from(settings.held_per_cluster).unwrap_or(usize::MAX));
        let most = settings.sessions_max.min(limits::SESSIONS_MAX);
        let places = Arc::new(Semaphore::new(most));
        Ok(Self {
            settings,
            directory: deps.directory,
            waker: deps.waker,
            journal: deps.journal,
            sessions: deps.sessions,
            tls: deps.tls,
            admission,
            handshakes: Handshakes::default(),
            held,
            headers: Admission::new(AdmissionLimits {
                per_source: limits::PROXY_WAITING_PER_SOURCE,
                total: limits::PROXY_WAITING_MAX,
                // Twice what these places can use, so that only their number limits them.
                memory: limits::COST_HEADER * u64::from(limits::PROXY_WAITING_MAX) * 2,
                // No denial waits for a header.
                late_max: 1,
            }),
            arriving: Arc::new(Semaphore::new(limits::ARRIVING_MAX)),
            refusing: Semaphore::new(limits::REFUSING_MAX),
            places,
            throttle: deps.throttle,
            decoy: Decoy::new(deps.decoy_key).map_err(|_| RandomError)?,
            reading_turns: ReadingTurns::default(),
            stop: CancellationToken::new(),
        })
    }

    /// Returns a new salt for a greeting.
    pub fn salt(&self) -> Result<[u8; 20], RandomError> {
        let mut random = [0; 20];
        getrandom::fill(&mut random).map_err(|_| RandomError)?;
        Ok(salt_from_random(random))
    }

    /// Returns the greeting of a session.
    pub fn greeting(&self, id: SessionId, salt: [u8; 20]) -> Greeting {
        Greeting {
            version: self.settings.server_version.clone().into_bytes(),
            connection_id: id.0,
            salt,
            capabilities: self.settings.offered(),
            collation: COLLATION,
            status: STATUS,
            // Its proof is enough to log in at the engine, and MariaDB's clients need no further
            // round trip for it (docs/decisions/0003-greeting.md).
            plugin: auth::NATIVE.to_vec(),
        }
    }
}

#[cfg(test)]
#[path = "shared_tests.rs"]
mod tests;
