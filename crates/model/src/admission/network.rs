//! Networks that a source lies in, from the widest to the source itself.

use std::net::IpAddr;

/// Networks of an address: IPv4 /24 and /32, IPv6 /48, /56 and /64. Providers give a customer a /56
/// or a /48 of IPv6, so that addresses and /64s cost nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NetworkPath {
    levels: [Network; DEPTH],
    len: usize,
}

/// Levels of the deeper of the two families.
pub(super) const DEPTH: usize = 3;

/// One network: its first 64 bits (of IPv4: all 32) and how many of them count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Network {
    prefix: u64,
    bits: u8,
    v6: bool,
}

/// Source of connections: an IPv4 address or an IPv6 /64.
pub type SourceNetwork = Network;

impl Network {
    fn v6(prefix: u64, bits: u8) -> Self {
        Self {
            prefix: prefix >> (64 - bits) << (64 - bits),
            bits,
            v6: true,
        }
    }

    /// The networks that a source lies in.
    pub(super) fn path(self) -> NetworkPath {
        match self.v6 {
            true => NetworkPath {
                levels: [48, 56, 64].map(|bits| Self::v6(self.prefix, bits)),
                len: 3,
            },
            false => {
                let source = Self { bits: 32, ..self };
                NetworkPath {
                    levels: [
                        Self {
                            prefix: self.prefix >> 8 << 8,
                            bits: 24,
                            v6: false,
                        },
                        source,
                        source,
                    ],
                    len: 2,
                }
            }
        }
    }
}

impl From<IpAddr> for SourceNetwork {
    fn from(address: IpAddr) -> Self {
        NetworkPath::of(address).source()
    }
}

impl NetworkPath {
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(a) => Network {
                prefix: u32::from(a).into(),
                bits: 32,
                v6: false,
            }
            .path(),
            IpAddr::V6(a) => {
                let [a, b, c, d, ..] = a.segments().map(u64::from);
                Network::v6(a << 48 | b << 32 | c << 16 | d, 64).path()
            }
        }
    }

    /// The networks, the widest first.
    pub fn levels(&self) -> &[Network] {
        self.levels.get(..self.len).unwrap_or_default()
    }

    /// The widest network.
    pub fn widest(&self) -> Network {
        let [widest, ..] = self.levels;
        widest
    }

    /// The narrowest network: what is taken for one client.
    pub fn source(&self) -> SourceNetwork {
        let [.., source] = self.levels;
        source
    }
}
