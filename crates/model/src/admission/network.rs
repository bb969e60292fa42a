//! Networks that contain a source, from the widest to the source itself.

use std::net::IpAddr;

/// Networks of an address: IPv4 /24 and /32, IPv6 /48, /56 and /64. Providers give a customer a
/// whole /56 or /48 of IPv6, so a single address or /64 is no scarce resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NetworkPath {
    levels: [Network; DEPTH],
    len: usize,
}

/// Levels of the address family that has more of them.
pub(super) const DEPTH: usize = 3;

/// A network: its first 64 bits (IPv4: all 32) and the length of its prefix.
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

    /// The networks that contain this source.
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
        // An IPv4 client of an IPv6 listener is the same source as on an IPv4 one.
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

    /// The narrowest network, which is treated as one client.
    pub fn source(&self) -> SourceNetwork {
        let [.., source] = self.levels;
        source
    }
}
