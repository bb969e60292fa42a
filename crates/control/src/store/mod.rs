//! Store of everything that survives the server: clusters, the runs of their engines, the copies of
//! their accounts, and access to console and API. Contains no passwords, no tokens, and nothing
//! about the sessions of clusters.

mod access;
mod access_changes;
mod access_rows;
mod books;
mod change;
mod changes;
mod cluster_rows;
mod codec;
mod error;
mod interface;
mod migrate;
mod migrate_books;
mod queue;
mod reserve;
mod rows;
mod runs;
mod sqlite;
mod uids;
mod writer;

pub use access_rows::{AccessRows, Hash, KeyRow, LinkRow, OPERATOR, WebSessionRow};
pub use error::{StoreError, StoreResult};
pub use interface::{AccessStore, Store, UidStore};
pub use rows::{ClusterRow, Phase, Reservation, UnknownFolders};
pub use sqlite::SqliteStore;
