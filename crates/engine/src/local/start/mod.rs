//! Start of a MariaDB process: its program and options, the repair of its system tables, and the
//! helper that becomes the engine.

pub(crate) mod exec;
pub(crate) mod handover;
pub(crate) mod launch;
pub(crate) mod leg_identity;
pub(crate) mod options;
pub(crate) mod preallocate;
pub(crate) mod program;
pub(crate) mod rehearsal;
pub(crate) mod repair;
pub(crate) mod repaired_start;
pub(crate) mod spawner;
