//! Bounds of ACME, each with its reason.

use std::time::Duration;

/// Timeout of one request to a CA, with connection and handshake. Slow CAs need ten seconds to
/// issue, but that is polled.
pub const HTTP_MAX: Duration = Duration::from_secs(30);

/// Maximum size of a CA's answer. Chains have about 10 KB.
pub const HTTP_BODY_MAX: usize = 256 * 1024;

/// Maximum Retry-After that is respected. Two days leave enough time in any certificate's life.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(2 * 86_400);

/// Timeout of one order at one CA. Validation from several networks and an overloaded CA take a few
/// minutes.
pub const ORDER_MAX: Duration = Duration::from_secs(10 * 60);

/// Timeout of the CA's validation.
pub const VALIDATION_MAX: Duration = Duration::from_secs(3 * 60);

/// Timeout of the issuance of a finalized order.
pub const ISSUING_MAX: Duration = Duration::from_secs(3 * 60);

/// Delay until the CA is asked again about an order that it still works on, if it does not say
/// when, and the shortest one that it may ask for. An order that people decide about takes hours.
pub const WAITING_RETRY: Duration = Duration::from_secs(10 * 60);
pub const WAITING_RETRY_MIN: Duration = Duration::from_secs(30);

/// Time after which such an order is given up and a new one is placed. Orders of public CAs expire
/// within it.
pub const WAITING_MAX: Duration = Duration::from_secs(7 * 86_400);

/// Failed attempts after which an order that the CA has not decided is given up: nobody answered
/// while it was polled, or the chain could not be read.
pub const GIVE_UP_AFTER: u32 = 4;

/// First delay between two polls of an order. It grows by half each time.
pub const FIRST_POLL: Duration = Duration::from_millis(250);

/// Retries after a bad nonce. instant-acme gives up after three in a row, but a CA behind several
/// front ends refuses more; such a request changed nothing.
pub const BAD_NONCE_TRIES: u32 = 8;

/// Failed attempts in a row after which the next ones are rehearsed at the CA's staging directory
/// first.
pub const REHEARSE_AFTER: u32 = 2;

/// Number of failed rehearsals in a row, after which one attempt goes to the CA without one. By
/// then the delays are hours long, and Let's Encrypt allows five failures per hour.
pub const REHEARSALS_IN_A_ROW: u32 = 3;

/// Maximum number of names in an order, as public CAs allow it.
pub const DOMAINS_MAX: usize = 100;

/// Longest delay between two checks of clock, pair and record. A resumed machine and a changed
/// clock are noticed soon, and a check reads only two small files.
pub const CHECK_DELAY_MAX: Duration = Duration::from_secs(30);

/// Shortest delay between two checks, whatever the schedule says.
pub const CHECK_DELAY_MIN: Duration = Duration::from_millis(100);

/// Delay after a file could not be written. No CA was asked, so a retry is cheap.
pub const STORAGE_RETRY: Duration = Duration::from_secs(60);

/// Maximum number of certificates per week that are ordered for reasons other than age (the first
/// one, other names, a lost file, by command). Let's Encrypt allows five for one set of names; one
/// is left for an operator who repairs the setup.
pub const UNPLANNED_PER_WEEK: usize = 4;

/// Delays after the first, second ... failure in a row, in seconds; the last one repeats. The first
/// ones respect Let's Encrypt's limit of five failed validations per name and hour, the last one
/// its pause for names that keep failing.
pub const BACKOFF_SECONDS: [i64; 7] = [60, 300, 900, 3600, 7200, 14_400, 21_600];

/// Delays vary by this part, so that many servers don't retry at the same moment.
pub const JITTER: f64 = 0.2;

/// A certificate with a shorter life than this is renewed at half of it, a longer one at two
/// thirds.
pub const SHORT_LIFE_SECONDS: i64 = 10 * 86_400;

/// Earliest plausible time (2026-11-01 00:00 UTC, before this program was released). With an
/// earlier clock nothing is ordered.
pub const CLOCK_FLOOR: i64 = 1_793_491_200;

/// Maximum size of a request head for HTTP-01. A CA's request is short.
pub const CHALLENGE_HEAD_MAX: usize = 8 * 1024;

/// Timeout of a validator's request.
pub const CHALLENGE_REQUEST_MAX: Duration = Duration::from_secs(10);

/// Maximum number of connections at a challenge's listener. Validators ask from a few networks at
/// once.
pub const CHALLENGE_CONNECTIONS_MAX: u32 = 64;

/// Maximum number of these connections from one source.
pub const CHALLENGE_PER_SOURCE: u32 = 8;

/// Memory that one of these connections is assumed to use.
pub const CHALLENGE_COST: u64 = 32 << 10;

/// Attempts to open a challenge's port that is in use, [`CHECK_DELAY_MIN`] apart: the listeners of
/// an order that is just over close a moment later.
pub const PORT_TRIES: u32 = 10;

/// Maximum number of CNAME records that a challenge's name is followed through, as resolvers bound
/// it.
pub const CNAMES_MAX: usize = 8;

/// Maximum number of name servers of a zone that are asked. Registries allow 13.
pub const NAME_SERVERS_MAX: usize = 16;

/// Maximum number of the system's resolvers that are asked, as libc has it.
pub const RESOLVERS_MAX: usize = 3;

/// Failed questions after which an address of a name server that never answered is left out.
pub const SILENT_AFTER: u32 = 2;

/// Delay between two queries for it.
pub const DNS_POLL_DELAY: Duration = Duration::from_millis(500);

/// Timeout of one exchange with a name server.
pub const DNS_MAX: Duration = Duration::from_secs(10);

/// Timeout of a user's hook program. Providers' APIs are slow, and some programs wait until the
/// record is visible.
pub const HOOK_MAX: Duration = Duration::from_secs(300);

/// TTL of a challenge's record, in seconds. It is looked up once.
pub const DNS_TTL: u32 = 60;

/// Shortest and longest interval, in seconds, between two questions for the renewal window (RFC
/// 9773 wants at least two a day).
pub const WINDOW_EVERY_MIN: i64 = 3600;
pub const WINDOW_EVERY_MAX: i64 = 12 * 3600;

/// Delay after a failed question for the window, in seconds. It is optional: age renews without it.
pub const WINDOW_RETRY: i64 = 6 * 3600;

/// A renewal that the CA suggests before this part of the life (1/n) counts against the weekly
/// limit: a CA whose windows are always in the past must not cause endless orders.
pub const EARLY_PART: i64 = 3;
