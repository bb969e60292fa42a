//! The relay's own bounds. Numbers with their reasons; nothing else.

/// Commands sent and not yet answered that the relay keeps count of. MariaDB's connectors send
/// batches of about a hundred without waiting; whoever sends more is read from again as soon as an
/// answer has come.
pub const OUTSTANDING_MAX: usize = 256;

/// The longest statement that is looked at as a possible KILL. A command-line client sends 20
/// bytes, an ORM may put a comment with a trace id in front; what is longer goes to the engine
/// unread.
pub const KILL_TEXT_MAX: usize = 1024;

/// The longest COM_CHANGE_USER that is held: it carries what a login carries.
pub const CHANGE_USER_MAX: usize = crate::limits::LOGIN_PACKET_MAX;

/// As many bytes of an engine's packet as are ever read: an OK header, two length-encoded integers
/// of nine bytes, and the status flags.
pub const HEAD_MAX: usize = 1 + 9 + 9 + 2;
