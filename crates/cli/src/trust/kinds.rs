//! The table of system stores that are a folder of certificates and a tool that makes bundles of
//! it. Data only: it looks at nothing. Which rows were run and which are from documentation stands
//! in docs/trust.md.

/// A kind of system store. Paths are absolute, as on a machine.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    pub title: &'static str,
    /// Where the administrator's own roots are laid.
    pub anchors: &'static str,
    /// What makes bundles and links of them.
    pub refresh: &'static [&'static str],
    /// What programs read; the first that is there.
    pub bundles: &'static [&'static str],
    /// A folder of links to single roots, which the tool doesn't clean when a root goes.
    pub links: Option<&'static str>,
    /// Run after a root has gone, where it is installed: numbers the links anew.
    pub relink: Option<&'static [&'static str]>,
    /// Only where this file is, if another row would fit as well.
    pub only_with: Option<&'static str>,
}

/// The first that fits counts: SUSE and Arch have folders that look like others'.
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
