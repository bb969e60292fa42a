//! Every bound of this room, with its reason. Nothing here is a setting.

use std::time::Duration;

/// Connections that the kernel keeps until they are accepted: a pool of a large application connects at once.
pub const BACKLOG: u32 = 4096;

/// Clients are told to wait this long for a sleeping cluster; the proof does not wait longer.
pub const PROOF_MAX: Duration = Duration::from_secs(15);

/// No packet of this conversation is longer.
pub const PROOF_PACKET_MAX: usize = 64 * 1024;

/// After the ordered stop nothing should still run; what does, a blocked file system say, is left after this.
pub const RUNTIME_STOP_MAX: Duration = Duration::from_secs(2);

/// Longest answer that is read: no password or name is longer, and a terminal's own line ends at 4096.
pub const ANSWER_MAX: usize = 4096;
