//! Every bound of this room, with its reason.

/// Bytes of the clear-text packet. An SSLRequest has 32 bytes; a login that is sent without TLS by
/// mistake, and answered with error 3159, rarely has more than a few hundred.
pub const PRE_TLS_PACKET_MAX: usize = 64 * 1024;
/// Bytes kept of the clear-text packet: enough to find the client's name in a login. The rest is
/// read and dropped.
pub const PRE_TLS_KEPT_MAX: usize = 4 * 1024;
/// Bytes of a login packet inside TLS. libmysqlclient sends at most 64 KB of attributes; other
/// drivers have no bound.
pub const LOGIN_PACKET_MAX: usize = 1024 * 1024;
/// Bytes kept of a login packet. User, proof, database and plugin must lie within them; attributes
/// beyond them are read and dropped.
pub const LOGIN_KEPT_MAX: usize = 16 * 1024;
/// Bytes of attributes that are passed on if a login was not kept whole. Servers keep 512 bytes of
/// them by default (`performance_schema_session_connect_attrs_size`).
pub const CUT_ATTRIBUTES_MAX: usize = 8 * 1024;
/// Attributes of a clear-text login that are searched for the client's name, which chooses the
/// hint.
pub const ATTRIBUTES_MAX: usize = 64;
/// Columns of a result set on an administrative connection.
pub const ADMIN_COLUMNS_MAX: usize = 64;
/// Bytes of a packet from an engine, on an administrative connection and during the login of a
/// client. The largest is a row of an account (8 KB); a greeting or an error has less than 1 KB. An
/// engine runs code of its tenant, so it may send anything.
pub const ENGINE_PACKET_MAX: usize = 64 * 1024;
/// Rows of a result set on an administrative connection: a page of accounts, the sessions of an
/// engine.
pub const ADMIN_ROWS_MAX: usize = 16_384;
/// Bytes of memory of a result set on an administrative connection, allocations included.
pub const ADMIN_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Bytes of memory that a row and each of its columns cost besides their text.
pub const ADMIN_OVERHEAD: usize = 40;
/// Bytes of an error message that are kept. Those of MariaDB have at most 512.
pub const ERROR_TEXT_MAX: usize = 1024;
/// Bytes of a plugin's name that an error message quotes.
pub const PLUGIN_TEXT_MAX: usize = 64;
