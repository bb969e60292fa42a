//! Bounds of this room, each with its reason.

use std::time::Duration;

/// Delay until the next address of a name is tried, if one gives no answer (RFC 8305, section 8).
pub const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Maximum number of addresses of a name that are tried.
pub const ADDRESSES_MAX: usize = 16;

/// Interval between two reads of the certificate files. Reading two small files is cheap, and a
/// file watch misses symlink swaps and network file systems; nobody waits less than a second for a
/// renewal.
pub const POLL_EVERY: Duration = Duration::from_secs(1);

/// Number of equal reads in a row before a changed pair is judged: renewal tools write certificate
/// and key one after the other.
pub const SETTLED_READS: u32 = 2;

/// Maximum size of a certificate, key or CA file. Real files are far smaller; a larger one means a
/// wrong path.
pub const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Maximum number of certificates in a chain. The longest chains of public CAs have 4; OpenSSL's
/// default depth limit is 100.
pub const CHAIN_CERTIFICATES_MAX: usize = 16;

/// Maximum number of names of one leaf. Each one lengthens every handshake; public CAs allow 100.
pub const NAMES_MAX: usize = 100;

/// Lifetime of the local root and the issuing CA. Clients keep `ca.pem`, so it should last as long
/// as a machine.
pub const CA_DAYS: i64 = 3653;

/// Lifetime of a local leaf. It is short, so that a stolen key expires, and long enough for a
/// machine that is off for weeks.
pub const LEAF_DAYS: i64 = 90;

/// Certificates are valid from this long before they were made, for clients whose clock is slow.
pub const BACKDATE_HOURS: i64 = 1;

/// Delay before the next attempt after a local leaf could not be renewed. A third of its life is
/// left at the first attempt.
pub const RENEW_RETRY: Duration = Duration::from_secs(10 * 60);

/// TLS 1.3 tickets per handshake. Drivers keep one session per pool; each ticket costs an
/// encryption and about 250 bytes.
pub const TLS13_TICKETS: usize = 1;

/// Maximum number of served certificates in the history, and of other events. That is four years of
/// 60-day certificates with both kinds of key, and a week of attempts at a CA that is down.
pub const HISTORY_MAX: usize = 50;

/// Maximum length of a reason in the history, in characters.
pub const HISTORY_TEXT_MAX: usize = 500;

/// Maximum number of former local roots that are kept, so that they can be removed from a machine's
/// trust store. New CAs are made by hand and seldom.
pub const FORMER_MAX: usize = 64;

/// Attempts to replace a value that others change at the same time. Each failed one means that
/// another write succeeded: a writer that writes at once again wins against one that has to read
/// first, so the bound is above the writes that one of them makes in a row.
pub const PUT_TRIES: u32 = 64;

/// Time for which a ticket key seals new tickets, in seconds. A stolen key opens only sessions of
/// that time.
pub const TICKET_KEY_ROTATE: i64 = 6 * 3600;

/// Time for which a key's tickets are accepted, in seconds from when the key was made. Connection
/// pools come back within hours; a longer time helps only thieves.
pub const TICKET_KEY_TAKEN: i64 = 12 * 3600;

/// Time before its first use at which a ticket key is published, in seconds, so that every gateway
/// knows it before a ticket of it can arrive. They look each second.
pub const TICKET_KEY_AHEAD: i64 = 600;

/// Difference of two machines' clocks with which their tickets still work, in seconds.
pub const CLOCK_SKEW: i64 = 300;
