//! Ranges of addresses, such as `203.0.113.0/24`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Range of addresses: `203.0.113.0/24`, or a single address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressRange {
    base: IpAddr,
    bits: u8,
}

/// Error of a text that is not a range of addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WrongRange {
    #[error("{0:?} is not an address or a network such as 203.0.113.0/24")]
    NotARange(String),
    /// An address inside of the network, which may be a typing error.
    #[error("{given} is an address inside of the network {network}")]
    InsideNetwork {
        given: String,
        network: AddressRange,
    },
}

impl FromStr for AddressRange {
    type Err = WrongRange;

    fn from_str(text: &str) -> Result<Self, WrongRange> {
        Self::parse(text).ok_or_else(|| {
            let shown = text.chars().take(RANGE_CHARS_MAX).collect();
            WrongRange::NotARange(shown)
        })
    }
}

/// Longest text of a range: an IPv6 address with an embedded IPv4 address, and `/128`.
const RANGE_CHARS_MAX: usize = 49;

/// Bits before the IPv4 address in an IPv4-mapped IPv6 address (RFC 4291, section 2.5.5.2).
const MAPPED_BITS: u8 = 96;

impl AddressRange {
    fn parse(text: &str) -> Option<Self> {
        let (base, bits) = match text.split_once('/') {
            // `parse` accepts a sign too.
            Some((_, bits)) if !bits.bytes().all(|b| b.is_ascii_digit()) => return None,
            Some((base, bits)) => (base, Some(bits.parse().ok()?)),
            None => (text, None),
        };
        let base: IpAddr = base.parse().ok()?;
        let most = if base.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        if bits > most {
            return None;
        }
        let range = Self { base, bits };
        Some(range.mapped_as_ipv4().unwrap_or(range))
    }

    /// Reads a range whose address is the first one of its network, as lists of allowed addresses
    /// must have it: `203.0.113.9/24` may mean one address or 256.
    ///
    /// # Errors
    /// If the text is no range, or its address has bits behind the length.
    pub fn parse_network(text: &str) -> Result<Self, WrongRange> {
        let range: Self = text.trim().parse()?;
        let network = range.network();
        if range == network {
            return Ok(range);
        }
        Err(WrongRange::InsideNetwork {
            given: range.to_string(),
            network,
        })
    }

    /// The range of IPv4 addresses, if this one is of IPv4 addresses in IPv6 form: clients with
    /// such addresses are compared as IPv4.
    fn mapped_as_ipv4(self) -> Option<Self> {
        let IpAddr::V6(base) = self.base else {
            return None;
        };
        let v4 = base.to_ipv4_mapped()?;
        Some(Self {
            base: v4.into(),
            bits: self.bits.checked_sub(MAPPED_BITS)?,
        })
    }

    /// This range with the first address of its network.
    fn network(self) -> Self {
        let base = match self.base {
            IpAddr::V4(base) => {
                let mask = u32::MAX
                    .checked_shl(32 - u32::from(self.bits))
                    .unwrap_or_default();
                Ipv4Addr::from(u32::from(base) & mask).into()
            }
            IpAddr::V6(base) => {
                let mask = u128::MAX
                    .checked_shl(128 - u32::from(self.bits))
                    .unwrap_or_default();
                Ipv6Addr::from(u128::from(base) & mask).into()
            }
        };
        Self { base, ..self }
    }

    /// Whether the address lies in this range. IPv4 addresses in IPv6 form count as IPv4.
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

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let most = if self.base.is_ipv4() { 32 } else { 128 };
        match self.bits {
            bits if bits == most => write!(f, "{}", self.base),
            bits => write!(f, "{}/{bits}", self.base),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(range: &str, address: &str) -> bool {
        let range: AddressRange = range.parse().unwrap();
        range.contains(address.parse().unwrap())
    }

    #[test]
    fn ranges_contain_what_they_should() {
        assert!(contains("203.0.113.0/24", "203.0.113.9"));
        assert!(contains("203.0.113.0/24", "::ffff:203.0.113.9"));
        assert!(!contains("203.0.113.0/24", "203.0.114.9"));
        assert!(contains("0.0.0.0/0", "8.8.8.8"));
        assert!(!contains("0.0.0.0/0", "2001:db8::1"));
        assert!(contains("::/0", "2001:db8::1"));
        assert!(!contains("::/0", "8.8.8.8"));
        assert!(contains("::1", "::1"));
        assert!(contains("2001:db8::/32", "2001:db8:ffff::1"));
        assert!(contains("::ffff:203.0.113.0/120", "203.0.113.9"));
        assert!(contains("::ffff:203.0.113.9", "::ffff:203.0.113.9"));
        for wrong in [
            "",
            "/",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/+8",
            "10.0.0.0/-1",
            "::/129",
            "10.0.0/8",
            "localhost",
            "10.0.0.0/8/8",
            "fe80::1%eth0",
        ] {
            assert!(wrong.parse::<AddressRange>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_list_takes_networks_and_no_address_inside_of_one() {
        for (text, shown) in [
            ("203.0.113.0/24", "203.0.113.0/24"),
            (" 203.0.113.9 ", "203.0.113.9"),
            ("203.0.113.9/32", "203.0.113.9"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("2001:DB8::/32", "2001:db8::/32"),
            ("::ffff:203.0.113.0/120", "203.0.113.0/24"),
        ] {
            let range = AddressRange::parse_network(text).unwrap();
            assert_eq!(range.to_string(), shown);
            assert_eq!(shown.parse::<AddressRange>().unwrap(), range);
        }
        let wrong = AddressRange::parse_network("203.0.113.9/24").unwrap_err();
        assert_eq!(
            wrong.to_string(),
            "203.0.113.9/24 is an address inside of the network 203.0.113.0/24"
        );
        assert!(AddressRange::parse_network("2001:db8::1/32").is_err());
        assert!(AddressRange::parse_network("10.0.0.1/0").is_err());
    }
}
