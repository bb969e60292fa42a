//! Host names and addresses of certificates, and the names that the local CA may sign. Never
//! resolves a name.

use crate::error::TlsError;
use rcgen::{CidrSubnet, GeneralSubtree, SanType};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// DNS suffixes that every local CA may sign: loopback and those reserved for private use (RFC
/// 6761, `.internal`).
const SUFFIXES: [&str; 3] = ["localhost", "internal", "test"];

/// Address ranges that every local CA may sign: loopback, private (RFC 1918, RFC 4193) and
/// link-local.
const RANGES: [(IpAddr, u8); 8] = [
    (IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), 8),
    (IpAddr::V4(Ipv4Addr::new(10, 0, 0, 0)), 8),
    (IpAddr::V4(Ipv4Addr::new(172, 16, 0, 0)), 12),
    (IpAddr::V4(Ipv4Addr::new(192, 168, 0, 0)), 16),
    (IpAddr::V4(Ipv4Addr::new(169, 254, 0, 0)), 16),
    (IpAddr::V6(Ipv6Addr::LOCALHOST), 128),
    (IpAddr::V6(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0)), 7),
    (IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0)), 10),
];

/// A name that a certificate can carry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    Dns(String),
    Ip(IpAddr),
}

impl Name {
    /// Parses a name as people type it. DNS names become lower case without a final dot.
    pub fn parse(text: &str) -> Result<Self, TlsError> {
        let bare = text
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap_or(text);
        if let Ok(address) = bare.parse::<IpAddr>() {
            // Certificates contain an IPv4-mapped address as IPv4.
            return Ok(Self::Ip(address.to_canonical()));
        }
        let dns = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        if is_dns(&dns) {
            Ok(Self::Dns(dns))
        } else {
            Err(TlsError::BadName(text.to_owned()))
        }
    }

    /// Names of every local certificate.
    pub fn loopback() -> [Self; 3] {
        [
            Self::Dns("localhost".to_owned()),
            Self::Ip(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            Self::Ip(IpAddr::V6(Ipv6Addr::LOCALHOST)),
        ]
    }

    pub fn to_san(&self) -> Result<SanType, TlsError> {
        Ok(match self {
            Self::Dns(dns) => SanType::DnsName(dns.as_str().try_into()?),
            Self::Ip(address) => SanType::IpAddress(*address),
        })
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(dns) => f.write_str(dns),
            Self::Ip(address) => address.fmt(f),
        }
    }
}

/// Returns a name as certificates spell it; none if it is no name.
pub fn spelled(name: &str) -> Option<String> {
    Name::parse(name).ok().map(|name| name.to_string())
}

/// Whether a certificate's name `carried` is `name`, or a wildcard one label above it.
pub fn covers(carried: &str, name: &str) -> bool {
    carried == name
        || carried
            .strip_prefix("*.")
            .is_some_and(|above| name.split_once('.').is_some_and(|(_, rest)| rest == above))
}

/// Whether this is a DNS name: labels of 1 to 63 letters, digits and inner hyphens, 253 characters
/// in all; the first label may be `*`. The last label must not be all digits: such a name is a
/// mistyped address (WHATWG URL, 3.5).
fn is_dns(text: &str) -> bool {
    let concrete = text.strip_prefix("*.").unwrap_or(text);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253
        && concrete.split('.').all(label)
        && concrete
            .rsplit('.')
            .next()
            .is_some_and(|last| !last.bytes().all(|b| b.is_ascii_digit()))
}

/// Names that an issuing CA may sign: its permitted subtrees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permitted {
    dns: Vec<String>,
    ip: Vec<(IpAddr, IpAddr)>,
}

impl Permitted {
    /// Returns the names that a new CA may sign: the fixed ranges, the machine's own name, and the
    /// configured names.
    pub fn at_first_start(machine: Option<Name>, given: &[Name]) -> Self {
        let mut permitted = Self {
            dns: SUFFIXES.iter().map(|suffix| (*suffix).to_owned()).collect(),
            ip: RANGES
                .iter()
                .map(|(base, bits)| (*base, mask(*base, *bits)))
                .collect(),
        };
        for name in machine.iter().chain(given) {
            // A name within the fixed ranges needs no further subtree.
            if permitted.allows(name) {
                continue;
            }
            match name {
                // A subtree contains all names below it (RFC 5280, 4.2.1.10), so it covers the
                // wildcard too.
                Name::Dns(dns) => permitted
                    .dns
                    .push(dns.strip_prefix("*.").unwrap_or(dns).to_owned()),
                Name::Ip(address) => permitted.ip.push((*address, mask(*address, 128))),
            }
        }
        permitted
    }

    /// Reads the subtrees of an existing certificate. Octets of addresses are the address, then the
    /// mask.
    pub fn from_parts<'a>(
        dns: impl Iterator<Item = &'a str>,
        ip: impl Iterator<Item = &'a [u8]>,
    ) -> Self {
        let ip = ip.filter_map(|octets| {
            let (base, mask) = octets.split_at_checked(octets.len() / 2)?;
            Some((address(base)?, address(mask)?))
        });
        Self {
            dns: dns.map(str::to_ascii_lowercase).collect(),
            ip: ip.collect(),
        }
    }

    pub fn allows(&self, name: &Name) -> bool {
        match name {
            Name::Dns(dns) => {
                let dns = dns.strip_prefix("*.").unwrap_or(dns);
                self.dns.iter().any(|base| {
                    // At the border of a label only: `mytest` is not below `test`.
                    dns.strip_suffix(base.as_str())
                        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
                })
            }
            Name::Ip(address) => self
                .ip
                .iter()
                .any(|(base, mask)| within(*address, *base, *mask)),
        }
    }

    pub fn to_subtrees(&self) -> Vec<GeneralSubtree> {
        let dns = self.dns.iter().cloned().map(GeneralSubtree::DnsName);
        let ip = self
            .ip
            .iter()
            .filter_map(|(base, mask)| match (base, mask) {
                (IpAddr::V4(base), IpAddr::V4(mask)) => {
                    Some(CidrSubnet::V4(base.octets(), mask.octets()))
                }
                (IpAddr::V6(base), IpAddr::V6(mask)) => {
                    Some(CidrSubnet::V6(base.octets(), mask.octets()))
                }
                _ => None,
            });
        dns.chain(ip.map(GeneralSubtree::IpAddress)).collect()
    }
}

/// Reads an address of 4 or 16 octets.
pub fn address(octets: &[u8]) -> Option<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(octets) {
        return Some(IpAddr::from(v4));
    }
    <[u8; 16]>::try_from(octets).ok().map(IpAddr::from)
}

/// Returns a net mask of the address's family. More `bits` than it has mean the whole address.
fn mask(family: IpAddr, bits: u8) -> IpAddr {
    match family {
        IpAddr::V4(_) => IpAddr::from(
            u32::MAX
                .checked_shl(32_u32.saturating_sub(bits.into()))
                .unwrap_or(0)
                .to_be_bytes(),
        ),
        IpAddr::V6(_) => IpAddr::from(
            u128::MAX
                .checked_shl(128_u32.saturating_sub(bits.into()))
                .unwrap_or(0)
                .to_be_bytes(),
        ),
    }
}

fn within(address: IpAddr, base: IpAddr, mask: IpAddr) -> bool {
    match (address, base, mask) {
        (IpAddr::V4(a), IpAddr::V4(b), IpAddr::V4(m)) => {
            a.to_bits() & m.to_bits() == b.to_bits() & m.to_bits()
        }
        (IpAddr::V6(a), IpAddr::V6(b), IpAddr::V6(m)) => {
            a.to_bits() & m.to_bits() == b.to_bits() & m.to_bits()
        }
        _ => false,
    }
}

/// Returns the machine's own name, if a certificate can carry it.
pub fn machine() -> Option<Name> {
    let uname = rustix::system::uname();
    let name = uname.nodename().to_str().ok()?;
    Name::parse(name)
        .ok()
        .filter(|name| matches!(name, Name::Dns(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(permitted: &Permitted, name: &str) -> bool {
        permitted.allows(&Name::parse(name).unwrap())
    }

    #[test]
    fn names_are_read_as_people_type_them() {
        assert_eq!(
            Name::parse("DB.Example.Test.").unwrap().to_string(),
            "db.example.test"
        );
        assert_eq!(
            Name::parse("[::1]").unwrap(),
            Name::Ip("::1".parse().unwrap())
        );
        assert_eq!(
            Name::parse("::ffff:10.0.0.1").unwrap(),
            Name::Ip("10.0.0.1".parse().unwrap())
        );
        for bad in [
            "",
            "a b",
            "-a.test",
            "a..test",
            "300.1.2.3",
            "https://a.test",
            "a.test:4000",
            &"a".repeat(64),
        ] {
            assert!(Name::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_fixed_ranges_are_private_and_nothing_else() {
        let permitted = Permitted::at_first_start(None, &[]);
        for name in [
            "localhost",
            "a.localhost",
            "db.internal",
            "x.y.test",
            "127.8.9.1",
            "10.1.2.3",
            "172.31.0.1",
        ] {
            assert!(allowed(&permitted, name), "{name}");
        }
        for name in ["192.168.3.4", "169.254.1.1", "::1", "fd00::1", "fe80::1"] {
            assert!(allowed(&permitted, name), "{name}");
        }
        for name in [
            "example.com",
            "notlocalhost",
            "mytest",
            "internal.com",
            "172.32.0.1",
            "8.8.8.8",
            "::2",
            "2001:db8::1",
        ] {
            assert!(!allowed(&permitted, name), "{name}");
        }
    }

    #[test]
    fn names_given_at_the_first_start_are_allowed_with_what_lies_below() {
        let given = [
            Name::parse("db.example.com").unwrap(),
            Name::parse("203.0.113.7").unwrap(),
        ];
        let permitted =
            Permitted::at_first_start(Some(Name::parse("workstation").unwrap()), &given);
        for name in [
            "db.example.com",
            "a.db.example.com",
            "203.0.113.7",
            "workstation",
        ] {
            assert!(allowed(&permitted, name), "{name}");
        }
        for name in ["example.com", "xdb.example.com", "203.0.113.8"] {
            assert!(!allowed(&permitted, name), "{name}");
        }
    }
}
