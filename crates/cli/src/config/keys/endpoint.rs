//! Keys of the endpoint: where clients connect, and its certificate.

use super::key::{Key, Section, seconds};
use crate::config::value::Kind;

pub const GATEWAY: Section = Section {
    name: "gateway",
    doc: "Where clients connect, and what one of them may take before it has logged in.",
    keys: &[
        Key {
            name: "listen",
            default: "[\"127.0.0.1:4000\"]",
            kind: Kind::Addresses,
            doc: "Addresses and ports to listen on. Flag: --listen.",
        },
        Key {
            name: "login_deadline",
            default: "\"10s\"",
            kind: Kind::Duration {
                min: seconds(1),
                max: seconds(60),
            },
            doc: "From accept until the credential is proved.",
        },
        Key {
            name: "unproven_per_source",
            default: "256",
            kind: Kind::Count {
                min: 1,
                max: 1_000_000,
            },
            doc: "Connections from one source (an IPv4 address, an IPv6 /64) that have not yet \
                  proved a password.",
        },
        Key {
            name: "unproven_total",
            default: "8192",
            kind: Kind::Count {
                min: 1,
                max: 10_000_000,
            },
            doc: "The same over all sources. The limit of open files may allow fewer.",
        },
        Key {
            name: "unproven_memory_mb",
            default: "64",
            kind: Kind::Count {
                min: 1,
                max: 1_000_000,
            },
            doc: "Memory that all of them may take together, in MB. At 80 % the largest \
                  network's oldest one is ended.",
        },
        Key {
            name: "held_per_cluster",
            default: "\"32M\"",
            kind: Kind::Size {
                min: 1 << 20,
                max: 1 << 40,
            },
            doc: "Bytes that all sessions of one cluster may keep here: answers that clients \
                  leave unread, and packets that wait for the engine. Above it nothing more is \
                  read for them; after a second the sessions that hold most end.",
        },
        Key {
            name: "stop_grace",
            default: "\"5s\"",
            kind: Kind::Duration {
                min: seconds(0),
                max: seconds(300),
            },
            doc: "When the server stops, busy sessions get this long to finish.",
        },
        Key {
            name: "tls12_records_max",
            default: "15728640",
            kind: Kind::Count {
                min: 100,
                max: 16_000_000,
            },
            doc: "TLS 1.2 can't renew a key: after this many records a session is ended when \
                  idle (error 4031).",
        },
        Key {
            name: "proxy_networks",
            default: "[]",
            kind: Kind::Networks,
            doc: "From these networks a PROXY v1 or v2 header is required; from all others it \
                  is refused.",
        },
        Key {
            name: "help_base",
            default: concat!(
                "\"",
                env!("CARGO_PKG_REPOSITORY"),
                "/blob/main/docs/refusals\""
            ),
            kind: Kind::HelpBase,
            doc: "Each error text links to its help page in this folder. Empty: no links.",
        },
    ],
};

pub const TLS: Section = Section {
    name: "tls",
    doc: "Who we are. Without a certificate of your own, a local CA makes one; clients then \
          need its ca.pem.",
    keys: &[
        Key {
            name: "names",
            default: "[]",
            kind: Kind::Names,
            doc: "Names and addresses the local certificate shall carry beside localhost. \
                  Flag: --name.",
        },
        Key {
            name: "certificate",
            default: "\"\"",
            kind: Kind::File,
            doc: "Your own certificate with its chain (PEM), watched and swapped while \
                  running.",
        },
        Key {
            name: "key",
            default: "\"\"",
            kind: Kind::File,
            doc: "Its private key (PEM).",
        },
        Key {
            name: "ca",
            default: "\"\"",
            kind: Kind::File,
            doc: "The CA file that clients need for it, where it is not publicly trusted.",
        },
        Key {
            name: "versions",
            default: "\"both\"",
            kind: Kind::Choice(&["both", "1.2", "1.3"]),
            doc: "TLS versions: 1.2 and 1.3, or only one of them. Nothing older is ever \
                  spoken.",
        },
    ],
};
