//! Keys of certificates by ACME: the CAs and how they are asked.

use super::key::{Key, Section};
use crate::config::value::Kind;

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

pub const ACME: Section = Section {
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
};

pub const ACME_FALLBACK: Section = Section {
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
};

pub const ACME_FALLBACK_2: Section = Section {
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
};
