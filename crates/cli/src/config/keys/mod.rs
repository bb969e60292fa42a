//! Table of settings: every key with its default, its bounds and its meaning. The reader, `config
//! show` and the example file are made from it.

mod acme;
mod clusters;
mod endpoint;
mod key;
mod operation;

pub use key::{Key, Section};

/// Sections in the order of the example file.
pub const SECTIONS: &[Section] = &[
    endpoint::GATEWAY,
    endpoint::TLS,
    acme::ACME,
    acme::ACME_FALLBACK,
    acme::ACME_FALLBACK_2,
    clusters::ENGINE,
    clusters::CLUSTER,
    operation::CONSOLE,
    operation::METRICS,
    operation::LOG,
];

/// Returns all keys with their names as `section.key`.
pub fn all() -> impl Iterator<Item = (String, &'static Key)> {
    SECTIONS.iter().flat_map(|s| {
        s.keys
            .iter()
            .map(move |k| (format!("{}.{}", s.name, k.name), k))
    })
}
