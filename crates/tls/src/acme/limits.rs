//! Every bound of ACME, each with its reason.

use std::time::Duration;

/// One request to a CA, connection and handshake included. Slow CAs take some ten seconds to issue,
/// but they do that behind a poll.
pub const HTTP_MAX: Duration = Duration::from_secs(30);

/// No answer of a CA comes near this; chains are some 10 KB.
pub const HTTP_BODY_MAX: usize = 256 * 1024;

/// A CA that asks for more patience than this is asked again after this: two days leave room in any
/// lifetime.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(2 * 86_400);

/// The whole of one order at one CA. Validation from several networks and an overloaded CA take
/// minutes, not tens of them.
pub const ORDER_MAX: Duration = Duration::from_secs(10 * 60);

/// Waiting for the CA to have looked at the answered challenges.
pub const VALIDATION_MAX: Duration = Duration::from_secs(3 * 60);

/// Waiting for the CA to issue what was finalized.
pub const ISSUING_MAX: Duration = Duration::from_secs(3 * 60);

/// Between two looks at an order, growing by half each time.
pub const FIRST_POLL: Duration = Duration::from_millis(250);

/// instant-acme gives up after three bad nonces in a row; a CA behind several front ends refuses
/// more, and each is a request that changed nothing.
pub const BAD_NONCE_TRIES: u32 = 8;

/// Failed attempts in a row after which the next ones are rehearsed at the CA's staging directory.
pub const REHEARSE_AFTER: u32 = 2;

/// So many attempts in a row may end with a failed rehearsal; then one goes to the CA without. By
/// then waits are hours long, and Let's Encrypt allows five failures in one.
pub const REHEARSALS_IN_A_ROW: u32 = 3;

/// Names one order may have: what public CAs take.
pub const DOMAINS_MAX: usize = 100;

/// The manager looks at clock, pair and record at least this often: a suspended machine and a clock
/// that was set are then noticed soon, and a look costs two small files.
pub const LOOK_MAX: Duration = Duration::from_secs(30);

/// Never looks more often than this, whatever a schedule says.
pub const LOOK_MIN: Duration = Duration::from_millis(100);

/// After a storage that could not be written: nothing was asked of a CA, so trying again costs
/// nothing.
pub const STORAGE_RETRY: Duration = Duration::from_secs(60);

/// Certificates for reasons other than age (the first, other names, a lost file, by command) in a
/// week. One less than the five that Let's Encrypt gives for one set of names, so that one is left
/// for whoever mends things.
pub const UNPLANNED_PER_WEEK: usize = 4;

/// The waits after the first, second ... failure in a row, in seconds; the last one repeats. The
/// first ones stay under Let's Encrypt's five failed validations per name and hour, the last one
/// under its pause for hopeless names.
pub const BACKOFF_SECONDS: [i64; 7] = [60, 300, 900, 3600, 7200, 14_400, 21_600];

/// Waits are longer or shorter by up to this part, so that a fleet does not come back at once.
pub const JITTER: f64 = 0.2;

/// A certificate that lives shorter than this is renewed at half its life, a longer one at two
/// thirds.
pub const SHORT_LIFE_SECONDS: i64 = 10 * 86_400;

/// A clock before this is wrong: this program is younger (2026-11-01 00:00 UTC). Nothing is judged
/// or ordered by it.
pub const CLOCK_FLOOR: i64 = 1_793_491_200;

/// An answer to HTTP-01 is one short line: a request head larger than this is not a CA's.
pub const CHALLENGE_HEAD_MAX: usize = 8 * 1024;

/// A CA's validator that has not sent its request by then will not.
pub const CHALLENGE_REQUEST_MAX: Duration = Duration::from_secs(10);

/// Validators ask from a handful of networks at once; the rest are strangers.
pub const CHALLENGE_CONNECTIONS_MAX: u32 = 64;

/// Connections of one source among these.
pub const CHALLENGE_PER_SOURCE: u32 = 8;

/// What one of them is taken to cost.
pub const CHALLENGE_COST: u64 = 32 << 10;

/// A challenge's port that is taken is tried this often, [`LOOK_MIN`] apart: the listeners of an
/// order that has just ended close a moment later.
pub const PORT_TRIES: u32 = 10;

/// The answer to DNS-01 must be seen at the server that took it by then; servers answer at once,
/// hidden primaries within seconds.
pub const DNS_SETTLE_MAX: Duration = Duration::from_secs(120);

/// Between two looks for it.
pub const DNS_LOOK: Duration = Duration::from_millis(500);

/// One exchange with a name server.
pub const DNS_MAX: Duration = Duration::from_secs(10);

/// A user's hook program: providers' interfaces are slow, and some of them wait until the record is
/// seen.
pub const HOOK_MAX: Duration = Duration::from_secs(300);

/// The life of a record in the DNS: it is looked up once.
pub const DNS_TTL: u32 = 60;

/// How often the CA is asked for its renewal window at most and at least (RFC 9773 wants at least
/// twice a day).
pub const WINDOW_EVERY_MIN: i64 = 3600;
pub const WINDOW_EVERY_MAX: i64 = 12 * 3600;

/// After a failed question for the window: it is a courtesy, and age renews without it.
pub const WINDOW_RETRY: i64 = 6 * 3600;

/// A certificate younger than this part of its life is renewed at a CA's suggestion only as often
/// as by command: a CA whose every window lies in the past must not be asked in a circle.
pub const EARLY_PART: i64 = 3;
