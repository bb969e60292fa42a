//! The one table of settings: every key with its default, its bounds and its meaning. The example
//! file, `config show` and the reader are made from it. It holds no value.

mod acme;
mod clusters;
mod endpoint;
mod key;
mod operation;

pub use key::{Key, Section};

/// In the order of the example file.
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

/// All keys as `section.key`.
pub fn all() -> impl Iterator<Item = (String, &'static Key)> {
    SECTIONS.iter().flat_map(|s| {
        s.keys
            .iter()
            .map(move |k| (format!("{}.{}", s.name, k.name), k))
    })
}
