//! Every bound of this room, with its reason.

use std::time::Duration;

/// From accept until the credential is proved. MySQL's own `connect_timeout` default.
pub const LOGIN_DEADLINE: Duration = Duration::from_secs(10);
/// From accept until attached to a running engine ...
pub const ATTACH_AFTER_ACCEPT: Duration = Duration::from_secs(12);
/// ... or this long after the proof, whichever is later: below the 15 s that clients are told to
/// wait.
pub const ATTACH_AFTER_PROOF: Duration = Duration::from_secs(4);
/// A credential waits this long from accept for the recovery of its own cluster, if that was not
/// cleanly asleep when the server started.
pub const RECOVERED_AFTER_ACCEPT: Duration = Duration::from_secs(8);
/// A fresh reading of the accounts must be in by then, or the login ends in "try again".
pub const REREAD_PATIENCE: Duration = Duration::from_secs(1);
/// Between two readings that wrong passwords cause at one cluster: at most ten a second, about 1 ms
/// of the engine each. Half a tick, so that waiting for a turn doesn't show.
pub const READING_TURN: Duration = Duration::from_millis(100);
/// Slots of the turns of readings, 8 bytes each, over all prefixes.
pub const READING_TURN_SLOTS: usize = 4096;
/// Every no is answered at a multiple of this after the credential came, so that its cause has no
/// time of its own.
pub const DENIAL_TICK: Duration = Duration::from_millis(200);
/// Failed logins under one name that cost nothing but the tick, of one source and of the networks
/// round it (IPv4 /24, IPv6 /56 and /48): people mistype.
pub const FAILURES_FREE: [u32; 3] = [3, 9, 27];
/// The same under all names together: an office or a cluster of machines may be behind one address.
pub const FAILURES_FREE_OF_SOURCE: [u32; 3] = [20, 80, 320];
/// Seconds after which what failed counts half.
pub const FAILURES_HALF_LIFE: u32 = 60;
/// A no is said after this many ticks at the latest (4.8 s): before clients give up (5 s and more)
/// and would report a network that is not at fault. With half of a source's places for noes that
/// wait, it gets 27 guesses per second.
pub const LATE_TICKS_MAX: u32 = 24;
/// Sets of four entries of 16 bytes and a lock in each of the two tables of failures: 576 KB a
/// table, whatever comes.
pub const FAILURES_SETS: usize = 8192;
/// The share of a source's places that noes may wait in: who logs in rightly from there finds the
/// others.
pub const LATE_SHARE: u32 = 2;
/// Accounts compared per login at least, real or made up: unknown names cost what known ones cost.
pub const CANDIDATES_MIN: usize = 4;
/// Accounts compared per login at most; nobody needs more host patterns for one name.
pub const CANDIDATES_MAX: usize = 32;
/// Connections of one source that have not proved a password yet. sslscan opens 93 in ten seconds.
pub const UNPROVEN_PER_SOURCE: u32 = 256;
/// The same over all sources.
pub const UNPROVEN_TOTAL: u32 = 8192;
/// Memory that all of them may cost together.
pub const UNPROVEN_MEMORY: u64 = 64 << 20;
/// What a connection is taken to cost before TLS: its task, socket, and the kept part of a first
/// packet.
pub const COST_GREETED: u64 = 8 << 10;
/// The same from its TLS handshake on: a session of rustls, the most that it buffers of either a
/// handshake or a record, and the kept part of a login.
pub const COST_SECURED: u64 = 56 << 10;
/// Bytes of records that a client may send in its handshake. A ClientHello with a post-quantum key
/// share has 2 KB.
pub const HANDSHAKE_BYTES_MAX: usize = 16 << 10;
/// Connections of balancers whose PROXY header has not come yet.
pub const PROXY_WAITING_MAX: usize = 1024;
/// A PROXY header must be whole within this.
pub const PROXY_HEADER_DEADLINE: Duration = Duration::from_secs(3);
/// Header v2 with TLVs; the specification's v1 ends at 107 bytes.
pub const PROXY_HEADER_MAX: usize = 1024;
/// What a driver reads at once from either side. One per worker thread, not per session.
pub const SCRATCH: usize = 64 * 1024;
/// Bytes that all sessions of one cluster keep here: packets that wait for their engine and answers
/// that are not read. One session keeps some 100 KB at most, a COM_CHANGE_USER in pieces 1 MB.
pub const HELD_PER_CLUSTER: u64 = 32 << 20;
/// A cluster's pool may be full for so long before sessions end: clients that read at all make room
/// sooner.
pub const HELD_FULL_MAX: Duration = Duration::from_secs(1);
/// TLS records waiting for a slow client. A read of `SCRATCH` from the engine is sealed whole
/// before the next.
pub const TLS_OUT_MAX: usize = 160 * 1024;
/// After 4031 the client may still be sending: read and discard, so that no reset destroys the
/// error.
pub const LINGER: Duration = Duration::from_secs(5);
/// The same when the whole server stops: what was sent has long arrived on any network that is up.
pub const LINGER_AT_STOP: Duration = Duration::from_millis(300);
/// Bytes read and discarded in that time: a client may be in the middle of the largest packet there
/// is (1 GB).
pub const LINGER_BYTES: usize = 2 << 30;
/// Sessions that are busy when the server stops get this long to finish.
pub const STOP_GRACE: Duration = Duration::from_secs(5);
/// An error packet to a client that doesn't read is given up after this.
pub const REFUSAL_WRITE: Duration = Duration::from_secs(2);
/// rustls seals at most 2^24 records under one AES-GCM key in TLS 1.2 and then loses the write:
/// recycle before.
pub const TLS12_RECORDS_MAX: u64 = 15 << 20;
/// Silence of the network after which the kernel probes a peer, and how often it tries.
pub const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
pub const KEEPALIVE_PROBES: u32 = 4;
/// Pause after a failed accept (out of descriptors): the listener never ends, and never spins.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Pause before the next try when an engine's backlog is full.
pub const BACKLOG_PAUSE: Duration = Duration::from_millis(5);
/// Between two looks at whether a client that waits for its cluster is still there, once it has
/// sent something.
pub const PEEK_PAUSE: Duration = Duration::from_millis(250);

/// How long a login is repeated at an engine that is full. The engine's limit is the cluster's own,
/// and it forgets a session some milliseconds after we do.
pub const ENGINE_FULL_MAX: Duration = Duration::from_secs(1);
pub const ENGINE_FULL_PAUSE: Duration = Duration::from_millis(10);
