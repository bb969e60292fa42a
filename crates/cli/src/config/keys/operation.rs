//! Keys for operators: console, metrics and log.

use super::key::{Key, Section, seconds};
use crate::config::value::Kind;

pub const CONSOLE: Section = Section {
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
};

pub const METRICS: Section = Section {
    name: "metrics",
    doc: "Metrics for Prometheus, health and readiness: plain HTTP without a password, on a \
          private address only.",
    keys: &[Key {
        name: "listen",
        default: "\"\"",
        kind: Kind::Text,
        doc: "Where it listens, such as \"127.0.0.1:9104\". Empty: nowhere.",
    }],
};

pub const LOG: Section = Section {
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
};
