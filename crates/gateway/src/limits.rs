//! Every bound of this room, with its reason.

use std::time::Duration;

/// Time from accept until the password must be proved. Same as MySQL's default `connect_timeout`.
pub const LOGIN_DEADLINE: Duration = Duration::from_secs(10);
/// Time from accept until the session must exist at a running engine ...
pub const ATTACH_AFTER_ACCEPT: Duration = Duration::from_secs(12);
/// ... or time from the proof of the password, whichever is later. Together they stay below the
/// 15 s that clients are told to wait.
pub const ATTACH_AFTER_PROOF: Duration = Duration::from_secs(4);
/// Time from accept that a login waits for the recovery of its cluster, if that was not cleanly
/// asleep when the server started.
pub const RECOVERED_AFTER_ACCEPT: Duration = Duration::from_secs(8);
/// Time that a login waits for a fresh reading of the accounts before it ends in "try again".
pub const REREAD_PATIENCE: Duration = Duration::from_secs(1);
/// Distance between two readings of one cluster's accounts that wrong passwords cause: at most ten
/// a second, about 1 ms of the engine each. Half of [`DENIAL_TICK`], so that waiting for a turn
/// does not change when a denial is sent.
pub const READING_TURN: Duration = Duration::from_millis(100);
/// Slots for the turns of readings, 8 bytes each, over all prefixes.
pub const READING_TURN_SLOTS: usize = 4096;
/// Denials are sent at a multiple of this after the password arrived, so that the time of an answer
/// does not tell its cause.
pub const DENIAL_TICK: Duration = Duration::from_millis(200);
/// Failed logins under one name that are not delayed beyond the next tick, for a source address and
/// for the networks around it (IPv4 /24, IPv6 /56 and /48): people mistype.
pub const FAILURES_FREE: [u32; 3] = [3, 9, 27];
/// As [`FAILURES_FREE`], under all names together: a whole office may share one address.
pub const FAILURES_FREE_OF_SOURCE: [u32; 3] = [20, 80, 320];
/// Seconds after which a count of failed logins is halved.
pub const FAILURES_HALF_LIFE: u32 = 60;
/// Most ticks by which a denial is delayed (4.8 s). Clients give up after 5 s and more, and would
/// then report a network failure. With [`LATE_SHARE`] of its places in use for delayed denials, a
/// source gets 27 guesses per second.
pub const LATE_TICKS_MAX: u32 = 24;
/// Sets in each of the two tables of failed logins. A set is four entries of 16 bytes and a lock:
/// 576 KB a table, whatever arrives.
pub const FAILURES_SETS: usize = 8192;
/// Part of a source's places (one in this many) that delayed denials may occupy. The others stay
/// free for people at the same address who know their password.
pub const LATE_SHARE: u32 = 2;
/// Accounts compared per login at least, real or made up: an unknown name costs the same as a known
/// one.
pub const CANDIDATES_MIN: usize = 4;
/// Accounts compared per login at most; nobody needs more host patterns for one name.
pub const CANDIDATES_MAX: usize = 32;
/// Connections of one source that have not proved a password yet. sslscan opens 93 in ten seconds.
pub const UNPROVEN_PER_SOURCE: u32 = 256;
/// Connections of all sources that have not proved a password yet.
pub const UNPROVEN_TOTAL: u32 = 8192;
/// Bytes of memory that all unproven connections may cost together.
pub const UNPROVEN_MEMORY: u64 = 64 << 20;
/// Bytes charged for a connection before TLS: its task (6 KB), its boxed login (2 KB), its socket's
/// registration and its share of the tables. Measured at 12 KB with thousands of them.
pub const COST_GREETED: u64 = 16 << 10;
/// Bytes charged for a connection from its TLS handshake on: a session of rustls, the most that it
/// buffers of a handshake or a record, and the part of a login that is kept.
pub const COST_SECURED: u64 = 56 << 10;
/// Bytes of records that a client may send in its handshake. A ClientHello with a post-quantum key
/// share has 2 KB.
pub const HANDSHAKE_BYTES_MAX: usize = 16 << 10;
/// Connections from balancers whose PROXY header has not arrived yet.
pub const PROXY_WAITING_MAX: u32 = 1024;
/// Such connections of one balancer. A balancer sends the header at once, so that each waits for
/// less than a millisecond.
pub const PROXY_WAITING_PER_SOURCE: u32 = 256;
/// Bytes charged for such a connection: its task, its socket's registration and its header.
pub const COST_HEADER: u64 = 8 << 10;
/// Time from accept within which a PROXY header must be complete.
pub const PROXY_HEADER_DEADLINE: Duration = Duration::from_secs(3);
/// Bytes of a PROXY header, version 2 with TLVs. Version 1 has at most 107 bytes.
pub const PROXY_HEADER_MAX: usize = 1024;
/// Bytes that a driver reads at once from either side. The buffers belong to the worker threads,
/// not to the sessions.
pub const SCRATCH: usize = 64 * 1024;
/// Bytes that all sessions of one cluster keep in the gateway: packets that wait for their engine,
/// and answers that their clients do not read. One session keeps 100 KB at most.
pub const HELD_PER_CLUSTER: u64 = 32 << 20;
/// Time for which a cluster's pool may be full before sessions end. Clients that read at all make
/// room sooner.
pub const HELD_FULL_MAX: Duration = Duration::from_secs(1);
/// Bytes that a session compresses or decompresses before the other sessions of its worker have
/// their turn: about a millisecond.
pub const COMPRESSION_TURN: usize = 64 * 1024;
/// Bytes as which a step of decompression counts at least, so that a turn has 128 steps at most:
/// each costs more than its bytes, and a client can send frames without any.
pub const COMPRESSION_STEP: usize = 512;
/// Bytes of TLS records that wait for a slow client. A read of [`SCRATCH`] bytes from the engine is
/// sealed whole before the next read.
pub const TLS_OUT_MAX: usize = 160 * 1024;
/// Time for which a client's bytes are read and discarded after the last error packet. Closing with
/// unread bytes would send a reset, which can destroy the error before the client reads it.
pub const LINGER: Duration = Duration::from_secs(5);
/// As [`LINGER`], while the server stops: on a network that works, the error arrives long before.
pub const LINGER_AT_STOP: Duration = Duration::from_millis(300);
/// Bytes read and discarded in that time: a client may be in the middle of the largest packet there
/// is (1 GB).
pub const LINGER_BYTES: usize = 2 << 30;
/// Time that busy sessions get to finish when the server stops.
pub const STOP_GRACE: Duration = Duration::from_secs(5);
/// Time to write an error packet to a client that may not read.
pub const REFUSAL_WRITE: Duration = Duration::from_secs(2);
/// Records sealed under one AES-GCM key of TLS 1.2 before the session is ended. rustls stops at
/// 2^24 and then loses the write.
pub const TLS12_RECORDS_MAX: u64 = 15 << 20;
/// Silence of the network after which the kernel probes a peer, time between two probes, and their
/// number.
pub const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
pub const KEEPALIVE_PROBES: u32 = 4;
/// Pause after a failed accept (no file descriptors left, say), so that the loop does not spin.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Pause before the next attempt to connect to an engine whose backlog is full.
pub const BACKLOG_PAUSE: Duration = Duration::from_millis(5);
/// Time between two checks whether a client that waits for its cluster is still connected, once it
/// has sent something.
pub const PEEK_PAUSE: Duration = Duration::from_millis(250);

/// Time for which a login is repeated at an engine that has no connection free. The engine forgets
/// a session some milliseconds after the gateway does.
pub const ENGINE_FULL_MAX: Duration = Duration::from_secs(1);
/// Pause between those attempts.
pub const ENGINE_FULL_PAUSE: Duration = Duration::from_millis(10);

/// Sessions of all clusters, where the limit of open files does not set a lower number.
pub const SESSIONS_MAX: usize = 1 << 20;
/// As many ids are left for connections that are no sessions yet.
const _: () = assert!(SESSIONS_MAX <= tidegate_model::SessionId::COUNT / 2);

/// Accepted connections that have not asked for a place yet. They do so at once; no more are
/// accepted until then.
pub const ARRIVING_MAX: usize = 64;

/// Connections that the listener accepts in one turn at the processor: they cost 0.5 ms, a TLS
/// handshake of a stranger that takes the next turn up to 0.3 ms.
pub const ACCEPTS_PER_TURN: u32 = 16;

/// Processor time that a connection costs outside of the loop that accepts it, if it only connects
/// and closes: its task, its place, the greeting and the journal. Measured: 30 us with the accept
/// itself, release build.
pub const CONNECTION_WORK: Duration = Duration::from_micros(20);

/// Connections without a place to which the refusal is being sent. Beyond it they are just closed.
pub const REFUSING_MAX: usize = 64;

/// Descriptors that this room takes at most, for so many unproven connections and sessions.
/// Sessions have two: one for the client, one for the engine.
pub const fn descriptors_max(unproven: u64, sessions: u64, behind_proxy: bool) -> u64 {
    let waiting = if behind_proxy {
        tidegate_model::Admission::most(PROXY_WAITING_MAX as u64)
    } else {
        0
    };
    tidegate_model::Admission::most(unproven)
        .saturating_add(sessions.saturating_mul(2))
        .saturating_add(waiting + (ARRIVING_MAX + REFUSING_MAX) as u64)
}
