//! Bounds of the relay, with their reasons.

/// Commands that may wait for their answers at the same time. MariaDB's connectors send batches of
/// about a hundred without waiting. A client that sends more is not read from until an answer has
/// passed.
pub const OUTSTANDING_MAX: usize = 256;

/// Open cursors that are remembered, 4 bytes each: MariaDB allows a session 16382 statements. While
/// one is open, the session is not ended for a sleep.
pub const CURSORS_MAX: usize = 256;

/// Bytes of the longest statement that is checked for being a KILL or a question about TLS. A
/// command-line client sends 20 or 40 bytes, and an ORM may add a comment with a trace id. Longer
/// statements go to the engine unchecked.
pub const KILL_TEXT_MAX: usize = 1024;

/// Bytes that are read of an engine's packet at most: the header of an OK, two length-encoded
/// integers of up to nine bytes, and the status flags.
pub const HEAD_MAX: usize = 1 + 9 + 9 + 2;
