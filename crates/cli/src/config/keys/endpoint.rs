//! Keys of the endpoint: where clients connect, and its certificate.

use super::key::{Key, Section, seconds};
use crate::config::value::Kind;

pub const GATEWAY: Section = Section {
    name: "gateway",
    doc: "Where clients connect, and limits for connections before the login.",
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
            doc: "Time from accept until the client has proved its password.",
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
            doc: "The same for all sources together. The limit of open files may allow fewer.",
        },
        Key {
            name: "unproven_memory_mb",
            default: "64",
            kind: Kind::Count {
                min: 1,
                max: 1_000_000,
            },
            doc: "Memory that all these connections may use together, in MB. At 80 %, the oldest \
                  connection of the network with the most is closed.",
        },
        Key {
            name: "held_per_cluster",
            default: "\"32M\"",
            kind: Kind::Size {
                min: 1 << 20,
                max: 1 << 40,
            },
            doc: "Bytes that all sessions of a cluster may buffer in the server: results that \
                  clients have not read, and packets that wait for the engine. Above it nothing \
                  more is read for them; after a second the sessions with the most are closed.",
        },
        Key {
            name: "compression",
            default: "\"yes\"",
            kind: Kind::Choice(&["yes", "no"]),
            doc: "Whether clients may use the compressed protocol. The length of what is \
                  compressed tells an observer of the network something about its content.",
        },
        Key {
            name: "drain_delay",
            default: "\"0s\"",
            kind: Kind::Duration {
                min: seconds(0),
                max: seconds(120),
            },
            doc: "Time after SIGTERM in which /readyz answers 503 and connections are still \
                  accepted. Behind a load balancer: longer than it takes to notice.",
        },
        Key {
            name: "stop_grace",
            default: "\"5s\"",
            kind: Kind::Duration {
                min: seconds(0),
                max: seconds(300),
            },
            doc: "Time that busy sessions get to finish when the server stops.",
        },
        Key {
            name: "tls12_records_max",
            default: "15728640",
            kind: Kind::Count {
                min: 100,
                max: 16_000_000,
            },
            doc: "TLS 1.2 can't renew a key: after this many records a session is closed when it \
                  is idle (error 4031).",
        },
        Key {
            name: "proxy_networks",
            default: "[]",
            kind: Kind::Networks,
            doc: "Networks from which a PROXY v1 or v2 header is required. From all others it is \
                  refused.",
        },
        Key {
            name: "help_base",
            default: concat!(
                "\"",
                env!("CARGO_PKG_REPOSITORY"),
                "/blob/main/docs/refusals\""
            ),
            kind: Kind::HelpBase,
            doc: "URL of the folder of help pages that error messages link to. Empty: no links.",
        },
    ],
};

pub const TLS: Section = Section {
    name: "tls",
    doc: "The database's certificate. Without one, a local CA makes it; clients then need its \
          ca.pem.",
    keys: &[
        Key {
            name: "names",
            default: "[]",
            kind: Kind::Names,
            doc: "Names and addresses in the local certificate, in addition to localhost. Flag: \
                  --name.",
        },
        Key {
            name: "certificate",
            default: "\"\"",
            kind: Kind::File,
            doc: "Your certificate with its chain (PEM). Changes are detected and applied while \
                  the server runs.",
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
            doc: "CA file that clients need for it, if it is not publicly trusted.",
        },
        Key {
            name: "versions",
            default: "\"both\"",
            kind: Kind::Choice(&["both", "1.2", "1.3"]),
            doc: "TLS versions: 1.2 and 1.3, or only one of them. Older ones are never supported.",
        },
    ],
};
