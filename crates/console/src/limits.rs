//! Every bound of this room, with its reason. Never a value that is computed at run time.

use std::time::Duration;

/// Bodies of requests: a cluster's name and a few numbers.
pub const REQUEST_BODY_MAX: usize = 64 << 10;

/// One request, from its head to its answer. The longest is the first creation on a machine, which
/// builds the engine's template: three steps of at most three minutes each.
pub const REQUEST_MAX: Duration = Duration::from_secs(10 * 60);

/// Text of an error that did not come from a handler of ours (a body that is no JSON): two lines.
pub const FOREIGN_ERROR_MAX: usize = 4 << 10;

/// How long the client waits for the server to take its connection: it is on the same machine.
pub const CONNECT_MAX: Duration = Duration::from_secs(5);

/// The same for a server elsewhere, TLS included: over a slow line.
pub const REMOTE_CONNECT_MAX: Duration = Duration::from_secs(15);

/// How long the client waits for an answer: longer than the server takes, so that the server's own
/// error arrives.
pub const ANSWER_MAX: Duration = Duration::from_secs(10 * 60 + 10);

/// Bytes of an answer: a list of 10,000 clusters at 1 KB each, and room above it.
pub const ANSWER_BODY_MAX: usize = 64 << 20;

/// Connections waiting to be accepted on the control socket: one person and their scripts.
pub const BACKLOG: u32 = 128;

/// How long open requests may finish once the server stops.
pub const GOODBYE_MAX: Duration = Duration::from_secs(5);

/// Longest path a Unix socket's address holds (108 bytes with the final NUL, unix(7)).
pub const SOCKET_PATH_MAX: usize = 107;

/// Clusters whose recent events are remembered: as many as a list of clusters is made for. One
/// more, and the one that nothing happened to for longest is forgotten.
pub const EVENT_CLUSTERS_MAX: usize = 10_000;

/// Events of a kind per cluster: what a page shows without scrolling for long.
pub const EVENTS_MAX: usize = 20;

/// Characters of an engine's own error text that are remembered.
pub const EVENT_TEXT_MAX: usize = 300;

/// Sign-in attempts, and wrong API keys, per source: so many at once (a setting), and as many again
/// within this time. Nobody finds 256 random bits; this only keeps the store's disk free for
/// others.
pub const ATTEMPTS_WITHIN: Duration = Duration::from_secs(60);

/// Sources remembered for that: a megabyte.
pub const SOURCES_MAX: usize = 10_000;

/// Requests of one API key: ten a second on average, a minute's worth at once.
pub const REQUESTS_PER_KEY: (u32, Duration) = (600, Duration::from_secs(60));

/// Keys counted at once: as many as there may be.
pub const KEYS_COUNTED_MAX: usize = 1_000;

/// Connections to the console on which somebody has shown a valid session or key: a browser opens
/// six, and this is for people.
pub const WEB_CONNECTIONS_MAX: usize = 512;

/// Other connections to the console, of one source and of all; wider networks have multiples of the
/// first.
pub const WEB_UNPROVEN_PER_SOURCE: u32 = 32;
pub const WEB_UNPROVEN_TOTAL: u32 = 512;

/// What one of these is taken to cost: a TLS session, a record, a request's head and its body.
pub const WEB_UNPROVEN_COST: u64 = 96 << 10;

/// Memory that all of them may cost together: the total, and room for those that were told to end.
pub const WEB_UNPROVEN_MEMORY: u64 = 64 << 20;

/// Life of a connection on which nobody shows a session or key, whatever it sends and reads
/// meanwhile.
pub const WEB_UNPROVEN_LIFE: Duration = Duration::from_secs(60);

/// Connections to the control socket: as many as wait in its backlog, and as many again.
pub const CONTROL_CONNECTIONS_MAX: usize = 256;

/// Connections to the private listener: a few scrapers and health checks. They end after this long,
/// since nothing tells a scraper from a stranger.
pub const PRIVATE_CONNECTIONS_MAX: usize = 64;
pub const PRIVATE_LIFE: Duration = Duration::from_secs(60);

/// A TLS handshake with the console, on a slow line.
pub const WEB_HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// The head of a request; also how long a connection may idle between two.
pub const WEB_HEAD_MAX: Duration = Duration::from_secs(30);

/// Headers of a request: a browser sends about twenty.
pub const WEB_HEADERS_MAX: usize = 64;

/// After a failed accept (no file descriptor is free, say), so that the loop does not spin.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Clusters on a page of their list, which asks for itself every two seconds: 50 KB.
pub const ROWS_PER_PAGE: usize = 100;

/// Sessions on a cluster's page: what leaves its other parts in sight.
pub const SESSIONS_SHOWN: usize = 20;

/// The same where all are asked for: what a browser lays out at once.
pub const SESSIONS_SHOWN_MAX: usize = 1_000;
