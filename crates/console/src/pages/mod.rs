//! The pages of the console, set on the server. They work without a script, but for copying and for staying fresh.
//! Never a decision: each handler calls one operation and shows what came of it.

mod assets;
mod frame;
mod help;
mod platform;
mod views;
mod words;

#[cfg(test)]
mod samples;
