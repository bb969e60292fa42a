//! Settings of the gateway, with their defaults.

use crate::limits;
use std::sync::Arc;
use std::time::Duration;
use tidegate_model::{AddressRange, Wording};
use tidegate_wire::capabilities::{Capabilities, OFFERED};

#[derive(Debug, Clone)]
pub struct GatewaySettings {
    /// Server version in the greeting. Drivers behave differently by it;
    /// docs/decisions/0003-greeting.md has the reasons for the default.
    pub server_version: String,
    /// Capabilities of the engines. The greeting offers those of them that can be relayed.
    pub capabilities: Capabilities,
    /// Whether clients may compress.
    pub compression: bool,
    /// Networks whose connections must begin with a PROXY header. Headers from other addresses are
    /// not believed.
    pub proxy_networks: Vec<AddressRange>,
    pub login_deadline: Duration,
    pub unproven_per_source: u32,
    pub unproven_total: u32,
    /// Sessions of all clusters. One cluster may have half of them.
    pub sessions_max: usize,
    /// Bytes of memory of all unproven connections.
    pub unproven_memory: u64,
    /// Bytes that all sessions of one cluster may keep in the gateway.
    pub held_per_cluster: u64,
    pub tls12_records_max: u64,
    pub stop_grace: Duration,
    /// Links and client-specific hints in error texts.
    pub wording: Arc<Wording>,
}

impl GatewaySettings {
    /// Returns the capabilities of the greeting.
    pub fn offered(&self) -> Capabilities {
        let offered = self.capabilities.intersect(OFFERED);
        match self.compression {
            true => offered,
            false => offered.without(Capabilities::COMPRESSION),
        }
    }
}

impl Default for GatewaySettings {
    fn default() -> Self {
        Self {
            server_version: "5.5.5-10.11.0-MariaDB".to_owned(),
            capabilities: OFFERED,
            compression: true,
            proxy_networks: Vec::new(),
            login_deadline: limits::LOGIN_DEADLINE,
            unproven_per_source: limits::UNPROVEN_PER_SOURCE,
            unproven_total: limits::UNPROVEN_TOTAL,
            sessions_max: limits::SESSIONS_MAX,
            unproven_memory: limits::UNPROVEN_MEMORY,
            held_per_cluster: limits::HELD_PER_CLUSTER,
            tls12_records_max: limits::TLS12_RECORDS_MAX,
            stop_grace: limits::STOP_GRACE,
            wording: Arc::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greeting_offers_what_the_engines_have_and_the_gateway_can_relay() {
        assert_eq!(GatewaySettings::default().offered(), OFFERED);
        let lesser = GatewaySettings {
            capabilities: OFFERED
                .without(Capabilities::SESSION_TRACK)
                .union(Capabilities::QUERY_ATTRIBUTES),
            ..GatewaySettings::default()
        };
        assert_eq!(
            lesser.offered(),
            OFFERED.without(Capabilities::SESSION_TRACK)
        );
        let plain = GatewaySettings {
            compression: false,
            ..GatewaySettings::default()
        };
        assert_eq!(plain.offered(), OFFERED.without(Capabilities::COMPRESSION));
    }
}
