//! Bounds of this room, with their reasons. None is computed at run time.

use std::ops::RangeInclusive;
use std::time::Duration;

/// Time for which SQLite waits for a lock of another process. One server uses a data directory, so
/// this only matters if an operator has the store open in a shell.
pub const STORE_BUSY: Duration = Duration::from_secs(5);

/// Connections that read: lists, and clusters and books that are not in memory.
pub const STORE_READERS: u32 = 4;

/// Most clusters in one answer of the store about changes: a few megabytes.
pub const CHANGES_MAX: usize = 4_096;

/// Time for which the answer to a request with an idempotency key is kept: a program that failed in
/// the night is repeated in the morning.
pub const ANSWER_LIFE: Duration = Duration::from_secs(24 * 3600);

/// Most kept answers of one caller, and of all. A program repeats a request within minutes, and has
/// ten requests a second at most. Most callers make a few writes a day.
pub const ANSWERS_PER_CALLER_MAX: i64 = 1_000;
pub const ANSWERS_MAX: i64 = 10_000;

/// Most bytes of these answers. One about a cluster has 2 KB.
pub const ANSWER_BYTES_PER_CALLER_MAX: i64 = 4 << 20;
pub const ANSWER_BYTES_MAX: i64 = 32 << 20;

/// Most requests with an idempotency key that are executed at once. Most wait for an engine, and an
/// operation on a cluster waits for the one before it.
pub const REQUESTS_AT_ONCE: usize = 512;

/// Most changes in the queue of the store. The caller of each waits; further callers wait for a
/// place in the queue.
pub const WRITES_WAITING_MAX: usize = 4_096;

/// Most changes in one transaction: a stop of 2,000 clusters takes four of them, each about 10 ms.
pub const BATCH_MAX: usize = 512;

/// Most bytes of accounts in one transaction, unless one cluster has more. A login that wakes a
/// cluster waits for the transaction before it.
pub const BATCH_BYTES_MAX: usize = 1 << 20;

/// Size of the reserve file. The ends of 2,000 runs with unchanged accounts write less than 1 MB.
pub const RESERVE_BYTES: u64 = 4 << 20;

/// Free space, besides the reserve itself, that is required to make the reserve again.
pub const RESERVE_ROOM: u64 = 16 << 20;

/// Time between two attempts to make the reserve again.
pub const RESERVE_CHECK: Duration = Duration::from_secs(10);

/// Pause before a change that failed on a full disk is tried again. It doubles from the first value
/// to the last.
pub const FULL_RETRY_FIRST: Duration = Duration::from_millis(100);
pub const FULL_RETRY_LAST: Duration = Duration::from_secs(5);

/// Time between two log lines about a full disk.
pub const FULL_TOLD_EVERY: Duration = Duration::from_secs(60);

/// Time for which a caller waits for a connection to the store. Longer than [`STORE_BUSY`], whose
/// error is more precise.
pub const STORE_WAIT: Duration = Duration::from_secs(10);

/// Most clusters in memory of this room, except those in use: awake, recovering, or used by a login
/// or an operation at this moment. Each has about 1 KB. Others are read from the store, in 0.2 ms.
pub const ENTRIES_MAX: usize = 4_096;

/// Most of them that were only looked up, by logins that have not proved a password.
pub const ENTRIES_LOOKED_UP_MAX: usize = 1_024;

/// Clusters that are checked, and dropped if they are not in use, when another comes into memory.
pub const DROP_TRIES: usize = 32;

/// Locks for reading clusters into memory. Two clusters with the same one wait for each other.
pub const ENTRY_LOADS: usize = 64;

/// Tries of a login to find a cluster that is not deleted at this moment.
pub const LOOK_UPS_MAX: usize = 3;

/// Clusters whose files a start checks for an owner that this server can use. If a server is
/// started as another user than before, this concerns all clusters, or those with system users.
pub const OWNERS_CHECKED_MAX: usize = 100;

/// User numbers of clusters that a server compares with the blocks of numbers that it may claim.
pub const UIDS_COMPARED_MAX: usize = 1_000;

/// Most bytes of account books in memory, over all clusters. Other books are read from the store
/// when a login needs them.
pub const BOOKS_BYTES_MAX: usize = 64 << 20;

/// Bytes that a book in memory takes besides its accounts: the struct, and its entries in two maps.
pub const BOOK_OVERHEAD: usize = 256;

/// Most books that are read from the store at once. Each read may use the book's size once more for
/// a moment.
pub const BOOK_READS_AT_ONCE: usize = 2;

/// Time for which an operation waits for another one on the same cluster before it fails with
/// `busy`.
pub const OPERATION_WAIT: Duration = Duration::from_secs(20);

/// Most attempts to generate a name or prefix that is free. A prefix has 59 bits and a name about
/// 23, so a second attempt is rare, and an eighth means that the random source is broken.
pub const DRAWS_MAX: usize = 8;

/// Length of a generated password. 16 characters out of 64 are about 95 bits, given the required
/// classes.
pub const PASSWORD_LEN: usize = 16;

/// Most engines that recover at once. Recovery is bound by I/O, and the logins of a cluster wait
/// for its recovery only.
pub const RECOVERIES_AT_ONCE: usize = 4;

/// Time after which a slow recovery no longer delays the next one; it goes on beside it. Four stuck
/// engines must not block the others.
pub const RECOVERY_TURN: Duration = Duration::from_secs(3);

/// Readings of a cluster that unknown prefixes imitate: enough to vary as real readings do.
pub const READING_SAMPLES: usize = 8;

/// Age of the twin's last reading above which a login with an unknown prefix causes a new reading,
/// so that the imitated duration is current. A reading takes about a millisecond of the engine,
/// less than the login itself.
pub const READING_SAMPLE_LIFE: Duration = Duration::from_secs(1);

/// Attempts to read the pid of a lock's owner, which writes it right after it has taken the lock.
pub const PID_READS_MAX: u32 = 20;
pub const PID_READ_PAUSE: Duration = Duration::from_millis(10);

/// Attempts to take the lock: a command that only checks for a running server has it for some
/// microseconds.
pub const LOCK_TRIES: u32 = 3;

/// Most networks of a cluster's list of allowed addresses. Each login compares its address with all
/// of them.
pub const IP_ALLOW_MAX: usize = 200;

/// Range of connections_max. A cluster needs one session at least; 10,000 is far above what one
/// engine process serves well.
pub const CONNECTIONS: RangeInclusive<u32> = 1..=10_000;

/// Range of sleep_after. With less, a cluster would go to sleep between two statements of a script;
/// the maximum means never.
pub const SLEEP_AFTER: RangeInclusive<Duration> =
    Duration::from_millis(100)..=tidegate_model::limits::NEVER_SLEEPS;

/// Range of transaction_idle_max: as [`SLEEP_AFTER`].
pub const TRANSACTION_IDLE: RangeInclusive<Duration> = SLEEP_AFTER;

/// Range of memory_max. With less than 128 MB an engine with its caches can't start; 64 TB is more
/// than any machine has.
pub const MEMORY: RangeInclusive<u64> = 128 << 20..=64 << 40;

/// Range of disk_max. A new cluster takes about 60 MB, and needs room for its redo log and
/// temporary files.
pub const DISK: RangeInclusive<u64> = 256 << 20..=1 << 50;

/// Range of cpu_weight, as in cgroup v2.
pub const CPU_WEIGHT: RangeInclusive<u32> = 1..=10_000;

/// Range of tasks_max. An idle engine has about 20 threads; each session may need one more.
pub const TASKS: RangeInclusive<u32> = 64..=65_536;

/// Range of the time in which a cluster at its disk limit may delete: long enough for a large
/// DELETE.
pub const ALLOW_SHRINK: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(3600);

/// Time for which a sign-in link is valid: long enough to copy it into a browser, too short to be
/// of use in an old scrollback.
pub const LINK_LIFE: Duration = Duration::from_secs(15 * 60);

/// Most unused links. A new link removes the oldest one.
pub const LINKS_MAX: i64 = 16;

/// Time without use after which a web session expires: a working day.
pub const WEB_IDLE: Duration = Duration::from_secs(8 * 3600);

/// Time after which a web session expires even if it is used.
pub const WEB_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);

/// Most web sessions. A new one removes the session that was used longest ago. There are few
/// operators.
pub const WEB_SESSIONS_MAX: i64 = 64;

/// Shortest time between two stored times of use of a session or key: not every page view may write
/// to the disk.
pub const SEEN_EVERY: Duration = Duration::from_secs(60);

/// Most API keys: one per program that uses the API is usual.
pub const KEYS_MAX: i64 = 1_000;

/// Most characters of a key's name, so that it fits into a line of a table.
pub const KEY_NAME_MAX: usize = 64;

/// Most scopes of one key: a few name patterns are usual.
pub const KEY_SCOPES_MAX: usize = 32;

/// Longest lifetime of a key; a longer one is as good as none.
pub const KEY_LIFE_MAX: Duration = Duration::from_secs(10 * 366 * 24 * 3600);

/// User numbers that are checked at once and kept for later clusters. A check reads every process
/// of the machine and, for numbers that a cluster had before, every file of the data directory.
pub const UIDS_READY_MAX: usize = 64;

/// Characters of a user's password that an operator gives.
pub const GIVEN_PASSWORD_CHARS_MAX: usize = 256;

/// Databases that one request grants to a user.
pub const USER_DATABASES_MAX: usize = 100;

/// Clusters or sessions that a list reads at once: a few milliseconds of one of the store's
/// readers, or a fraction of a millisecond in which no connection can be opened.
pub const SCAN_PART: usize = 256;

/// Wait for the free space of the data directory's file system. A file system on a network may not
/// answer; the state of the server is then shown without it.
pub const DISK_ANSWER_MAX: Duration = Duration::from_secs(2);

/// Users that are read for one of them: those whose names contain its name.
pub const USERS_READ: usize = 1000;
