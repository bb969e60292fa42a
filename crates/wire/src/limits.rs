//! Every bound of this room, with its reason.

/// The one clear-text packet. An SSLRequest has 32 bytes; a login with attributes that was sent by
/// mistake, and gets its 3159, has seldom more than a few hundred.
pub const PRE_TLS_PACKET_MAX: usize = 64 * 1024;
/// Bytes kept of the clear-text packet: what a login needs to name its client. The rest is read and
/// dropped.
pub const PRE_TLS_KEPT_MAX: usize = 4 * 1024;
/// A login packet inside TLS. libmysqlclient sends at most 64 KB of attributes; other drivers know
/// no bound.
pub const LOGIN_PACKET_MAX: usize = 1024 * 1024;
/// Bytes kept of a login packet. User, proof, database and plugin must lie within them; attributes
/// past them are read and dropped as they come.
pub const LOGIN_KEPT_MAX: usize = 16 * 1024;
/// Bytes of attributes that are passed on of a login that was not kept whole. Servers themselves
/// keep 512 bytes of them by default (`performance_schema_session_connect_attrs_size`).
pub const CUT_ATTRIBUTES_MAX: usize = 8 * 1024;
/// Attributes looked at in a clear-text login, to name the mend for that client.
pub const ATTRIBUTES_MAX: usize = 64;
/// Columns of an administrative result set.
pub const ADMIN_COLUMNS_MAX: usize = 64;
/// One packet of an engine's answer to an administrative connection, and to the gateway's login for
/// a client: a row of an account is the largest (8 KB), a greeting or an error has less than 1 KB.
/// A tenant's engine can send anything.
pub const ENGINE_PACKET_MAX: usize = 64 * 1024;
/// Rows of an administrative result set: a page of accounts, sessions of an engine.
pub const ADMIN_ROWS_MAX: usize = 16_384;
/// Memory of an administrative result set, allocations included.
pub const ADMIN_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Memory that a row and each of its columns cost beside their text.
pub const ADMIN_OVERHEAD: usize = 40;
/// Bytes of an error's message that are kept where we read it. MariaDB's own end at 512.
pub const ERROR_TEXT_MAX: usize = 1024;
/// Bytes of a plugin's name that an error quotes.
pub const PLUGIN_TEXT_MAX: usize = 64;
