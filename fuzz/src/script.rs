//! A session in the fuzzer's format: flags, then pieces of bytes, each sent by one side. Any input
//! is a valid script.

use tidegate_wire::capabilities::{Capabilities, OFFERED};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Client,
    Engine,
}

#[derive(Debug)]
pub struct Script<'a> {
    pub capabilities: Capabilities,
    pub status: u16,
    /// Whether a KILL of one of the gateway's session ids is mapped to another id.
    pub map_kills: bool,
    steps: &'a [u8],
}

impl<'a> Script<'a> {
    /// Parses one byte of flags (1: without DEPRECATE_EOF, 2: without SESSION_TRACK, 4: in a
    /// transaction, 8: map KILLs, 16: with MariaDB's extensions),
    /// then steps: side (odd: engine), length (two bytes, little
    /// endian), bytes.
    pub fn parse(data: &'a [u8]) -> Option<Self> {
        let (flags, steps) = data.split_first()?;
        let mut capabilities = OFFERED;
        if flags & 1 != 0 {
            capabilities = capabilities.without(Capabilities::DEPRECATE_EOF);
        }
        if flags & 2 != 0 {
            capabilities = capabilities.without(Capabilities::SESSION_TRACK);
        }
        if flags & 16 == 0 {
            capabilities = capabilities.without(Capabilities::MARIADB);
        }
        Some(Self {
            capabilities,
            status: if flags & 4 != 0 { 3 } else { 2 },
            map_kills: flags & 8 != 0,
            steps,
        })
    }

    pub fn steps(&self) -> impl Iterator<Item = (Side, &'a [u8])> {
        let mut rest = self.steps;
        std::iter::from_fn(move || {
            let [side, a, b, tail @ ..] = rest else {
                return None;
            };
            let len = usize::from(u16::from_le_bytes([*a, *b])).min(tail.len());
            let (now, after) = tail.split_at(len);
            rest = after;
            Some((
                if side & 1 == 1 {
                    Side::Engine
                } else {
                    Side::Client
                },
                now,
            ))
        })
    }
}
