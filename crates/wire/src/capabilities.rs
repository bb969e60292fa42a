//! Capability flags: what each side of a connection can do.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/group__group__cs__capabilities__flags.html>

use std::fmt;

/// Set of capability flags. The upper half has MariaDB's own, which are sent in the filler of
/// greeting and login where neither has CLIENT_MYSQL.
///
/// <https://mariadb.com/docs/server/reference/clientserver-protocol/1-connecting/connection#capabilities>
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Capabilities(pub u64);

impl Capabilities {
    /// CLIENT_LONG_PASSWORD of MySQL. MariaDB calls it CLIENT_MYSQL; where it is not set, MariaDB's
    /// own flags follow. A client of MySQL sets it whatever the greeting says.
    pub const LONG_PASSWORD: Self = Self(1);
    pub const FOUND_ROWS: Self = Self(1 << 1);
    pub const LONG_FLAG: Self = Self(1 << 2);
    pub const CONNECT_WITH_DB: Self = Self(1 << 3);
    pub const NO_SCHEMA: Self = Self(1 << 4);
    pub const COMPRESS: Self = Self(1 << 5);
    pub const ODBC: Self = Self(1 << 6);
    pub const LOCAL_FILES: Self = Self(1 << 7);
    pub const IGNORE_SPACE: Self = Self(1 << 8);
    pub const PROTOCOL_41: Self = Self(1 << 9);
    pub const INTERACTIVE: Self = Self(1 << 10);
    pub const SSL: Self = Self(1 << 11);
    pub const IGNORE_SIGPIPE: Self = Self(1 << 12);
    pub const TRANSACTIONS: Self = Self(1 << 13);
    pub const RESERVED: Self = Self(1 << 14);
    pub const SECURE_CONNECTION: Self = Self(1 << 15);
    pub const MULTI_STATEMENTS: Self = Self(1 << 16);
    pub const MULTI_RESULTS: Self = Self(1 << 17);
    pub const PS_MULTI_RESULTS: Self = Self(1 << 18);
    pub const PLUGIN_AUTH: Self = Self(1 << 19);
    pub const CONNECT_ATTRS: Self = Self(1 << 20);
    pub const PLUGIN_AUTH_LENENC: Self = Self(1 << 21);
    pub const CAN_HANDLE_EXPIRED_PASSWORDS: Self = Self(1 << 22);
    pub const SESSION_TRACK: Self = Self(1 << 23);
    pub const DEPRECATE_EOF: Self = Self(1 << 24);
    pub const OPTIONAL_RESULTSET_METADATA: Self = Self(1 << 25);
    pub const ZSTD: Self = Self(1 << 26);
    pub const QUERY_ATTRIBUTES: Self = Self(1 << 27);
    pub const MULTI_FACTOR: Self = Self(1 << 28);
    pub const SSL_VERIFY_SERVER_CERT: Self = Self(1 << 30);
    pub const REMEMBER_OPTIONS: Self = Self(1 << 31);
    /// Reports of progress, in packets that begin like an error.
    pub const MARIADB_PROGRESS: Self = Self(1 << 32);
    pub const MARIADB_BULK_OPERATIONS: Self = Self(1 << 34);
    pub const MARIADB_EXTENDED_METADATA: Self = Self(1 << 35);
    /// The engine may leave out column definitions that a prepared statement's client has already.
    pub const MARIADB_CACHE_METADATA: Self = Self(1 << 36);
    pub const MARIADB_BULK_UNIT_RESULTS: Self = Self(1 << 37);
    /// Flags of the methods of compression.
    pub const COMPRESSION: Self = Self(Self::COMPRESS.0 | Self::ZSTD.0);
    /// All flags of MariaDB alone.
    pub const MARIADB: Self = Self(0xFFFF_FFFF << 32);

    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub const fn intersect(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Returns the flags that both sides of a connection have, of which this is the client's. A
    /// client with CLIENT_MYSQL has none of MariaDB's, and keeps that flag: the engine has to see
    /// it.
    pub const fn granted_by(self, server: Self) -> Self {
        let mysql = Self(self.0 & Self::LONG_PASSWORD.0);
        let common = self.intersect(server).union(mysql);
        if mysql.0 == 0 {
            common
        } else {
            common.without(Self::MARIADB)
        }
    }

    /// Returns the lower half, and MariaDB's half as it is sent: empty beside CLIENT_MYSQL.
    pub(crate) const fn halves(self) -> ([u8; 4], [u8; 4]) {
        let [a, b, c, d, e, f, g, h] = self.0.to_le_bytes();
        if self.contains(Self::LONG_PASSWORD) {
            ([a, b, c, d], [0; 4])
        } else {
            ([a, b, c, d], [e, f, g, h])
        }
    }

    /// Joins the halves that were received. Beside CLIENT_MYSQL, MariaDB's half is filler.
    pub(crate) const fn from_halves(lower: u32, mariadb: u32) -> Self {
        let lower = Self(lower as u64);
        if lower.contains(Self::LONG_PASSWORD) {
            lower
        } else {
            Self(lower.0 | (mariadb as u64) << 32)
        }
    }

    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl fmt::Debug for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Capabilities({:#018x})", self.0)
    }
}

/// Capabilities that can be offered and relayed: those of MariaDB 10.11, without the ones that
/// would make client and engine frame packets differently. Compression ends at the gateway, which
/// has zstd too.
pub const OFFERED: Capabilities = Capabilities(
    Capabilities::FOUND_ROWS.0
        | Capabilities::LONG_FLAG.0
        | Capabilities::CONNECT_WITH_DB.0
        | Capabilities::NO_SCHEMA.0
        | Capabilities::COMPRESS.0
        | Capabilities::ODBC.0
        | Capabilities::LOCAL_FILES.0
        | Capabilities::IGNORE_SPACE.0
        | Capabilities::PROTOCOL_41.0
        | Capabilities::INTERACTIVE.0
        | Capabilities::SSL.0
        | Capabilities::IGNORE_SIGPIPE.0
        | Capabilities::TRANSACTIONS.0
        | Capabilities::RESERVED.0
        | Capabilities::SECURE_CONNECTION.0
        | Capabilities::MULTI_STATEMENTS.0
        | Capabilities::MULTI_RESULTS.0
        | Capabilities::PS_MULTI_RESULTS.0
        | Capabilities::PLUGIN_AUTH.0
        | Capabilities::CONNECT_ATTRS.0
        | Capabilities::PLUGIN_AUTH_LENENC.0
        | Capabilities::CAN_HANDLE_EXPIRED_PASSWORDS.0
        | Capabilities::SESSION_TRACK.0
        | Capabilities::DEPRECATE_EOF.0
        | Capabilities::ZSTD.0
        | Capabilities::MARIADB_PROGRESS.0
        | Capabilities::MARIADB_BULK_OPERATIONS.0
        | Capabilities::MARIADB_EXTENDED_METADATA.0
        | Capabilities::MARIADB_CACHE_METADATA.0,
);
