//! Keys of the clusters: how engines run and what a cluster may use.

use super::key::{Key, Section, seconds};
use crate::config::value::Kind;

pub const ENGINE: Section = Section {
    name: "engine",
    doc: "How a cluster's engine is run.",
    keys: &[
        Key {
            name: "mariadbd",
            default: "\"\"",
            kind: Kind::File,
            doc: "The engine's program. Empty: looked for in /usr/sbin, then on PATH.",
        },
        Key {
            name: "tzinfo_to_sql",
            default: "\"\"",
            kind: Kind::File,
            doc: "mariadb-tzinfo-to-sql, which fills the named time zones. Empty: from \
                  script/setup, then on PATH.",
        },
        Key {
            name: "awake_memory_percent",
            default: "70",
            kind: Kind::Count { min: 1, max: 100 },
            doc: "Part of the machine's memory that all awake engines may use. Above it, idle \
                  clusters sleep first.",
        },
        Key {
            name: "cgroup",
            default: "\"auto\"",
            kind: Kind::Cgroup,
            doc: "Where the engines' control groups are made: auto (below the server's own), \
                  off, or a group such as \"/tidegate\".",
        },
        Key {
            name: "uids",
            default: "\"auto\"",
            kind: Kind::Uids,
            doc: "User numbers of the engines, where the server is root: auto (a range that no \
                  other server here has), or FIRST-LAST.",
        },
    ],
};

pub const CLUSTER: Section = Section {
    name: "cluster",
    doc: "What a cluster may use that is created from now on; those that exist keep theirs \
          (`tidegate cluster set`).",
    keys: &[
        Key {
            name: "sleep_after",
            default: "\"5m\"",
            kind: Kind::Duration {
                min: seconds(1),
                max: seconds(30 * 86_400),
            },
            doc: "Asleep after this long without a busy session or an open transaction.",
        },
        Key {
            name: "connections_max",
            default: "200",
            kind: Kind::Count {
                min: 1,
                max: 10_000,
            },
            doc: "Sessions at once.",
        },
        Key {
            name: "transaction_idle_max",
            default: "\"1h\"",
            kind: Kind::Duration {
                min: seconds(1),
                max: seconds(30 * 86_400),
            },
            doc: "A transaction idle for longer no longer keeps its cluster awake.",
        },
        Key {
            name: "memory_max",
            default: "\"1G\"",
            kind: Kind::Size {
                min: 128 << 20,
                max: 64 << 40,
            },
            doc: "Memory of its engine, page cache included.",
        },
        Key {
            name: "disk_max",
            default: "\"4G\"",
            kind: Kind::Size {
                min: 256 << 20,
                max: 1 << 50,
            },
            doc: "Disk of its files. Above it the cluster is read-only.",
        },
        Key {
            name: "cpu_weight",
            default: "100",
            kind: Kind::Count {
                min: 1,
                max: 10_000,
            },
            doc: "Share of the processor when engines compete for it: 200 gets twice as much \
                  as 100.",
        },
        Key {
            name: "tasks_max",
            default: "512",
            kind: Kind::Count {
                min: 64,
                max: 65_536,
            },
            doc: "Processes and threads of its engine.",
        },
    ],
};
