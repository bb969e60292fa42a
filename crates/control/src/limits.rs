//! Every bound of this room, with its reason. Never a value that is computed at run time.

use std::ops::RangeInclusive;
use std::time::Duration;

/// How long SQLite waits for a lock somebody else holds. Nobody should: one server per data
/// directory. This covers an operator who has the store open in a shell.
pub const STORE_BUSY: Duration = Duration::from_secs(5);

/// Connections that read. Reads are rare once the server has started: a list, or a book that memory
/// has no room for.
pub const STORE_READERS: u32 = 4;

/// Changes of the store that may wait. Each belongs to a caller that waits for it; more of them
/// wait before the queue.
pub const WRITES_WAITING_MAX: usize = 4_096;

/// Changes in one transaction: a stop of 2,000 clusters is four of them, of some 10 ms each.
pub const BATCH_MAX: usize = 512;

/// Bytes of accounts in one transaction, unless one cluster has more: a login's wake waits for the
/// transaction before it.
pub const BATCH_BYTES_MAX: usize = 1 << 20;

/// Size of the reserve file: the ends of 2,000 runs with unchanged accounts write less than 1 MB.
pub const RESERVE_BYTES: u64 = 4 << 20;

/// Room that must be left beside the reserve for it to be made again.
pub const RESERVE_ROOM: u64 = 16 << 20;

/// Time between two attempts to make the reserve again.
pub const RESERVE_CHECK: Duration = Duration::from_secs(10);

/// Pause before a change that found the disk full is tried again: doubles from the first to the
/// last.
pub const FULL_RETRY_FIRST: Duration = Duration::from_millis(100);
pub const FULL_RETRY_LAST: Duration = Duration::from_secs(5);

/// Time between two log lines about a full disk.
pub const FULL_TOLD_EVERY: Duration = Duration::from_secs(60);

/// How long a caller of the store waits for a connection. Longer than [`STORE_BUSY`], so that the
/// better error comes first.
pub const STORE_WAIT: Duration = Duration::from_secs(10);

/// Bytes of account books in memory, over all clusters. The others are read from the store when a
/// login needs them.
pub const BOOKS_BYTES_MAX: usize = 64 << 20;

/// Bytes that a book in memory costs beside its accounts: itself, and its places in two maps.
pub const BOOK_OVERHEAD: usize = 256;

/// Books that are read from the store at once. Each may take its size once more for a moment.
pub const BOOK_READS_AT_ONCE: usize = 2;

/// How long an operation waits for another one on the same cluster before it says "busy".
pub const OPERATION_WAIT: Duration = Duration::from_secs(20);

/// How often a generated name or prefix is drawn anew when it is taken. A prefix has 59 bits and a
/// name about 23; a second draw is rare, an eighth means that the random source is broken.
pub const DRAWS_MAX: usize = 8;

/// Length of a generated password: 16 of 64 characters are 95 bits.
pub const PASSWORD_LEN: usize = 16;

/// How many engines recover at once at start: recovery is IO-bound, and each cluster's logins wait
/// for their own.
pub const RECOVERIES_AT_ONCE: usize = 4;

/// A recovery that takes longer goes on, but the next one begins beside it: four stuck engines must
/// not keep the others from their turn.
pub const RECOVERY_TURN: Duration = Duration::from_secs(3);

/// Readings of a cluster that unknown prefixes imitate: enough to vary as real ones do.
pub const READING_SAMPLES: usize = 8;

/// An unknown prefix that finds its twin's last reading older than this causes one reading, so that
/// what is imitated is what a real name would meet. One reading takes about a millisecond of the
/// engine, less than the login itself.
pub const READING_SAMPLE_LIFE: Duration = Duration::from_secs(1);

/// Tries at reading the pid out of a lock that somebody holds: it is written right after the lock
/// is taken.
pub const PID_READS_MAX: u32 = 20;
pub const PID_READ_PAUSE: Duration = Duration::from_millis(10);

/// Tries at the lock itself: a command that only looks who holds it takes it for some microseconds.
pub const LOCK_TRIES: u32 = 3;

/// What a cluster's limits may be set to. One session is the least that is of use; 10,000 is far
/// above what one engine process serves well.
pub const CONNECTIONS: RangeInclusive<u32> = 1..=10_000;

/// Shorter, and a cluster falls asleep between two statements of a script; longer than a year is
/// never.
pub const SLEEP_AFTER: RangeInclusive<Duration> =
    Duration::from_millis(100)..=Duration::from_secs(366 * 24 * 3600);

/// As [`SLEEP_AFTER`].
pub const TRANSACTION_IDLE: RangeInclusive<Duration> = SLEEP_AFTER;

/// Memory of a cluster. Under 128 MB an engine with its caches can't start; 64 TB is more than a
/// machine has.
pub const MEMORY: RangeInclusive<u64> = 128 << 20..=64 << 40;

/// Disk of a cluster. A fresh one occupies about 60 MB, and its redo log and temporary files need
/// room beside it.
pub const DISK: RangeInclusive<u64> = 256 << 20..=1 << 50;

/// CPU weight, with the bounds that cgroup v2 has.
pub const CPU_WEIGHT: RangeInclusive<u32> = 1..=10_000;

/// Tasks of an engine. An idle one has about 20 threads; each session may need one more.
pub const TASKS: RangeInclusive<u32> = 64..=65_536;

/// Time in which a cluster at its disk limit may delete: long enough for a large DELETE.
pub const ALLOW_SHRINK: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(3600);

/// How long a sign-in link holds: long enough to copy it into a browser, too short to be found
/// later in a scrollback.
pub const LINK_LIFE: Duration = Duration::from_secs(15 * 60);

/// Links that wait to be used. Each is printed for a person; the oldest goes when one more is made.
pub const LINKS_MAX: i64 = 16;

/// A web session ends when nobody used it for this long: a working day.
pub const WEB_IDLE: Duration = Duration::from_secs(8 * 3600);

/// And this long after sign-in, however much it is used.
pub const WEB_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);

/// Web sessions at once; the one that was used longest ago goes. Operators are few.
pub const WEB_SESSIONS_MAX: i64 = 64;

/// Use of a session or key is noted at most this often: reading a page must not be a write to the
/// disk.
pub const SEEN_EVERY: Duration = Duration::from_secs(60);

/// API keys: one per program that uses the API.
pub const KEYS_MAX: i64 = 1_000;

/// Characters of a key's name: a line of a table.
pub const KEY_NAME_MAX: usize = 64;

/// Scopes of one key: a few name patterns.
pub const KEY_SCOPES_MAX: usize = 32;

/// The longest life a key may be given: longer is for ever.
pub const KEY_LIFE_MAX: Duration = Duration::from_secs(10 * 366 * 24 * 3600);

/// User numbers that are looked through at once, and kept for the clusters to come. A look reads
/// every process of the machine, and for numbers that a cluster had before every file of the data
/// directory.
pub const UIDS_READY_MAX: usize = 64;
