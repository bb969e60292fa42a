//! Settings of the gateway, with their defaults.

use crate::limits;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tidegate_model::Wording;
use tidegate_wire::capabilities::{Capabilities, OFFERED};

#[derive(Debug, Clone)]
pub struct GatewaySettings {
    /// Server version in the greeting. Drivers behave differently by it;
    /// docs/decisions/0003-greeting.md has the reasons for the default.
    pub server_version: String,
    /// Capabilities of the engines. The greeting offers those of them that can be relayed.
    pub capabilities: Capabilities,
    /// Networks whose connections must begin with a PROXY header. Headers from other addresses are
    /// not believed.
    pub proxy_networks: Vec<Network>,
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
        self.capabilities.intersect(OFFERED)
    }
}

impl Default for GatewaySettings {
    fn default() -> Self {
        Self {
            server_version: "8.0.2-Tidegate-maria-10.11".to_owned(),
            capabilities: OFFERED,
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

/// Range of addresses: `203.0.113.0/24`, or a single address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    bits: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an address or a network such as 203.0.113.0/24")]
pub struct NetworkError(String);

impl std::str::FromStr for Network {
    type Err = NetworkError;
    fn from_str(text: &str) -> Result<Self, NetworkError> {
        Self::parse(text).ok_or_else(|| NetworkError(text.to_owned()))
    }
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (base, bits) = match text.split_once('/') {
            Some((base, bits)) => (base, Some(bits.parse().ok()?)),
            None => (text, None),
        };
        let base: IpAddr = base.parse().ok()?;
        let most = if base.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        (bits <= most).then_some(Self { base, bits })
    }

    /// Whether the address lies in this network. IPv4 addresses in IPv6 form count as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.base, address.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(a)) => {
                // In a /0 the shift has no result on either side, so all addresses are equal.
                let shift = 32 - u32::from(self.bits);
                u32::from(base).checked_shr(shift) == u32::from(a).checked_shr(shift)
            }
            (IpAddr::V6(base), IpAddr::V6(a)) => {
                let shift = 128 - u32::from(self.bits);
                u128::from(base).checked_shr(shift) == u128::from(a).checked_shr(shift)
            }
            _ => false,
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
                .union(Capabilities::COMPRESS),
            ..GatewaySettings::default()
        };
        assert_eq!(
            lesser.offered(),
            OFFERED.without(Capabilities::SESSION_TRACK)
        );
    }

    #[test]
    fn networks_contain_what_they_should() {
        let n: Network = "203.0.113.0/24".parse().unwrap();
        assert!(n.contains("203.0.113.9".parse().unwrap()));
        assert!(n.contains("::ffff:203.0.113.9".parse().unwrap()));
        assert!(!n.contains("203.0.114.9".parse().unwrap()));
        assert!(
            "0.0.0.0/0"
                .parse::<Network>()
                .unwrap()
                .contains("8.8.8.8".parse().unwrap())
        );
        assert!(
            "::1"
                .parse::<Network>()
                .unwrap()
                .contains("::1".parse().unwrap())
        );
        assert!("10.0.0.0/33".parse::<Network>().is_err());
        assert!("example".parse::<Network>().is_err());
    }
}
