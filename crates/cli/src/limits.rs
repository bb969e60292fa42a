//! Every bound of this room, with its reason. Nothing here is a setting.

use std::time::Duration;

/// Connections that the kernel keeps until they are accepted: a pool of a large application
/// connects at once.
pub const BACKLOG: u32 = 4096;

/// Clients are told to wait this long for a sleeping cluster; the proof does not wait longer.
pub const PROOF_MAX: Duration = Duration::from_secs(15);

/// A swap is looked at from outside so often before its absence is an alarm, and this long apart: a
/// port where all places are taken for a moment is no reason for one.
pub const SEEN_TRIES: u32 = 3;
pub const SEEN_PAUSE: Duration = Duration::from_secs(1);

/// No packet of this conversation is longer.
pub const PROOF_PACKET_MAX: usize = 64 * 1024;

/// After the ordered stop nothing should still run; what does, a blocked file system say, is left
/// after this.
pub const RUNTIME_STOP_MAX: Duration = Duration::from_secs(2);

/// Longest answer that is read: no password or name is longer, and a terminal's own line ends at
/// 4096.
pub const ANSWER_MAX: usize = 4096;

/// A store's own tool. Debian's runs every hook, and Java's takes seconds on a small machine; a
/// package manager that holds its lock lets a hook wait.
pub const STORE_TOOL_MAX: Duration = Duration::from_secs(180);

/// What a store's tool may say: the whole of Java's store in PEM is a third of a megabyte.
pub const TOOL_OUTPUT_MAX: u64 = 16 * 1024 * 1024;

/// A file of a store: the bundle of all roots is a quarter of a megabyte.
pub const STORE_FILE_MAX: u64 = 16 * 1024 * 1024;

/// Entries of a folder of roots that are looked at; Debian has some 450.
pub const STORE_ENTRIES_MAX: usize = 100_000;

/// How long `cert renew` waits for what comes of it: above the bound of one order at one CA.
pub const RENEWAL_MAX: Duration = Duration::from_secs(11 * 60);

/// After so many looks of `cert renew` an order that was not begun is not to come, if an alarm
/// stands: begun, it shows within one or two.
pub const RENEWAL_LOOKS: u32 = 20;

/// Between two looks of `cert renew`.
pub const RENEWAL_LOOK: Duration = Duration::from_millis(300);

/// Lines of a certificate's history on a terminal: one screen; `--json` has them all.
pub const HISTORY_SHOWN: usize = 5;

/// Bytes of lines that wait for a log's reader: some 2,000 of one connection each.
pub const LOG_QUEUE_BYTES_MAX: usize = 1024 * 1024;

/// Bytes of one field of a log line, escapes included: as much as a person reads of it.
pub const LOG_FIELD_MAX: usize = 512;

/// How often the thread that writes looks for withheld lines while nothing is logged.
pub const LOG_LOOK: Duration = Duration::from_secs(1);

/// Pause before the next try at a full pipe that somebody made non-blocking.
pub const LOG_RETRY: Duration = Duration::from_millis(10);

/// At its end the server waits so long for its last lines to be read.
pub const LOG_FLUSH_MAX: Duration = Duration::from_secs(1);

/// Size at which the log file of `up` is rotated, and how many former ones are kept.
pub const LOG_FILE_MAX: u64 = 10 * 1024 * 1024;
pub const LOG_FILES_KEPT: u32 = 3;

/// Part of the descriptors that connections leave to engines, the store, the disk guard and the
/// control socket, and the most that is kept: four for each of 16,384 awake engines.
pub const DESCRIPTORS_KEPT_PART: u64 = 3;
pub const DESCRIPTORS_KEPT_MAX: u64 = 65_536;

/// Part of the rest for connections that have not proved a password. They last for seconds,
/// sessions for hours.
pub const UNPROVEN_DESCRIPTORS_PART: u64 = 5;

/// Part of the rest for the console's connections, twice: unproven ones and others.
pub const WEB_DESCRIPTORS_PART: u64 = 20;
