//! Every bound of this room, with its reason. Values that an operator may change are settings, in
//! `kinds.rs` and in each kind's folder.

use std::time::Duration;

/// Connections that may wait in the engine's socket before it accepts. The kernel caps it at
/// `somaxconn` (4096 on Linux since 5.4); a full backlog refuses a connect at once, so it is as
/// long as the kernel gives.
pub const BACKLOG: i32 = 4096;

/// Time limit from spawn to greeting. Recovery of a large, badly killed data directory may take
/// minutes; an engine that died is noticed at once by its pidfd, so this bounds a hang only.
pub const START_MAX: Duration = Duration::from_secs(15 * 60);

/// Time limit from the greeting to the end of the first login: a few packets on a Unix socket.
pub const ADMIN_LOGIN_MAX: Duration = Duration::from_secs(10);

/// How long a start waits for the lock of an engine that outlived its server (PDEATHSIG is sent at
/// once, but a process with much memory takes a moment to go).
pub const LOCK_WAIT: Duration = Duration::from_secs(10);
/// Pause between two tries for the lock. flock has no way to wait with a deadline and without a
/// thread.
pub const LOCK_RETRY: Duration = Duration::from_millis(10);

/// Time from SIGTERM to SIGKILL. A clean stop takes 20-70 ms (measured); a tenant with SUPER can
/// make it 2 s (`innodb_fast_shutdown=0`), and may not hold us longer than this.
pub const TERM_PATIENCE: Duration = Duration::from_secs(3);

/// Time limit for a session's answer to a request to yield. Silence is a refusal.
pub const YIELD_PATIENCE: Duration = Duration::from_secs(1);

/// Time limit from the decision to the last detached lease: the gateway writes one error packet and
/// closes the engine leg.
pub const DETACH_MAX: Duration = Duration::from_secs(5);

/// How long a drain waits for the engine to forget closed sessions, once by itself and once more
/// after KILL.
pub const FORGET_MAX: Duration = Duration::from_secs(1);
/// Sessions that one reading of the process list returns. A drain ends those and reads it again.
pub const OTHERS_MAX: usize = 10_000;
/// Pause between two readings of the process list. A session ends within a millisecond or two.
pub const FORGET_LOOK: Duration = Duration::from_millis(5);

/// The engine's own bound on one reading of the accounts; it aborts the statement and the
/// connection stays good. A tenant can lock `mysql.global_priv`; a login waits at most one second
/// for a reading anyway.
pub const READING_MAX_SECONDS: u32 = 5;

/// Time limit of a statement on the administrative connection, twice the engine's own. After it the
/// connection is given up, and the next statement opens another.
pub const ADMIN_STATEMENT_MAX: Duration = Duration::from_secs(12);

/// Time limit of an operation on users or databases, after which no further statement begins. Each
/// takes a millisecond; a user of a thousand databases takes a second or two.
pub const ADMINISTRATION_MAX: Duration = Duration::from_secs(60);
/// Bytes of one statement of such an operation.
pub const ADMIN_STATEMENT_BYTES_MAX: usize = 64 << 10;
/// Bytes of the names of users or hosts in one statement: a tenant can limit a packet of all
/// sessions to 1,024 bytes, and the rest of the longest statement has 550.
pub const NAMES_PER_STATEMENT_BYTES: usize = 400;
/// Bytes around each name: its quotes and what belongs to it, such as the hash of a password.
pub const NAME_OVERHEAD: usize = 120;
/// Seconds that the other statements of a change wait for a backup lock, after one waited in vain
/// and was made all the same.
pub const LATER_LOCK_WAIT_SECONDS: u32 = 1;
/// Time that the engine may take to drop a database. It removes some thousand tables in it.
pub const DROP_DATABASE_SECONDS: u32 = 120;
/// Users with a role that a cluster may have. Each gets a grant with every new database.
pub const ADMINISTERED_USERS_MAX: usize = 1_000;
/// Rows of a list of databases, of users, and of the grants of all users together.
pub const DATABASES_LISTED_MAX: usize = 1_000;
pub const USERS_LISTED_MAX: usize = 1_000;
pub const USER_GRANTS_LISTED_MAX: usize = 20_000;

/// Bytes of one account's privileges (JSON) that are read. MariaDB writes about 250; X509 names and
/// alternatives add a few hundred. The engine itself does not send more.
pub const PRIV_BYTES_MAX: usize = 2048;

/// Characters of a host pattern, as the engine's own table has them.
pub const HOST_CHARS_MAX: usize = 255;

/// Rows of one page of a reading. At most 0.5 MB is held at once beside the book: 128 rows of 2 KB
/// of privileges and up to 1.5 KB of names.
pub const PAGE_ROWS: usize = 128;

/// Pages of one reading: 200,000 rows, far more than a book has room for. A tenant can put an
/// endless view in the place of its account table.
pub const READING_PAGES_MAX: usize = 1600;

/// Bytes of rows of one reading. 40,000 ordinary accounts are 10 MB.
pub const READING_BYTES_MAX: usize = 32 << 20;

/// Users that one reading for logins names. More wait for the next: a second one begins as soon as
/// the first is done.
pub const USERS_PER_READING: usize = 32;

/// Memory of the accounts of those users.
pub const USERS_BYTES_MAX: usize = 64 << 10;

/// KILLs of one cluster on their way at once; each waits for its own engine. Above it the session's
/// work runs to its own end.
pub const KILLS_AT_ONCE_MAX: usize = 256;

/// How long one start may keep others from theirs. A start takes 60 ms of a core; one that takes
/// longer waits for a disk or was made slow by its tenant, and goes on beside the next.
pub const START_TURN: Duration = Duration::from_secs(2);

/// Commands to one cluster's supervisor (sleep, password, readings, remove) that may wait. Each
/// holds one operator's or one login's request; more wait in their own tasks.
pub const COMMANDS_MAX: usize = 64;

/// Time for which the supervisor of a cluster that sleeps stays, should the next login come soon.
pub const SUPERVISOR_STAY: Duration = Duration::from_secs(1);

/// Reports of a supervisor's own tasks: one start or drain, one reading, one password at a time.
pub const REPORTS_MAX: usize = 8;

/// Jobs for the spawner thread, each of a few milliseconds. More wait in their own tasks. A cluster
/// has one at most: starts come here by `wakes_at_once_max` at a time, recoveries by as many, and
/// those that have had their turn ([`START_TURN`]) in any number.
pub const SPAWN_QUEUE_MAX: usize = 64;

/// Maximum number of attempts to start an engine that is killed while it starts. The waiters do not
/// notice the retries.
pub const START_TRIES: u32 = 3;

/// Deaths in a row (each within [`SETTLED_AFTER`] of its start) after which a cluster is failed
/// instead of being started again by itself. From then on each further death fails it at once,
/// until a run settles or sleeps cleanly. High enough that an operator can kill engines by hand;
/// ten starts use one or two seconds of processor time.
pub const DEATHS_MAX: u32 = 10;
/// Age of a run from which its end is not part of a crash loop.
pub const SETTLED_AFTER: Duration = Duration::from_secs(10);

/// Backoff of a cluster that failed to start, or that starts and dies again: doubles from the first
/// to the last. While it lasts the next attach gets the old reason at once, so that repeated logins
/// to a broken cluster don't use up the processor.
pub const RETRY_FIRST: Duration = Duration::from_secs(1);
pub const RETRY_LAST: Duration = Duration::from_secs(60);

/// Pause after a refused drain: a tenth of `sleep_after`, within these bounds.
pub const DRAIN_AGAIN_MIN: Duration = Duration::from_millis(50);
pub const DRAIN_AGAIN_MAX: Duration = Duration::from_secs(30);

/// Bytes of the engine's log that a failure's reason may carry.
pub const REASON_MAX: usize = 800;
/// Size beyond which an engine's log is rotated, and how many former ones are kept. A tenant
/// decides how much its engine logs.
pub const LOG_MAX: u64 = 10 << 20;
pub const LOGS_KEPT: u32 = 3;
/// Pause between two checks of a running engine's log size. The log can exceed `LOG_MAX` by what
/// the engine writes in one pause.
pub const LOG_LOOK: Duration = Duration::from_secs(1);

/// The end of all engines when the server stops: each has its own bounds, this one is for what they
/// missed. For each cluster, awake or not, a little more: 200 awake ones take 4 s on two cores.
pub const SHUTDOWN_MAX: Duration = Duration::from_secs(30);
pub const SHUTDOWN_EACH: Duration = Duration::from_millis(40);

/// Engines that end at once when the server stops. A stop takes 20 ms of a core: if thousands
/// shared the cores, each would take longer than `TERM_PATIENCE` and be killed.
pub const STOPS_AT_ONCE: usize = 64;
/// How long one stop may keep others from theirs.
pub const STOP_TURN: Duration = Duration::from_secs(2);

/// Time limit of the proof at the start that an engine's program runs. It takes 30 ms on a quiet
/// machine.
pub const PROBE_MAX: Duration = Duration::from_secs(60);

/// Length of what that program says which is repeated.
pub const PROBE_LOG_MAX: u64 = 1024;

/// Time limit of the program that turns zoneinfo into SQL, and of the template's bootstrap. Each
/// takes a second on a quiet machine, far more on a loaded one.
pub const TEMPLATE_STEP_MAX: Duration = Duration::from_secs(180);

/// SQL that describes the time zones: about 6 MB with tzdata of 2025.
pub const TZ_SQL_MAX: u64 = 64 << 20;

/// Connections to the engine's extra socket, which only this server reaches: the administrative
/// one, the next one while the engine has not forgotten it, and probes of the engine's health.
pub const EXTRA_CONNECTIONS: u32 = 16;

/// Time limit from a lost administrative connection to the next one's login. The extra socket
/// passes the tenant's queries, so this only needs a share of a core.
pub const ADMIN_CONNECT_MAX: Duration = Duration::from_secs(10);

/// Sessions that were given up in the middle of a statement and wait to be ended by the next
/// connection.
pub const LATE_SESSIONS_MAX: usize = 16;

/// Time limit of a repair of the engine's system tables. It takes 0.5 s on a quiet machine, more if
/// the engine has to recover first.
pub const REPAIR_MAX: Duration = Duration::from_secs(60);

/// Rows of a tenant's table of accounts that a repair reads. A book has room for fewer accounts.
pub const REPAIR_ROWS_MAX: usize = 50_000;

/// Parts of the time after which a silent engine is taken for frozen; each must be silent by
/// itself.
pub const HEALTH_SLICES: u32 = 10;

/// An operator's wake or password change. Recovery of a large data directory may take minutes.
pub const OPERATION_MAX: Duration = Duration::from_secs(10 * 60);

/// How long an engine that closed a session has to answer a statement of ours.
pub const ANSWER_MAX: Duration = Duration::from_secs(3);

/// How long the end of an engine that did not answer is awaited, before it is called busy.
pub const END_KNOWN_MAX: Duration = Duration::from_secs(1);

/// Pause between two checks for the run that follows one that has ended.
pub const NEXT_RUN_CHECK: Duration = Duration::from_millis(20);

/// How long a recovered engine stays up for somebody to come. Logins that waited for the recovery
/// come at once; a thousand recovered clusters must not all be awake together.
pub const RECOVERED_STAY: Duration = Duration::from_secs(2);

/// Bytes read of one file of the cgroup file system. `memory.stat` has 2 KB; a list of 512
/// processes 4 KB.
pub const CGROUP_FILE_MAX: u64 = 1 << 20;
/// How long the end of a group's last process is awaited after it was killed. One with a gigabyte
/// to free takes 100 ms.
pub const GROUP_EMPTY_MAX: Duration = Duration::from_secs(2);
/// Pause between two readings of a group's list of processes meanwhile.
pub const GROUP_EMPTY_RETRY: Duration = Duration::from_millis(2);
/// Interval between two measurements of the engines' CPU time.
pub const CPU_TICK: Duration = Duration::from_millis(100);
/// Groups measured at a time, about 5 us each: at most 1 % of a core with any number of engines.
pub const CPU_TICK_GROUPS: usize = 200;
/// Cores that an engine may use indefinitely without yielding to others.
pub const CPU_HEAVY_SHARE: f64 = 0.3;
/// CPU time above that before it yields. A wake needs 60 to 100 ms.
pub const CPU_BURST: Duration = Duration::from_millis(200);
/// Cores below which an engine counts as calm.
pub const CPU_CALM_SHARE: f64 = 0.1;
/// Time for which an engine must be calm before it stops yielding.
pub const CPU_CALM_FOR: Duration = Duration::from_secs(3);

/// Readings of a group's list of processes without `cgroup.kill`. With a freezer, one kills all.
pub const GROUP_KILL_ROUNDS: u32 = 100;

/// Maximum number of files of a cluster, whatever the file system: measuring them takes about a
/// second. MariaDB has two files for a table.
pub const DISK_ENTRIES_MAX: u64 = 1_000_000;
/// Depth of a cluster's folder. MariaDB's own is 2.
pub const DISK_DEPTH_MAX: usize = 8;
/// The hard limit is the soft limit plus this fraction of it (1/n), but at least this many bytes:
/// for redo, temporary files and recovery.
pub const DISK_HARD_DIVISOR: u64 = 10;
pub const DISK_HARD_MIN: u64 = 256 << 20;
/// A file system quota is the hard limit plus this fraction of it (1/n).
pub const DISK_QUOTA_DIVISOR: u64 = 64;
/// The engine may write again once the use is this fraction (1/n) of the soft limit below it.
pub const DISK_FALL_BACK_DIVISOR: u64 = 50;
/// Bytes that an engine is assumed to write in a second at most, to find out when to measure next.
pub const DISK_RATE_MAX: u64 = 256 << 20;
/// Pause between two measurements of a running cluster's disk use.
pub const DISK_PAUSE_MIN: Duration = Duration::from_millis(250);
pub const DISK_PAUSE_MAX: Duration = Duration::from_secs(10);
/// Fractions (1/n) that one cluster may have: of all inodes of a file system, and of those that are
/// free or its own already. Files are small, inodes are not: three sessions made 4,000 tables a
/// second (measured).
pub const DISK_FILES_DIVISOR: u64 = 10;
pub const DISK_FREE_FILES_DIVISOR: u64 = 4;
/// Files that a cluster may have however few inodes are left. A new one has 220.
pub const DISK_FILES_MIN: u64 = 2_000;
/// The hard limit of files is that limit plus this fraction of it (1/n), but at least this many.
pub const DISK_FILES_HARD_DIVISOR: u64 = 10;
pub const DISK_FILES_HARD_MIN: u64 = 1_000;
/// Files that an engine is assumed to make in a second at most.
pub const DISK_FILES_RATE_MAX: u64 = 20_000;

/// Interval between two checks of the free space while an engine is awake. One statement can take
/// gigabytes at once (`fallocate`).
pub const SPACE_PAUSE: Duration = Duration::from_millis(250);
/// A cluster is measured immediately if free space has fallen, since its last measurement, by this
/// fraction (1/n) of the space that it has left up to its limit.
pub const SPACE_FALL_DIVISOR: u64 = 4;
/// Pause between such measurements of one cluster, as a multiple of the duration of the last one.
pub const SPACE_MEASURE_SHARE: u32 = 4;
/// Free space is short below this fraction (1/n) of the file system, within these bounds. Then the
/// engine that grew most is stopped.
pub const SPACE_FLOOR_DIVISOR: u64 = 50;
pub const SPACE_FLOOR_MIN: u64 = 64 << 20;
pub const SPACE_FLOOR_MAX: u64 = 1 << 30;
/// Minimum of free inodes below which they are short, likewise with the fraction above.
pub const FILES_FLOOR_MIN: u64 = 1_000;
/// Time over which growth is compared then. Slow growth leaves the operator time to act.
pub const GROWTH_WINDOW: Duration = Duration::from_secs(60);
/// Growth for which an engine is stopped: this fraction (1/n) of the free space, but at least this
/// much. An engine must not be stopped for another's growth: a start alone makes temporary files of
/// 4 MB, and a first table may extend the system tablespace by 8 MB.
pub const GROWTH_DIVISOR: u64 = 8;
pub const GROWTH_MIN: u64 = 32 << 20;
pub const GROWTH_FILES_MIN: u64 = 500;
/// Time limit of the measurement of all awake engines when space is short. For a slower one its
/// last measurement is used.
pub const SPACE_MEASURE_MAX: Duration = Duration::from_secs(3);

/// Room kept back for a start that an operator allows on a full disk: with a small redo log an
/// engine needs 9 MB for its start (measured).
pub const START_RESERVE: u64 = 24 << 20;
/// Redo log of such a start; the next one has the usual size again. The engine's own minimum.
pub const LEAN_REDO_LOG: u64 = 4 << 20;

/// How long setting an engine read-only may wait for the tenant's statements and table locks.
pub const READ_ONLY_WAIT_SECONDS: u32 = 2;

/// A start that a limit refused is not retried for this multiple of the time that the refusal took.
pub const REFUSAL_TOLD_TIMES: u32 = 20;

/// Blocks of user numbers that are drawn before a server gives up. There are 4,094; each draw fails
/// only if another server of this machine has the very block.
pub const UID_DRAWS_MAX: usize = 64;

/// Levels of folders that a walk through a tenant's files goes down. The engine makes two; each
/// level costs a descriptor.
pub const WALK_DEPTH_MAX: usize = 32;

/// Rounds in which the processes of one user are killed. A process that is killed goes at once,
/// unless the kernel waits for a device on its behalf.
pub const KILL_ROUNDS_MAX: u32 = 200;
/// Pause between two rounds.
pub const KILL_ROUND: Duration = Duration::from_millis(10);

/// A cluster that is to sleep only after this long is always on: it is never put to sleep to make
/// room. The longest time that can be set.
pub const ALWAYS_ON: Duration = Duration::from_secs(30 * 86_400);
/// Anonymous memory that a start is expected to take. Measured after a start: 32 MB. A constant:
/// a figure taken from engines that run could be chosen by a tenant.
pub const BUDGET_WAKE_BYTES: u64 = 40 << 20;
/// A cluster is far above its share of the awake budget if it uses a quarter more than the share
/// and also so much more that another engine can start. Three clusters that fill the budget
/// together are far above their shares; ten of the same size are not.
pub const BUDGET_SHARE_PERCENT: u64 = 125;
pub const BUDGET_SHARE_EXCESS_MIN: u64 = BUDGET_WAKE_BYTES;
/// How long a busy cluster may stay far above its share while a start waits for room. Then its
/// sessions are ended. A login waits for up to 12 s, of which the end of an engine takes 1 to 5 s.
pub const BUDGET_ABOVE_SHARE_MAX: Duration = Duration::from_secs(5);
/// How long a start waits for the room of a cluster that is far above its share, and how often it
/// measures meanwhile.
pub const BUDGET_WAIT_MAX: Duration = Duration::from_secs(10);
pub const BUDGET_ASK_AGAIN: Duration = Duration::from_millis(500);
/// Age of a measurement of all engines by which the next start may be judged.
pub const MEMORY_FRESH_FOR: Duration = Duration::from_secs(1);
/// Time limit of a measurement of all engines. A thousand take 20 ms.
pub const BUDGET_MEASURED_FOR: Duration = Duration::from_secs(2);
/// A cluster used within this time is not put to sleep to make room: it would be woken again at
/// once.
pub const BUDGET_IDLE_MIN: Duration = Duration::from_secs(1);
/// How long a start waits for clusters that are put to sleep for it. A sleep takes 100 ms; a login
/// waits for up to 12 s.
pub const BUDGET_SLEEP_MAX: Duration = Duration::from_secs(5);
/// Time after which further clusters are asked to sleep: a tenant can make its own sleep slow, and
/// other starts wait for the memory.
pub const BUDGET_SLEEP_USUAL: Duration = Duration::from_millis(500);

/// Free space below which no engine is started. An engine that runs out of space for its log and
/// its temporary tablespace while it starts waits for a minute, then ends.
pub const START_FREE_MIN: u64 = 32 << 20;
/// Length of the largest file whose holes are allocated before a start: the redo log and the system
/// tablespace of a new cluster have 26 MB together.
pub const PREALLOCATED_FILE_MAX: u64 = 64 << 20;
/// Free inodes below which no engine is started: it creates a few files at each start.
pub const START_INODES_MIN: u64 = 64;
/// Pause between two tries to record the end of a run. It doubles from the first to the last.
pub const NOTE_AGAIN_FIRST: Duration = Duration::from_secs(1);
pub const NOTE_AGAIN_LAST: Duration = Duration::from_secs(30);

/// Hosts of one user for which an operator's new password is set, beside `%`. A tenant can make any
/// number.
pub const OTHER_HOSTS_MAX: usize = 64;

/// Clusters that sleep unused and stay in memory of this room. Each has a socket and about 3 KB;
/// one that is forgotten costs its next wake 0.3 ms. Clusters in use stay in any case.
pub const SLEEPERS_KEPT_MAX: usize = 1_000;
/// Clusters that are checked, and forgotten if they sleep unused, when another comes into memory.
pub const FORGET_TRIES: usize = 4;
/// Locks for reading clusters into memory. Two clusters with the same one wait for each other.
pub const ADOPTION_LOCKS: usize = 64;
