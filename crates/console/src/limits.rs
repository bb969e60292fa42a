//! Every bound of this room, with its reason. Never a value that is computed at run time.

use std::time::Duration;

/// Bodies of requests: a cluster's name and a few numbers.
pub const REQUEST_BODY_MAX: usize = 64 << 10;

/// One request, from its head to its answer. The longest is the first creation on a machine, which builds the
/// engine's template: three steps of at most three minutes each.
pub const REQUEST_MAX: Duration = Duration::from_secs(10 * 60);

/// Text of an error that did not come from a handler of ours (a body that is no JSON): two lines.
pub const FOREIGN_ERROR_MAX: usize = 4 << 10;

/// How long the client waits for the server to take its connection: it is on the same machine.
pub const CONNECT_MAX: Duration = Duration::from_secs(5);

/// How long the client waits for an answer: longer than the server takes, so that the server's own error arrives.
pub const ANSWER_MAX: Duration = Duration::from_secs(10 * 60 + 10);

/// Bytes of an answer: a list of 10,000 clusters at 1 KB each, and room above it.
pub const ANSWER_BODY_MAX: usize = 64 << 20;

/// Connections waiting to be accepted on the control socket: one person and their scripts.
pub const BACKLOG: u32 = 128;

/// How long open requests may finish once the server stops.
pub const GOODBYE_MAX: Duration = Duration::from_secs(5);

/// Longest path a Unix socket's address holds (108 bytes with the final NUL, unix(7)).
pub const SOCKET_PATH_MAX: usize = 107;
