//! Section and key: the columns of the table of settings.

use crate::config::value::Kind;
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
    /// Value as it would be written in the file.
    pub default: &'static str,
    pub kind: Kind,
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "the example file is made from it, in a test")
    )]
    pub doc: &'static str,
}

pub const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}
