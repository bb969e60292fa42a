//! Keys for operators: console, metrics and log.

use super::key::{Key, Section, seconds};
use crate::config::value::Kind;

pub const CONSOLE: Section = Section {
    name: "console",
    doc: "The web console and the API, over HTTPS. `tidegate operator link` prints a sign-in link.",
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
            doc: "Addresses to listen on. If the default is in use, the server runs without a \
                  console. Flag: --console.",
        },
        Key {
            name: "domain",
            default: "\"\"",
            kind: Kind::Text,
            doc: "Host name of the console, which must not be a name of the database. With [acme] \
                  the console gets its own certificate. Flag: --console-domain.",
        },
        Key {
            name: "certificate",
            default: "\"\"",
            kind: Kind::File,
            doc: "The console's own certificate with its chain (PEM). Empty: by [acme] for its \
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
            doc: "A browser must sign in again after this long without use. Only having a page \
                  open is not use.",
        },
        Key {
            name: "session_life",
            default: "\"7d\"",
            kind: Kind::Duration {
                min: seconds(1),
                max: seconds(365 * 86_400),
            },
            doc: "A browser must sign in again after this long in any case.",
        },
        Key {
            name: "attempts_per_minute",
            default: "20",
            kind: Kind::Count {
                min: 1,
                max: 100_000,
            },
            doc: "Maximum number of sign-ins and wrong API keys from one source (an IPv4 address, \
                  an IPv6 /64).",
        },
    ],
};

pub const METRICS: Section = Section {
    name: "metrics",
    doc: "Metrics for Prometheus, and /livez and /readyz for health checks: plain HTTP without a \
          password, on a private address only.",
    keys: &[Key {
        name: "listen",
        default: "\"\"",
        kind: Kind::Text,
        doc: "Address to listen on, such as \"127.0.0.1:9104\". Empty: none.",
    }],
};

pub const LOG: Section = Section {
    name: "log",
    doc: "The log on standard error.",
    keys: &[
        Key {
            name: "format",
            default: "\"auto\"",
            kind: Kind::Choice(&["auto", "human", "json"]),
            doc: "Format of the log. auto: human on a terminal, json otherwise.",
        },
        Key {
            name: "level",
            default: "\"info\"",
            kind: Kind::Filter,
            doc: "Level of the log: error, warn, info, debug or trace, or a filter. Environment: \
                  TIDEGATE_LOG.",
        },
    ],
};
