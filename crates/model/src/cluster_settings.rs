//! Settings of a cluster beside its limits.

use crate::address_range::AddressRange;
use crate::server_variables::{EVENT_SCHEDULER, ServerVariables};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Settings of a cluster beside its limits. A new cluster has the defaults.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClusterSettings {
    /// Whether the cluster can't be deleted.
    pub deletion_protection: bool,
    /// Whether a ping (COM_PING) counts as work, so that it keeps the cluster awake.
    pub ping_holds: bool,
    /// Whether the engine runs events. Only a cluster that never sleeps can.
    pub events: bool,
    /// Addresses that logins may come from. Empty: any.
    pub ip_allow: Vec<AddressRange>,
    /// Values of server variables, set for all sessions.
    pub variables: ServerVariables,
}

impl ClusterSettings {
    /// Whether logins may come from this address.
    pub fn allows_client(&self, client: IpAddr) -> bool {
        self.ip_allow.is_empty() || self.ip_allow.iter().any(|range| range.contains(client))
    }

    /// All server variables that the engine must have.
    pub fn engine_variables(&self) -> ServerVariables {
        let mut variables = self.variables.clone();
        if self.events {
            variables.insert(EVENT_SCHEDULER.name.to_owned(), "ON".to_owned());
        }
        variables
    }
}

/// Switch that is shared with open sessions, which see a change immediately.
#[derive(Debug, Clone, Default)]
pub struct LiveSwitch(Arc<AtomicBool>);

impl LiveSwitch {
    pub fn is_on(&self) -> bool {
        // It orders nothing else.
        self.0.load(Ordering::Relaxed)
    }

    pub fn set(&self, on: bool) {
        self.0.store(on, Ordering::Relaxed);
    }
}
