//! Bounds of this room, each with its reason. None of them is a setting.

use std::time::Duration;

/// Connections that the kernel queues until they are accepted: the pool of a large application
/// opens all its connections at once.
pub const BACKLOG: u32 = 4096;

/// Time for a login at our own port: as long as clients are told to wait for a sleeping cluster.
pub const OWN_LOGIN_MAX: Duration = Duration::from_secs(15);

/// Number of checks of the server's port after a swap before the certificate's absence is an alarm,
/// and the pause between them: the port may have no free place for a moment.
pub const OWN_CHECK_TRIES: u32 = 3;
pub const OWN_CHECK_PAUSE: Duration = Duration::from_secs(1);

/// Longest packet of a login at our own port.
pub const OWN_LOGIN_PACKET_MAX: usize = 64 * 1024;

/// Time that the server asks of a service manager for the stop of its engines. It depends on their
/// number: 200 awake ones take 4 s on two cores. `TimeoutStopSec` of the unit is as long.
pub const ENGINES_STOP: Duration = Duration::from_secs(300);

/// Time that threads get to end after the ordered stop. A thread that still runs then is blocked,
/// by a file system for example, and is abandoned.
pub const RUNTIME_STOP_MAX: Duration = Duration::from_secs(2);

/// Longest answer that is read from a person: no password or name is longer, and a line of a
/// terminal has at most 4096 bytes.
pub const ANSWER_MAX: usize = 4096;

/// Bytes of a password on standard input that are read: more than a server accepts, so that a
/// longer one is refused and not cut.
pub const PASSWORD_INPUT_MAX: usize = 4096;

/// Time for the tool of a trust store. Debian's runs every hook, Java's takes seconds on a small
/// machine, and a hook may wait for the lock of a package manager.
pub const STORE_TOOL_MAX: Duration = Duration::from_secs(180);

/// Output of a trust store's tool: the whole of Java's store in PEM is a third of a megabyte.
pub const TOOL_OUTPUT_MAX: u64 = 16 * 1024 * 1024;

/// Size of a file in a trust store: the bundle of all roots is a quarter of a megabyte.
pub const STORE_FILE_MAX: u64 = 16 * 1024 * 1024;

/// Entries of a folder of roots that are read; Debian has about 450.
pub const STORE_ENTRIES_MAX: usize = 100_000;

/// Time that `cert renew` waits for a result: more than an order at a CA may take.
pub const RENEWAL_MAX: Duration = Duration::from_secs(11 * 60);

/// Number of polls after which `cert renew` expects no order to begin if there is an alarm. An
/// order that begins is visible after one or two polls.
pub const RENEWAL_POLLS: u32 = 20;

/// Pause between two polls of `cert renew`.
pub const RENEWAL_POLL_PAUSE: Duration = Duration::from_millis(300);

/// Lines of a certificate's history on a terminal, to fit one screen; `--json` has them all.
pub const HISTORY_SHOWN: usize = 5;

/// Bytes of log lines that wait to be written: about 2,000 lines of closed connections.
pub const LOG_QUEUE_BYTES_MAX: usize = 1024 * 1024;

/// Bytes of a field of a log line, escapes included: more than a person reads of it.
pub const LOG_FIELD_MAX: usize = 512;

/// Interval at which the number of withheld lines is logged, if there are any.
pub const WITHHELD_INTERVAL: Duration = Duration::from_secs(1);

/// Pause before the next write to a full pipe that another process made non-blocking.
pub const LOG_RETRY: Duration = Duration::from_millis(10);

/// Time that the server waits at its end until its last lines are written.
pub const LOG_FLUSH_MAX: Duration = Duration::from_secs(1);

/// Bytes at the end of a log that `logs` reads at once: more lines than a person asks for.
pub const LOG_SHOWN_MAX: u64 = 4 << 20;

/// Length at which `logs -f` shows a line whose end is not written yet.
pub const LOG_SHOWN_LINE_MAX: usize = 64 << 10;

/// Pause between two reads of a log that `logs -f` follows.
pub const LOG_FOLLOW_PAUSE: Duration = Duration::from_millis(250);

/// Size at which the log file of `up` is rotated, and how many older ones are kept.
pub const LOG_FILE_MAX: u64 = 10 * 1024 * 1024;
pub const LOG_FILES_KEPT: u32 = 3;

/// Part of the descriptors (a third) reserved for engines, the store, the disk guard and the
/// control socket, and the most that is reserved: four for each of 16,384 awake engines.
pub const DESCRIPTORS_KEPT_PART: u64 = 3;
pub const DESCRIPTORS_KEPT_MAX: u64 = 65_536;

/// Part of the rest (a fifth) for connections that have not proved a password: they last for
/// seconds, sessions for hours.
pub const UNPROVEN_DESCRIPTORS_PART: u64 = 5;

/// Part of the rest (a twentieth) for the console's connections before they are proven, and the
/// same for those after.
pub const WEB_DESCRIPTORS_PART: u64 = 20;

/// Seconds between the checks of `check --watch` without a number, as `clap` takes its default.
pub const CHECK_PAUSE_TEXT: &str = "300";
