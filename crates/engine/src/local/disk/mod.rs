//! The disk limit of a cluster: measured while its engine runs; above the soft limit the engine is
//! read-only, above the hard one it is stopped. No path in a tenant's folder is trusted.

mod growth;
mod guard;
mod level;
mod measure;
mod quota;
mod reserve;
mod watch;

pub use guard::DiskGuard;
pub use level::DiskLevel;
pub use quota::DiskQuotas;
pub use watch::SpaceWatch;
