//! Table of system stores that consist of a folder of certificates and a tool that makes bundles
//! from it. docs/trust.md says which rows were tested and which were written from documentation.

/// Kind of system store. Paths are absolute, as on the running system.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    pub title: &'static str,
    /// Folder for the administrator's own roots.
    pub anchors: &'static str,
    /// Tool that makes bundles and links from them.
    pub refresh: &'static [&'static str],
    /// Bundles that programs read; the first that exists is used.
    pub bundles: &'static [&'static str],
    /// Folder of links to single roots, from which the tool doesn't remove those of deleted roots.
    pub links: Option<&'static str>,
    /// Command that renumbers the links after a root was removed, run if it is installed.
    pub relink: Option<&'static [&'static str]>,
    /// File that must exist, if another row would fit as well.
    pub only_with: Option<&'static str>,
}

/// Kinds in the order in which they are tried: SUSE and Arch have folders like those of others.
pub const KINDS: [Kind; 5] = [
    Kind {
        title: "SUSE's store",
        anchors: "/etc/pki/trust/anchors",
        refresh: &["update-ca-certificates"],
        bundles: &[
            "/var/lib/ca-certificates/ca-bundle.pem",
            "/etc/ssl/ca-bundle.pem",
        ],
        links: None,
        relink: None,
        only_with: None,
    },
    Kind {
        title: "Fedora's and Red Hat's store",
        anchors: "/etc/pki/ca-trust/source/anchors",
        refresh: &["update-ca-trust", "extract"],
        bundles: &["/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"],
        links: None,
        relink: None,
        only_with: None,
    },
    Kind {
        title: "Arch's store",
        anchors: "/etc/ca-certificates/trust-source/anchors",
        refresh: &["update-ca-trust"],
        bundles: &[
            "/etc/ca-certificates/extracted/tls-ca-bundle.pem",
            "/etc/ssl/certs/ca-certificates.crt",
        ],
        links: None,
        relink: None,
        only_with: None,
    },
    Kind {
        title: "Alpine's store",
        anchors: "/usr/local/share/ca-certificates",
        refresh: &["update-ca-certificates"],
        bundles: &["/etc/ssl/certs/ca-certificates.crt"],
        links: Some("/etc/ssl/certs"),
        relink: None,
        only_with: Some("/etc/alpine-release"),
    },
    Kind {
        title: "Debian's and Ubuntu's store",
        anchors: "/usr/local/share/ca-certificates",
        refresh: &["update-ca-certificates"],
        bundles: &["/etc/ssl/certs/ca-certificates.crt"],
        links: Some("/etc/ssl/certs"),
        relink: Some(&["openssl", "rehash", "/etc/ssl/certs"]),
        only_with: None,
    },
];
