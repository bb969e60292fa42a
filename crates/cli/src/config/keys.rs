//! The one table of settings: every key with its default, its bounds and its meaning. The example
//! file, `config show` and the reader are made from it. It holds no value.

use super::value::Kind;
use std::time::Duration;

#[derive(Debug)]
pub struct Section {
    pub name: &'static str,
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "the example file is made from it, in a test")
    )]
    pub doc: &'static str,
    pub keys: &'static [Key],
}

#[derive(Debug)]
pub struct Key {
    pub name: &'static str,
    /// As it would stand in the file.
    pub default: &'static str,
    pub kind: Kind,
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "the example file is made from it, in a test")
    )]
    pub doc: &'static str,
}

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// What is set per CA.
const EMAIL: Key = Key {
    name: "email",
    default: "\"\"",
    kind: Kind::Text,
    doc: "Where the CA may write to. Flag: --acme-email.",
};
const STAGING: Key = Key {
    name: "staging",
    default: "\"\"",
    kind: Kind::Text,
    doc: "Where orders are rehearsed after two failures. Empty: Let's Encrypt's for Let's Encrypt, \
          else nowhere, as \"none\".",
};
const DIRECTORY_CA: Key = Key {
    name: "directory_ca",
    default: "\"\"",
    kind: Kind::File,
    doc: "The CA file that the directory's own TLS is verified with. Empty: Mozilla's list.",
};
const ROOTS: Key = Key {
    name: "roots",
    default: "\"\"",
    kind: Kind::File,
    doc: "The roots that issued chains must end in; others are kept back. Empty: Mozilla's list.",
};
const PROFILE: Key = Key {
    name: "profile",
    default: "\"\"",
    kind: Kind::Text,
    doc: "The profile to ask for. Empty: the CA's own choice.",
};

const EAB_KEY_ID: Key = Key {
    name: "eab_key_id",
    default: "\"\"",
    kind: Kind::Text,
    doc: "The key id of an external account, where the CA wants one.",
};
const EAB_KEY_FILE: Key = Key {
    name: "eab_key_file",
    default: "\"\"",
    kind: Kind::File,
    doc: "The file with that external account's key, base64url as the CA shows it.",
};
const NO_DIRECTORY: Key = Key {
    name: "directory",
    default: "\"\"",
    kind: Kind::Text,
    doc: "The URL of its directory. Empty: there is no such CA.",
};

/// In the order of the example file.
pub const SECTIONS: &[Section] = &[
    Section {
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
    },
    Section {
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
    },
    Section {
        name: "acme",
        doc: "Certificates that everybody trusts, got and renewed by ACME (docs/certificates.md).",
        keys: &[
            Key {
                name: "domains",
                default: "[]",
                kind: Kind::Names,
                doc: "Names and addresses the certificate shall carry. Empty: no ACME. Flag: \
                      --domain.",
            },
            Key {
                name: "directory",
                default: "\"https://acme-v02.api.letsencrypt.org/directory\"",
                kind: Kind::Text,
                doc: "The CA: the URL of its directory. The default is Let's Encrypt.",
            },
            STAGING,
            EMAIL,
            DIRECTORY_CA,
            ROOTS,
            PROFILE,
            EAB_KEY_ID,
            EAB_KEY_FILE,
            Key {
                name: "rsa",
                default: "\"no\"",
                kind: Kind::Choice(&["no", "yes"]),
                doc: "A second certificate with an RSA key, for clients that take no ECDSA.",
            },
            Key {
                name: "challenges",
                default: "[\"http-01\"]",
                kind: Kind::Names,
                doc: "How control of the names is proved, best first: http-01, tls-alpn-01, dns-01 \
                      (also for *.names).",
            },
            Key {
                name: "http_listen",
                default: "[\"0.0.0.0:80\", \"[::]:80\"]",
                kind: Kind::Addresses,
                doc: "Where the CA's http-01 question is answered, while an order is under way. \
                      CAs ask port 80.",
            },
            Key {
                name: "alpn_listen",
                default: "[\"0.0.0.0:443\", \"[::]:443\"]",
                kind: Kind::Addresses,
                doc: "The same for tls-alpn-01. CAs ask port 443.",
            },
            Key {
                name: "dns_server",
                default: "\"\"",
                kind: Kind::Text,
                doc: "For dns-01: ADDRESS:PORT of the name server that takes signed updates (RFC \
                      2136).",
            },
            Key {
                name: "dns_zone",
                default: "\"\"",
                kind: Kind::Text,
                doc: "The zone there that holds the names.",
            },
            Key {
                name: "dns_key_name",
                default: "\"\"",
                kind: Kind::Text,
                doc: "The name of the updates' key.",
            },
            Key {
                name: "dns_key_file",
                default: "\"\"",
                kind: Kind::File,
                doc: "The file with that key, base64, for HMAC-SHA256.",
            },
            Key {
                name: "dns_hook",
                default: "\"\"",
                kind: Kind::File,
                doc: "For dns-01, instead of a server: a program, run as PROGRAM present|cleanup \
                      RECORD VALUE.",
            },
        ],
    },
    Section {
        name: "acme_fallback",
        doc: "A second CA, asked when the first one gives no certificate.",
        keys: &[
            NO_DIRECTORY,
            STAGING,
            EMAIL,
            DIRECTORY_CA,
            ROOTS,
            PROFILE,
            EAB_KEY_ID,
            EAB_KEY_FILE,
        ],
    },
    Section {
        name: "acme_fallback_2",
        doc: "A third CA, asked when neither of the first two gives one.",
        keys: &[
            NO_DIRECTORY,
            STAGING,
            EMAIL,
            DIRECTORY_CA,
            ROOTS,
            PROFILE,
            EAB_KEY_ID,
            EAB_KEY_FILE,
        ],
    },
    Section {
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
    },
    Section {
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
    },
    Section {
        name: "console",
        doc: "The web console and the API, over HTTPS. A link to sign in: `tidegate operator \
              link`.",
        keys: &[
            Key {
                name: "enabled",
                default: "\"yes\"",
                kind: Kind::Choice(&["yes", "no"]),
                doc: "Whether there is a console at all.",
            },
            Key {
                name: "listen",
                default: "[\"127.0.0.1:4443\"]",
                kind: Kind::Addresses,
                doc: "Where it listens. If the default is taken the server runs without it. Flag: \
                      --console.",
            },
            Key {
                name: "domain",
                default: "\"\"",
                kind: Kind::Text,
                doc: "Its own name, not the database's. With [acme] it gets a certificate of its \
                      own. Flag: --console-domain.",
            },
            Key {
                name: "certificate",
                default: "\"\"",
                kind: Kind::File,
                doc: "A certificate of its own with its chain (PEM). Empty: by [acme] for its \
                      domain, else the database's.",
            },
            Key {
                name: "key",
                default: "\"\"",
                kind: Kind::File,
                doc: "That certificate's private key (PEM).",
            },
            Key {
                name: "session_idle",
                default: "\"8h\"",
                kind: Kind::Duration {
                    min: seconds(1),
                    max: seconds(30 * 86_400),
                },
                doc: "A browser that was not used for this long must sign in again. An open page \
                      alone is no use.",
            },
            Key {
                name: "session_life",
                default: "\"7d\"",
                kind: Kind::Duration {
                    min: seconds(1),
                    max: seconds(365 * 86_400),
                },
                doc: "And after this long, however much it is used.",
            },
            Key {
                name: "attempts_per_minute",
                default: "20",
                kind: Kind::Count {
                    min: 1,
                    max: 100_000,
                },
                doc: "Sign-ins, and wrong API keys, from one source (an IPv4 address, an IPv6 \
                      /64).",
            },
        ],
    },
    Section {
        name: "metrics",
        doc: "Metrics for Prometheus, health and readiness: plain HTTP without a password, on a \
              private address only.",
        keys: &[Key {
            name: "listen",
            default: "\"\"",
            kind: Kind::Text,
            doc: "Where it listens, such as \"127.0.0.1:9104\". Empty: nowhere.",
        }],
    },
    Section {
        name: "log",
        doc: "What is logged on standard error.",
        keys: &[
            Key {
                name: "format",
                default: "\"auto\"",
                kind: Kind::Choice(&["auto", "human", "json"]),
                doc: "auto: human on a terminal, json otherwise.",
            },
            Key {
                name: "level",
                default: "\"info\"",
                kind: Kind::Filter,
                doc: "error, warn, info, debug, trace, or a filter. Environment: TIDEGATE_LOG.",
            },
        ],
    },
];

/// All keys as `section.key`.
pub fn all() -> impl Iterator<Item = (String, &'static Key)> {
    SECTIONS.iter().flat_map(|s| {
        s.keys
            .iter()
            .map(move |k| (format!("{}.{}", s.name, k.name), k))
    })
}
