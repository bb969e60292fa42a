//! Keys of certificates by ACME: the CAs and how they are asked.

use super::key::{Key, Section, seconds};
use crate::config::value::Kind;

/// Keys that each CA's section has.
const EMAIL: Key = Key {
    name: "email",
    default: "\"\"",
    kind: Kind::Text,
    doc: "Email address for messages of the CA. Flag: --acme-email.",
};
const STAGING: Key = Key {
    name: "staging",
    default: "\"\"",
    kind: Kind::Text,
    doc: "Directory URL of the CA's staging server, where orders are rehearsed after two failures. \
          Empty: that of Let's Encrypt if it is the CA, else no rehearsal. \"none\": no rehearsal.",
};
const DIRECTORY_CA: Key = Key {
    name: "directory_ca",
    default: "\"\"",
    kind: Kind::File,
    doc: "CA file that verifies the TLS of the CA's own server. Empty: Mozilla's list.",
};
const ROOTS: Key = Key {
    name: "roots",
    default: "\"\"",
    kind: Kind::File,
    doc: "File of the roots that issued chains must lead to; a certificate with another root is \
          not used. Empty: Mozilla's list.",
};
const PROFILE: Key = Key {
    name: "profile",
    default: "\"\"",
    kind: Kind::Text,
    doc: "Certificate profile to ask for. Empty: the CA's default.",
};

const EAB_KEY_ID: Key = Key {
    name: "eab_key_id",
    default: "\"\"",
    kind: Kind::Text,
    doc: "Key id of an external account, if the CA requires one.",
};
const EAB_KEY_FILE: Key = Key {
    name: "eab_key_file",
    default: "\"\"",
    kind: Kind::File,
    doc: "File with the key of that external account, in base64url as the CA shows it.",
};
const NO_DIRECTORY: Key = Key {
    name: "directory",
    default: "\"\"",
    kind: Kind::Text,
    doc: "URL of the CA's ACME directory. Empty: no such CA.",
};

pub const ACME: Section = Section {
    name: "acme",
    doc: "Publicly trusted certificates, issued and renewed by ACME (docs/certificates.md).",
    keys: &[
        Key {
            name: "domains",
            default: "[]",
            kind: Kind::Names,
            doc: "Names and addresses in the certificate. Empty: no ACME. Flag: --domain.",
        },
        Key {
            name: "directory",
            default: "\"https://acme-v02.api.letsencrypt.org/directory\"",
            kind: Kind::Text,
            doc: "URL of the CA's ACME directory. The default is Let's Encrypt.",
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
            doc: "Whether to get a second certificate with an RSA key, for clients without ECDSA.",
        },
        Key {
            name: "challenges",
            default: "[\"http-01\"]",
            kind: Kind::Names,
            doc: "How control of the names is proved, in order of preference: http-01, \
                  tls-alpn-01, dns-01. Names such as *.example.com require dns-01.",
        },
        Key {
            name: "http_listen",
            default: "[\"0.0.0.0:80\", \"[::]:80\"]",
            kind: Kind::Addresses,
            doc: "Addresses that answer http-01 validation during an order. CAs connect to port \
                  80.",
        },
        Key {
            name: "alpn_listen",
            default: "[\"0.0.0.0:443\", \"[::]:443\"]",
            kind: Kind::Addresses,
            doc: "Addresses that answer tls-alpn-01 validation during an order. CAs connect to \
                  port 443.",
        },
        Key {
            name: "dns_server",
            default: "\"\"",
            kind: Kind::Text,
            doc: "For dns-01: ADDRESS:PORT of the name server that accepts signed updates (RFC \
                  2136).",
        },
        Key {
            name: "dns_zone",
            default: "\"\"",
            kind: Kind::Text,
            doc: "Zone on that server that contains the names.",
        },
        Key {
            name: "dns_key_name",
            default: "\"\"",
            kind: Kind::Text,
            doc: "Name of the key that signs the updates.",
        },
        Key {
            name: "dns_key_file",
            default: "\"\"",
            kind: Kind::File,
            doc: "File with that key, in base64, for HMAC-SHA256.",
        },
        Key {
            name: "dns_resolver",
            default: "\"\"",
            kind: Kind::Text,
            doc: "ADDRESS:PORT of the resolver that tells where _acme-challenge names outside that \
                  zone lead by CNAME. Empty: those of the system.",
        },
        Key {
            name: "dns_settle",
            default: "\"2m\"",
            kind: Kind::Duration {
                min: seconds(1),
                max: seconds(3600),
            },
            doc: "Time that all name servers of the zone get to show a record before the CA is \
                  told. Raise it for slow ones.",
        },
        Key {
            name: "dns_hook",
            default: "\"\"",
            kind: Kind::File,
            doc: "For dns-01, instead of a server: a program that is run as PROGRAM \
                  present|cleanup RECORD VALUE.",
        },
    ],
};

/// Keys of each further CA.
const FALLBACK_KEYS: &[Key] = &[
    NO_DIRECTORY,
    STAGING,
    EMAIL,
    DIRECTORY_CA,
    ROOTS,
    PROFILE,
    EAB_KEY_ID,
    EAB_KEY_FILE,
];

pub const ACME_FALLBACK: Section = Section {
    name: "acme_fallback",
    doc: "A second CA, used if the first one issues no certificate.",
    keys: FALLBACK_KEYS,
};

pub const ACME_FALLBACK_2: Section = Section {
    name: "acme_fallback_2",
    doc: "A third CA, used if the first two issue no certificate.",
    keys: FALLBACK_KEYS,
};
