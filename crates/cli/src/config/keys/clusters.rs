//! Keys of the clusters: how engines run and what a cluster may use.

use super::key::{Key, Section, seconds};
use crate::config::value::Kind;

pub const ENGINE: Section = Section {
    name: "engine",
    doc: "How the clusters' engines are run.",
    keys: &[
        Key {
            name: "mariadbd",
            default: "\"\"",
            kind: Kind::File,
            doc: "Program of the engine. Empty: searched in /usr/sbin, then on PATH.",
        },
        Key {
            name: "tzinfo_to_sql",
            default: "\"\"",
            kind: Kind::File,
            doc: "Path of mariadb-tzinfo-to-sql, which fills the tables of time zones. Empty: the \
                  copy of script/setup, then on PATH.",
        },
        Key {
            name: "awake_memory_percent",
            default: "70",
            kind: Kind::Count { min: 1, max: 100 },
            doc: "Percentage of the machine's memory that all awake engines may use. Above it, \
                  idle clusters are put to sleep early.",
        },
        Key {
            name: "cgroup",
            default: "\"auto\"",
            kind: Kind::Cgroup,
            doc: "Where the engines' control groups are created: auto (below the server's own \
                  group), off, or a group such as \"/tidegate\".",
        },
        Key {
            name: "uids",
            default: "\"auto\"",
            kind: Kind::Uids,
            doc: "User numbers of the engines, if the server runs as root: auto (a range that no \
                  other server on this machine uses), or FIRST-LAST.",
        },
    ],
};

pub const CLUSTER: Section = Section {
    name: "cluster",
    doc: "Limits of new clusters. Existing clusters keep theirs; `tidegate cluster set` changes \
          them.",
    keys: &[
        Key {
            name: "sleep_after",
            default: "\"5m\"",
            kind: Kind::SleepTime {
                min: seconds(1),
                max: seconds(30 * 86_400),
            },
            doc: "A cluster sleeps after this long without a busy session or an open transaction. \
                  \"never\": it is started with the server, and stays awake.",
        },
        Key {
            name: "connections_max",
            default: "200",
            kind: Kind::Count {
                min: 1,
                max: 10_000,
            },
            doc: "Maximum number of sessions.",
        },
        Key {
            name: "transaction_idle_max",
            default: "\"1h\"",
            kind: Kind::Duration {
                min: seconds(1),
                max: seconds(30 * 86_400),
            },
            doc: "A transaction that is idle for longer does not keep its cluster awake.",
        },
        Key {
            name: "memory_max",
            default: "\"1G\"",
            kind: Kind::Size {
                min: 128 << 20,
                max: 64 << 40,
            },
            doc: "Memory limit of the engine, including the page cache.",
        },
        Key {
            name: "disk_max",
            default: "\"4G\"",
            kind: Kind::Size {
                min: 256 << 20,
                max: 1 << 50,
            },
            doc: "Disk limit of the cluster's files. Above it the cluster is read-only.",
        },
        Key {
            name: "cpu_weight",
            default: "100",
            kind: Kind::Count {
                min: 1,
                max: 10_000,
            },
            doc: "Share of the processor when engines compete for it: 200 gets twice as much as \
                  100.",
        },
        Key {
            name: "tasks_max",
            default: "512",
            kind: Kind::Count {
                min: 64,
                max: 65_536,
            },
            doc: "Maximum number of processes and threads of the engine.",
        },
    ],
};
