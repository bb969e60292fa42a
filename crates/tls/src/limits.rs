//! Every bound of this room, each with its reason. Never a bound that is not used.

use std::time::Duration;

/// How often certificate files are read again. Reading two small files costs less than a watch that
/// a symlink swap or a network file system slips past; a second is quicker than anyone waits for a
/// renewal.
pub const POLL_EVERY: Duration = Duration::from_secs(1);

/// A changed pair must read the same this many times in a row before it is judged: renewal tools
/// write certificate and key one after the other.
pub const SETTLED_READS: u32 = 2;

/// No certificate chain, key or CA file comes near this; more is a wrong path, not a certificate.
pub const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// A chain longer than this is no chain that a client would follow (OpenSSL's own depth limit is
/// 100, Mozilla's longest are 4).
pub const CHAIN_CERTIFICATES_MAX: usize = 16;

/// Names one leaf may carry. Each one lengthens every handshake; public CAs stop at 100.
pub const NAMES_MAX: usize = 100;

/// Life of the local root and of the issuing CA: a development machine outlives most, and clients
/// keep `ca.pem`.
pub const CA_DAYS: i64 = 3653;

/// Life of a local leaf. Short enough that a lost key ages out, long enough that a machine may be
/// off for weeks.
pub const LEAF_DAYS: i64 = 90;

/// Certificates begin this much earlier, for clients whose clock is behind ours.
pub const BACKDATE_HOURS: i64 = 1;

/// The wait after a local leaf could not be renewed. A third of its life is left at the first try.
pub const RENEW_RETRY: Duration = Duration::from_secs(10 * 60);

/// TLS 1.3 tickets per handshake. Drivers keep one session per pool; each ticket costs an
/// encryption and some 250 bytes.
pub const TLS13_TICKETS: usize = 1;

/// Certificates that were served, and as many other things that happened to them, that are
/// remembered: four years of a certificate of sixty days with an RSA one beside it, and a week of
/// attempts at a CA that is down.
pub const HISTORY_MAX: usize = 50;

/// Characters of a reason that are remembered.
pub const HISTORY_TEXT_MAX: usize = 500;

/// Former local roots that are remembered, so that a machine's store can be cleaned of them. A new
/// CA is made by hand and seldom; who makes more than these has long cleaned the first.
pub const FORMER_MAX: usize = 64;

/// A ticket key seals this long, in seconds: who steals one later opens no session of before or
/// after.
pub const TICKET_KEY_ROTATE: i64 = 6 * 3600;

/// Tickets of a key are taken this long after it was made. Pools come back within hours; longer
/// helps thieves only.
pub const TICKET_KEY_TAKEN: i64 = 12 * 3600;
