//! The `tidegate` binary: config, commands, composition.
fn main() {}
