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
mod cluster_list;
mod cluster_rows;
mod codec;
mod error;
mod feed;
mod interface;
mod migrate;
mod migrate_books;
mod operations;
mod queue;
mod reserve;
mod rows;
mod runs;
mod sqlite;
mod system_users;
mod writer;

pub use access_rows::{AccessRows, Hash, KeyRow, LinkRow, OPERATOR, WebSessionRow};
pub use answers::{NewRequest, StoredRequest};
pub use error::{StoreError, StoreResult};
pub use interface::{
    AccessStore, AnswerStore, ChangeFeed, ClusterStore, HostStore, OperationStore, Store,
};
pub use operations::{OperationClaim, OperationKind, OperationRow};
pub use rows::{
    BookHead, ClusterRow, HostRow, ListPart, ListStart, PartWanted, Phase, Reservation,
    StoreChanges, StoredCluster, UnknownFolders,
};
pub use sqlite::SqliteStore;

#[cfg(test)]
mod tests {
    /// Files whose SQL a MySQL-compatible database must understand too.
    const SHARED: [(&str, &str); 9] = [
        ("access", include_str!("access.rs")),
        ("access_changes", include_str!("access_changes.rs")),
        ("answers", include_str!("answers.rs")),
        ("books", include_str!("books.rs")),
        ("changes", include_str!("changes.rs")),
        ("cluster_list", include_str!("cluster_list.rs")),
        ("cluster_rows", include_str!("cluster_rows.rs")),
        ("feed", include_str!("feed.rs")),
        ("operations", include_str!("operations.rs")),
    ];

    /// SQL that only some databases have.
    const NOT_PORTABLE: [&str; 9] = [
        "RETURNING",
        "ON CONFLICT",
        "OR REPLACE",
        "OR IGNORE",
        "rowid",
        "?1",
        "IS NOT ?",
        "BEGIN IMMEDIATE",
        "excluded.",
    ];

    #[test]
    fn the_sql_of_shared_facts_is_portable() {
        for (file, text) in SHARED {
            for word in NOT_PORTABLE {
                assert!(!text.contains(word), "{file}.rs: {word}");
            }
        }
    }
}
