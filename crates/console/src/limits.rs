//! Limits of this room, with their reasons.

use std::time::Duration;

/// Bytes of a request's body: a certificate chain and its key, or a cluster's name and a few
/// numbers.
pub const REQUEST_BODY_MAX: usize = 64 << 10;

/// Bytes of a refused request's body that are read and dropped so that its client gets the answer,
/// four times the largest body that a handler accepts, and the time for them.
pub const UNREAD_BODY_MAX: usize = 4 * REQUEST_BODY_MAX;
pub const UNREAD_BODY_WAIT: Duration = Duration::from_secs(5);

/// Characters of an idempotency key: a UUID has 36.
pub const IDEMPOTENCY_KEY_MAX: usize = 255;

/// Bytes of an answer that is kept for a repetition of its request. One about a cluster has 2 KB.
pub const KEPT_ANSWER_MAX: usize = 64 << 10;

/// Time for a request, from its head to its answer. The longest is the first creation on a machine,
/// which builds the engine's template: three steps of at most three minutes each.
pub const REQUEST_MAX: Duration = Duration::from_secs(10 * 60);

/// Bytes of the text of an error that axum found, such as a body that is not JSON: two lines.
pub const FOREIGN_ERROR_MAX: usize = 4 << 10;

/// Time that the client waits for the control socket: the server is on the same machine.
pub const CONNECT_MAX: Duration = Duration::from_secs(5);

/// Time that the client waits for a connection to a remote server, with TLS: the line may be slow.
pub const REMOTE_CONNECT_MAX: Duration = Duration::from_secs(15);

/// Time that the client waits for an answer: longer than [`REQUEST_MAX`], so that the server's own
/// error arrives.
pub const ANSWER_MAX: Duration = Duration::from_secs(10 * 60 + 10);

/// Pauses of the client before it repeats a request whose connection was lost: the server may be
/// starting again.
pub const LOST_PAUSES: [Duration; 4] = [
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(3),
];

/// Pause of the client before it asks again for the answer to a request that is still executed.
pub const IN_PROGRESS_PAUSE: Duration = Duration::from_secs(1);

/// Bytes of an answer that the client accepts: a list of 10,000 clusters at 6 KB each, which older
/// versions of the server answer at once.
pub const ANSWER_BODY_MAX: usize = 64 << 20;

/// Connections waiting to be accepted on the control socket: enough for one person's scripts.
pub const BACKLOG: u32 = 128;

/// Time in which open requests may finish when the server stops.
pub const GOODBYE_MAX: Duration = Duration::from_secs(5);

/// Longest path in the address of a Unix socket (108 bytes with the final NUL, unix(7)).
pub const SOCKET_PATH_MAX: usize = 107;

/// Clusters whose recent events are remembered: as many as a list of clusters is designed for. For
/// one more, the cluster with the oldest last event is forgotten.
pub const EVENT_CLUSTERS_MAX: usize = 10_000;

/// Events of a kind per cluster: as many as fit on a page.
pub const EVENTS_MAX: usize = 20;

/// Characters of an engine's error text that are remembered.
pub const EVENT_TEXT_MAX: usize = 300;

/// Time in which a source that has used up its sign-in attempts, or its wrong API keys, gets all of
/// them back; their number is a setting. Nobody guesses 256 random bits: the limit protects the
/// store's disk from writes.
pub const ATTEMPTS_WITHIN: Duration = Duration::from_secs(60);

/// Sources that are remembered for that, in at most one megabyte.
pub const SOURCES_MAX: usize = 10_000;

/// Requests of one API key: 600 at once, and 10 per second on average.
pub const REQUESTS_PER_KEY: (u32, Duration) = (600, Duration::from_secs(60));

/// Keys with a rate limit at once: as many as there may be.
pub const KEYS_COUNTED_MAX: usize = 1_000;

/// Connections to the console with a valid session or key. A browser opens six, so this is enough
/// for 85 browsers.
pub const WEB_CONNECTIONS_MAX: usize = 512;

/// Connections to the console without a valid session or key, per source and in total. Networks
/// wider than a source have multiples of the first.
pub const WEB_UNPROVEN_PER_SOURCE: u32 = 32;
pub const WEB_UNPROVEN_TOTAL: u32 = 512;

/// Memory that one of these is estimated to use: a TLS session, a record, a request's head and
/// body.
pub const WEB_UNPROVEN_COST: u64 = 96 << 10;

/// Memory that all of them may use: more than [`WEB_UNPROVEN_TOTAL`] of them, since those that were
/// told to close still use theirs.
pub const WEB_UNPROVEN_MEMORY: u64 = 64 << 20;

/// Lifetime of a connection without a valid session or key, whatever it sends and reads.
pub const WEB_UNPROVEN_LIFE: Duration = Duration::from_secs(60);

/// Connections that the listener accepts in one turn at the processor, and the processor time that
/// one costs outside of the loop that accepts it: as on the database's port.
pub const WEB_ACCEPTS_PER_TURN: u32 = 16;
pub const WEB_CONNECTION_WORK: Duration = Duration::from_micros(20);

/// Connections to the control socket: twice its backlog.
pub const CONTROL_CONNECTIONS_MAX: usize = 256;

/// Connections to the private listener, for a few scrapers and health checks. They are closed after
/// this time, since nothing distinguishes a scraper from a stranger.
pub const PRIVATE_CONNECTIONS_MAX: usize = 64;
pub const PRIVATE_LIFE: Duration = Duration::from_secs(60);

/// Time for a TLS handshake with the console, on a slow line.
pub const WEB_HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// Time for a request's head, which is also the longest idle time between two requests.
pub const WEB_HEAD_MAX: Duration = Duration::from_secs(30);

/// Headers of a request. A browser sends about twenty.
pub const WEB_HEADERS_MAX: usize = 64;

/// Pause after a failed accept, for example without a free file descriptor, so that the loop does
/// not use up the processor.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Rows of a page of the API's lists, and the default: 1 MB of clusters.
pub const PAGE_MAX: usize = 1_000;

/// Characters of the text to find in a list of clusters: a name and a prefix have fewer.
pub const FIND_MAX: usize = 100;

/// Clusters on a page of their list. The page is 50 KB and refreshes every two seconds.
pub const ROWS_PER_PAGE: usize = 100;

/// Sessions on a cluster's page, so that its other sections stay visible.
pub const SESSIONS_SHOWN: usize = 20;

/// Sessions on a page of a cluster's sessions, if more than the first are requested.
pub const SESSIONS_PER_PAGE: usize = 100;
