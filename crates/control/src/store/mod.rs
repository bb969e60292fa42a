//! Store of everything that survives the server: clusters, the runs of their engines, the copies of
//! their accounts, and access to console and API. Contains no passwords, no tokens, and nothing
//! about the sessions of clusters.

mod access;
mod access_changes;
mod access_rows;
mod answers;
mod books;
mod change;
mod changes;
mod cluster_rows;
mod codec;
mod error;
mod feed;
mod interface;
mod migrate;
mod migrate_books;
mod queue;
mod reserve;
mod rows;
mod runs;
mod sqlite;
mod system_users;
mod writer;

pub use access_rows::{AccessRows, Hash, KeyRow, LinkRow, OPERATOR, WebSessionRow};
pub use answers::StoredAnswer;
pub use error::{StoreError, StoreResult};
pub use interface::{AccessStore, AnswerStore, ChangeFeed, ClusterStore, HostStore, Store};
pub use rows::{
    BookHead, ClusterRow, HostRow, Phase, Reservation, StoreChanges, StoredCluster, UnknownFolders,
};
pub use sqlite::SqliteStore;
