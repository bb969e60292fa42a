//! The settings of this room, with their defaults.

use crate::limits;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tidegate_model::Wording;

#[derive(Debug, Clone)]
pub struct GatewaySettings {
    /// The version of our greeting. For MariaDB 10.11 measured with every client at hand: see
    /// docs/decisions/0003-greeting.md.
    pub server_version: String,
    /// Networks whose connections must begin with a PROXY header, and from which alone one is
    /// believed.
    pub proxy_networks: Vec<Network>,
    pub login_deadline: Duration,
    pub unproven_per_source: u32,
    pub unproven_total: u32,
    /// Bytes.
    pub unproven_memory: u64,
    /// Bytes that all sessions of one cluster keep in the gateway.
    pub held_per_cluster: u64,
    pub tls12_records_max: u64,
    pub stop_grace: Duration,
    /// Where error texts link to, and what they say to which client.
    pub wording: Arc<Wording>,
}

impl Default for GatewaySettings {
    fn default() -> Self {
        Self {
            server_version: "8.0.2-Tidegate-maria-10.11".to_owned(),
            proxy_networks: Vec::new(),
            login_deadline: limits::LOGIN_DEADLINE,
            unproven_per_source: limits::UNPROVEN_PER_SOURCE,
            unproven_total: limits::UNPROVEN_TOTAL,
            unproven_memory: limits::UNPROVEN_MEMORY,
            held_per_cluster: limits::HELD_PER_CLUSTER,
            tls12_records_max: limits::TLS12_RECORDS_MAX,
            stop_grace: limits::STOP_GRACE,
            wording: Arc::default(),
        }
    }
}

/// An address range, `203.0.113.0/24` or a single address.
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
        let err = || NetworkError(text.to_owned());
        let (base, bits) = match text.split_once('/') {
            Some((base, bits)) => (base, Some(bits.parse::<u8>().map_err(|_| err())?)),
            None => (text, None),
        };
        let base: IpAddr = base.parse().map_err(|_| err())?;
        let most = if base.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        if bits > most {
            Err(err())
        } else {
            Ok(Self { base, bits })
        }
    }
}

impl Network {
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.base, address.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(a)) => {
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
